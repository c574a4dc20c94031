import { ProtocolError } from '../errors.js';
import { readUint, writeUint } from '../wire.js';

/** The W3C trace context of a message. */
export interface Trace {
  /** 16 bytes. */
  readonly traceId: Uint8Array;
  /** 8 bytes. */
  readonly parentId: Uint8Array;
  readonly flags: number;
}

/** An entry of a user. */
export interface MetadataEntry {
  readonly value: Uint8Array;
  /** Whether it must not be shown, such as in logs. */
  readonly isSecret: boolean;
}

/** What was said about a message before it. */
export interface Metadata {
  /** Milliseconds from its arrival; `null`: none, whatever the settings say. */
  readonly deadline?: number | null;
  readonly trace?: Trace;
  /** How often the message was sent before. */
  readonly attempt?: number;
  /** Milliseconds before another attempt; `null`: there should be none. */
  readonly retryAfter?: number | null;
  readonly entries: ReadonlyMap<string, MetadataEntry>;
}

export const NO_METADATA: Metadata = { entries: new Map() };

const MAX_ENTRIES = 64;
const NONE = 0xffff_ffff;
const WELL_KNOWN: readonly string[] = ['tracestate', 'baggage', 'authorization'];
const FIRST_REMEMBERED = 16;
const MAX_REMEMBERED = 64;
const NAME = /^(?!sockety-)[a-z0-9._-]{1,64}$/;

/** Whether a name of an entry is legal (`ext.meta.user`). */
export function isMetadataName(name: string): boolean {
  return NAME.test(name);
}

/** Reads the metadata of one direction, whose names it remembers. */
export class MetadataReader {
  private readonly names: string[] = [];

  decode(content: Buffer): Metadata {
    const metadata: { -readonly [Name in keyof Metadata]: Metadata[Name] } = { entries: new Map() };
    const entries = metadata.entries as Map<string, MetadataEntry>;
    let at = 0;
    let count = 0;
    const seen = new Set<string>();
    const once = (what: string): void => {
      if (seen.has(what)) throw new ProtocolError('ext.meta.user', `an entry is there twice: ${what}`);
      seen.add(what);
    };
    const take = (length: number): Buffer => {
      if (at + length > content.length) throw new ProtocolError('ext.content.exact', 'Metadata end inside an entry');
      at += length;
      return content.subarray(at - length, at);
    };
    while (at < content.length) {
      if (++count > MAX_ENTRIES) throw new ProtocolError('ext.meta.bound', `more than ${MAX_ENTRIES} entries`);
      const first = content[at++];
      if (first < 4 || (first >= 8 && first < 12)) {
        const width = (first & 3) + 1;
        const millis = readUint(take(width), 0, width);
        const value = millis === NONE ? null : millis;
        once(first < 4 ? 'deadline' : 'retry after');
        if (first < 4) metadata.deadline = value;
        else metadata.retryAfter = value;
      } else if (first === 4) {
        once('trace');
        const bytes = take(25);
        const trace = {
          traceId: Uint8Array.from(bytes.subarray(0, 16)),
          parentId: Uint8Array.from(bytes.subarray(16, 24)),
          flags: bytes[24],
        };
        // ext.meta.trace
        if (isTrace(trace)) metadata.trace = trace;
      } else if (first === 5) {
        once('attempt');
        metadata.attempt = take(1)[0];
      } else if (first >= 0x20 && first < 0x40) {
        take(take(1)[0]);
      } else if (first >= 0x40 && first < 0x80 && (first & 3) === 0 && ((first & 4) === 0 || (first & 8) !== 0)) {
        const name = this.name(first, take);
        const width = (first & 16) !== 0 ? 2 : 1;
        const value = Uint8Array.from(take(readUint(take(width), 0, width)));
        if (entries.has(name)) throw new ProtocolError('ext.meta.user', 'a name is there twice');
        entries.set(name, { value, isSecret: (first & 32) !== 0 });
      } else {
        throw new ProtocolError('ext.meta.entry', `an entry begins with ${first}`);
      }
    }
    return metadata;
  }

  private name(first: number, take: (length: number) => Buffer): string {
    if ((first & 8) === 0) {
      const slot = take(1)[0];
      const name = slot < FIRST_REMEMBERED ? WELL_KNOWN[slot] : this.names[slot - FIRST_REMEMBERED];
      if (name === undefined) throw new ProtocolError('ext.meta.names', `slot ${slot} has no name`);
      return name;
    }
    const name = take(take(1)[0]).toString('latin1');
    if (!isMetadataName(name)) throw new ProtocolError('ext.meta.user', 'a name is not allowed');
    if ((first & 4) !== 0) {
      if (this.names.length >= MAX_REMEMBERED) {
        throw new ProtocolError('ext.meta.names', `more than ${MAX_REMEMBERED} names are to be remembered`);
      }
      this.names.push(name);
    }
    return name;
  }
}

/** Writes the metadata of one direction, whose names it remembers. */
export class MetadataWriter {
  private readonly names: string[] = [];

  /** The content of a packet; `undefined` if there is nothing to say. Does not remember names before `commit`. */
  encode(metadata: Metadata, deadline: number | null | undefined, limit: number): Uint8Array | undefined | 'too large' {
    let size = 64;
    let count = 4;
    for (const [name, entry] of metadata.entries) {
      size += 5 + name.length + entry.value.length;
      count++;
      if (entry.value.length > 65_535) return 'too large';
    }
    if (count > MAX_ENTRIES + 4) return 'too large';
    const bytes = Buffer.allocUnsafe(size);
    let at = 0;
    const millis = (first: number, value: number | null): void => {
      const number = value === null ? NONE : Math.min(Math.max(0, Math.ceil(value)), NONE - 1);
      const bits = number < 0x100 ? 0 : number < 0x1_0000 ? 1 : number < 0x100_0000 ? 2 : 3;
      bytes[at] = first | bits;
      at = writeUint(bytes, at + 1, bits + 1, number);
    };
    if (deadline !== undefined) millis(0, deadline);
    if (metadata.trace !== undefined && isTrace(metadata.trace)) {
      bytes[at++] = 4;
      bytes.set(metadata.trace.traceId, at);
      bytes.set(metadata.trace.parentId, at + 16);
      bytes[at + 24] = metadata.trace.flags;
      at += 25;
    }
    if (metadata.attempt !== undefined && metadata.attempt > 0) {
      bytes[at] = 5;
      bytes[at + 1] = Math.min(255, metadata.attempt);
      at += 2;
    }
    if (metadata.retryAfter !== undefined) millis(8, metadata.retryAfter);
    const fresh: string[] = [];
    for (const [name, { value, isSecret }] of metadata.entries) {
      const width = value.length > 255 ? 2 : 1;
      const flags = 0x40 | (isSecret ? 32 : 0) | (width === 2 ? 16 : 0);
      const known = WELL_KNOWN.indexOf(name);
      const slot = known >= 0 ? known : this.names.indexOf(name) + FIRST_REMEMBERED;
      if (known >= 0 || slot >= FIRST_REMEMBERED) {
        bytes[at] = flags;
        bytes[at + 1] = slot;
        at += 2;
      } else {
        const isRemembered = this.names.length + fresh.length < MAX_REMEMBERED;
        if (isRemembered) fresh.push(name);
        bytes[at] = flags | 8 | (isRemembered ? 4 : 0);
        bytes[at + 1] = name.length;
        bytes.write(name, at + 2, 'latin1');
        at += 2 + name.length;
      }
      at = writeUint(bytes, at, width, value.length);
      bytes.set(value, at);
      at += value.length;
    }
    if (at === 0) return undefined;
    if (at > limit) return 'too large';
    this.names.push(...fresh);
    return bytes.subarray(0, at);
  }
}

function isTrace(trace: Trace): boolean {
  const isId = (bytes: Uint8Array, length: number): boolean =>
    bytes.length === length && bytes.some((byte) => byte !== 0);
  return isId(trace.traceId, 16) && isId(trace.parentId, 8);
}
