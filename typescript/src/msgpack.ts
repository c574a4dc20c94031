import { Packr, Unpackr } from 'msgpackr';

import { EMPTY } from './wire.js';

import { ServiceError } from './errors.js';

/** A payload that is not one MessagePack value, or exceeds a limit. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

/** How integers of 64 bits are read. */
export type Int64 =
  /** A `number` up to 2^53, and a `bigint` beyond. */
  | 'auto'
  /** Always a `bigint`, also for the small ones that were written in 64 bits. */
  | 'bigint';

/** What a payload may cost. */
export interface MsgpackBounds {
  readonly values: number;
  readonly depth: number;
}

export const DEFAULT_BOUNDS: MsgpackBounds = { values: 100_000, depth: 128 };

/** The first bytes of an error of a service, which an array follows: its name, its text, its data. */
const SERVICE_ERROR: readonly number[] = [0xd4, 0x65, 0x00];

/** Bytes from this number on are not copied: they are sent as they are in memory, and read as a part of their payload. */
export const LARGE = 64 * 1024;

/** Values to MessagePack and back. Structs are maps, `undefined` fields are left out. */
export class Msgpack {
  private readonly packr: Packr;
  /** Reads bytes as parts of their payload. */
  private readonly sharing: Unpackr;

  constructor(
    private readonly bounds: MsgpackBounds = DEFAULT_BOUNDS,
    int64: Int64 = 'auto',
  ) {
    const options = {
      useRecords: false,
      moreTypes: false,
      // Only fields: an array keeps its places.
      skipValues: [undefined],
      int64AsType: int64 as 'bigint',
      copyBuffers: true,
    };
    this.packr = new Packr(options);
    this.sharing = new Unpackr({ ...options, copyBuffers: false });
  }

  encode(value: unknown): Uint8Array {
    return this.packr.pack(value);
  }

  /** @internal A value in two parts, the second of which is memory of the caller if that is large. */
  encodeParts(value: unknown): readonly [Uint8Array, Uint8Array] {
    if (!(value instanceof Uint8Array) || value.length < LARGE) return [this.encode(value), EMPTY];
    const head = Buffer.allocUnsafe(5);
    head[0] = 0xc6;
    head.writeUInt32BE(value.length, 1);
    return [head, value];
  }

  /** The value of a payload; an empty payload is `null`. Of large payloads, bytes are parts of it. */
  decode(payload: Uint8Array): unknown {
    if (payload.length === 0) return null;
    const end = scan(payload, 0, this.bounds);
    if (end !== payload.length) throw new DecodeError(`${payload.length - end} bytes after the value`);
    try {
      return (payload.length < LARGE ? this.packr : this.sharing).unpack(payload);
    } catch (error) {
      throw new DecodeError(error instanceof Error ? error.message : String(error));
    }
  }

  /** Throws a `DecodeError` unless the payload is one value, which may have extensions of any type. */
  check(payload: Uint8Array): void {
    const end = scan(payload, 0, this.bounds, true);
    if (end !== payload.length) throw new DecodeError(`${payload.length - end} bytes after the value`);
  }

  /** An error of a service: its name, text and data. */
  encodeError(name: string, message: string, error: unknown): Uint8Array {
    const array = this.packr.pack([name, message, error]);
    const payload = new Uint8Array(SERVICE_ERROR.length + array.length);
    payload.set(SERVICE_ERROR);
    payload.set(array, SERVICE_ERROR.length);
    return payload;
  }

  /** An error of a service, if the payload is one. */
  decodeError(payload: Uint8Array): { name: string; message: string; error: unknown } | undefined {
    if (payload.length <= 3 || SERVICE_ERROR.some((byte, place) => payload[place] !== byte)) return undefined;
    const array = this.decode(payload.subarray(SERVICE_ERROR.length));
    if (!Array.isArray(array)) throw new DecodeError('the data of an error is no array');
    const [name, message, error] = array as unknown[];
    return { name: String(name), message: String(message), error };
  }

  /**
   * The values of a stream, each as soon as it is whole. Throws a `ServiceError` when the stream ends with one, and a
   * `DecodeError` for what is no value. `limit` is the length of one in bytes.
   */
  async *decodeStream(stream: AsyncIterable<Uint8Array>, limit = 4 * 1024 * 1024): AsyncGenerator<unknown> {
    const rest = new Rest();
    let scan = new Scan(this.bounds);
    for await (const chunk of stream) {
      rest.push(chunk);
      while (rest.length > 0) {
        const bytes = rest.bytes;
        if (scan.at === 0) {
          const marker = markerOf(bytes);
          if (marker === undefined) break;
          scan.at = marker;
        }
        const isError = bytes[0] === SERVICE_ERROR[0] && bytes[1] === SERVICE_ERROR[1];
        if (!scan.resume(bytes)) break;
        const item = bytes.subarray(0, scan.at);
        rest.take(scan.at);
        scan = new Scan(this.bounds);
        const error = isError ? this.decodeError(item) : undefined;
        if (error !== undefined) throw new ServiceError(error.name, error.message, error.error);
        yield this.decode(item);
      }
      if (rest.length > limit) throw new DecodeError(`a value of ${rest.length} bytes or more: the limit is ${limit}`);
    }
    if (rest.length > 0) throw new DecodeError(`the stream ends ${rest.length} bytes into a value`);
  }

  /** A stream of values. A `ServiceError` that their source throws ends it: the reader gets all values, then the error. */
  async *encodeStream(values: AsyncIterable<unknown> | Iterable<unknown>): AsyncGenerator<Uint8Array> {
    let failure;
    try {
      for await (const value of values) yield this.encode(value);
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      failure = error;
    }
    if (failure !== undefined) yield this.encodeError(failure.name, failure.message, failure.error);
  }
}

/** Bytes of a stream that are not taken yet. Joining small chunks costs in proportion to their sizes. */
class Rest {
  private memory: Uint8Array = new Uint8Array(0);
  private isOwn = false;
  private start = 0;
  private end = 0;

  get length(): number {
    return this.end - this.start;
  }

  get bytes(): Uint8Array {
    return this.memory.subarray(this.start, this.end);
  }

  push(chunk: Uint8Array): void {
    if (this.length === 0) {
      this.memory = chunk;
      this.isOwn = false;
      this.start = 0;
      this.end = chunk.length;
      return;
    }
    if (!this.isOwn || this.end + chunk.length > this.memory.length) {
      const larger = new Uint8Array(2 * (this.length + chunk.length));
      larger.set(this.bytes);
      this.end = this.length;
      this.start = 0;
      this.memory = larger;
      this.isOwn = true;
    }
    this.memory.set(chunk, this.end);
    this.end += chunk.length;
  }

  take(length: number): void {
    this.start += length;
  }
}

/** The length of the marker of an error at the beginning; `undefined` if more bytes have to say whether it is one. */
function markerOf(bytes: Uint8Array): number | undefined {
  for (let place = 0; place < SERVICE_ERROR.length; place++) {
    if (place >= bytes.length) return undefined;
    if (bytes[place] !== SERVICE_ERROR[place]) return 0;
  }
  return SERVICE_ERROR.length;
}

/** Thrown where bytes are missing. There is one, as it may happen for each chunk of a stream. */
const INCOMPLETE = new DecodeError('the value is incomplete');

/** Where a value ends, which begins at `at`. Throws a `DecodeError` also if it does not end. */
export function scan(bytes: Uint8Array, at: number, bounds: MsgpackBounds, allowsAny = false): number {
  const scan = new Scan(bounds, at, allowsAny);
  if (!scan.resume(bytes)) throw new DecodeError(INCOMPLETE.message);
  return scan.at;
}

/**
 * Looks for the end of a value. Checks, before anything is allocated, that everything is there that it announces, and
 * that it has no extension whose reading could be made expensive.
 */
class Scan {
  private readonly open: number[] = [];
  private left = 1;
  private values = 0;

  constructor(
    private readonly bounds: MsgpackBounds,
    /** What was scanned: the end of the value, once it is found. */
    public at = 0,
    private readonly allowsAny = false,
  ) {}

  /** Goes on with the same bytes and perhaps more. Returns whether the value is whole. */
  resume(bytes: Uint8Array): boolean {
    try {
      this.run(bytes);
      return true;
    } catch (error) {
      if (error === INCOMPLETE) return false;
      throw error;
    }
  }

  private run(bytes: Uint8Array): void {
    for (;;) {
      while (this.left === 0) {
        const left = this.open.pop();
        if (left === undefined) return;
        this.left = left;
      }
      // Where it is incomplete, nothing of it is noted.
      const inside = this.token(bytes);
      this.left--;
      if (++this.values > this.bounds.values || inside > this.bounds.values) {
        throw new DecodeError(`more than ${this.bounds.values} values`);
      }
      if (inside > 0) {
        if (this.open.length >= this.bounds.depth) throw new DecodeError(`nested deeper than ${this.bounds.depth}`);
        this.open.push(this.left);
        this.left = inside;
      }
    }
  }

  /** Goes to the end of what is no container, or into one. Returns how many values are inside. */
  private token(bytes: Uint8Array): number {
    const { allowsAny } = this;
    const end = bytes.length;
    let { at } = this;
    if (at >= end) throw INCOMPLETE;
    const first = bytes[at++];
    let inside = 0;
    if (first < 0x80 || first >= 0xe0) {
      // A small integer.
    } else if (first < 0x90) {
      inside = 2 * (first & 15);
    } else if (first < 0xa0) {
      inside = first & 15;
    } else if (first < 0xc0) {
      at += first & 31;
    } else {
      switch (first) {
        case 0xc0:
        case 0xc2:
        case 0xc3:
          break;
        case 0xc1:
          throw new DecodeError('the byte C1 begins no value');
        case 0xc4:
        case 0xd9:
          at += 1 + number(bytes, at, 1);
          break;
        case 0xc5:
        case 0xda:
          at += 2 + number(bytes, at, 2);
          break;
        case 0xc6:
        case 0xdb:
          at += 4 + number(bytes, at, 4);
          break;
        case 0xc7:
          at = extension(bytes, at + 1, number(bytes, at, 1), allowsAny);
          break;
        case 0xc8:
          at = extension(bytes, at + 2, number(bytes, at, 2), allowsAny);
          break;
        case 0xc9:
          at = extension(bytes, at + 4, number(bytes, at, 4), allowsAny);
          break;
        case 0xcc:
        case 0xd0:
          at += 1;
          break;
        case 0xcd:
        case 0xd1:
          at += 2;
          break;
        case 0xca:
        case 0xce:
        case 0xd2:
          at += 4;
          break;
        case 0xcb:
        case 0xcf:
        case 0xd3:
          at += 8;
          break;
        case 0xd4:
        case 0xd5:
        case 0xd6:
        case 0xd7:
        case 0xd8:
          at = extension(bytes, at, 1 << (first - 0xd4), allowsAny);
          break;
        case 0xdc:
          inside = number(bytes, at, 2);
          at += 2;
          break;
        case 0xdd:
          inside = number(bytes, at, 4);
          at += 4;
          break;
        case 0xde:
          inside = 2 * number(bytes, at, 2);
          at += 2;
          break;
        case 0xdf:
          inside = 2 * number(bytes, at, 4);
          at += 4;
          break;
      }
    }
    if (at > end) throw INCOMPLETE;
    this.at = at;
    return inside;
  }
}

/** Timestamps (-1) and `undefined` (0) are the extensions that are read. */
function extension(bytes: Uint8Array, at: number, length: number, allowsAny: boolean): number {
  if (at >= bytes.length) throw INCOMPLETE;
  const type = bytes[at];
  if (!allowsAny && type !== 0xff && type !== 0) throw new DecodeError(`an extension of type ${type > 127 ? type - 256 : type}`);
  return at + 1 + length;
}

function number(bytes: Uint8Array, at: number, width: number): number {
  if (at + width > bytes.length) throw INCOMPLETE;
  let value = 0;
  for (let place = 0; place < width; place++) value = value * 256 + bytes[at + place];
  return value;
}
