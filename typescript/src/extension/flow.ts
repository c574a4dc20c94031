import { ProtocolError } from '../errors.js';
import { FLOW_LIMIT_WIDTH, readUint, smallest, writeUint } from '../wire.js';

/** A part of a message: the index of a file, or this for its stream. */
export const STREAM = -1;

/** An entry of a Flow packet (`ext.flow`). Numbers have 32 bits. */
export type FlowEntry =
  | { kind: 'part'; number: number; part: number; limit: number; isLifeline: boolean }
  | { kind: 'files-below'; number: number; index: number }
  | { kind: 'connection'; limit: number }
  | { kind: 'stop'; number: number; part: number | undefined };

/** The length of the longest entry. */
export const MAX_ENTRY = 14;

export function decodeFlow(content: Uint8Array): FlowEntry[] {
  const entries: FlowEntry[] = [];
  let at = 0;
  while (at < content.length) {
    const flags = content[at++];
    const parts = flags >> 6;
    const width = FLOW_LIMIT_WIDTH[(flags >> 4) & 3];
    const kind = (flags >> 2) & 3;
    const isLifeline = (flags & 2) !== 0;
    const isAll = parts === 3;
    const hasLimit = (flags & 0x30) !== 0;
    const isLegal =
      (flags & 1) === 0 &&
      (kind === 0
        ? !isAll || (!hasLimit && !isLifeline)
        : kind === 1
          ? parts === 0 && !isLifeline
          : kind === 2 && !hasLimit && !isLifeline);
    if (!isLegal) throw new ProtocolError('ext.flow', `an entry has the flags ${flags}`);
    if (kind === 1) {
      if (at + width > content.length) throw cut();
      entries.push({ kind: 'connection', limit: readUint(content, at, width) });
      at += width;
      continue;
    }
    const indexWidth = parts === 0 ? 0 : parts === 1 ? 1 : isAll && kind === 2 ? 0 : 3;
    const isCredit = kind === 0 && !isAll;
    if (at + 4 + indexWidth + (isCredit ? width : 0) > content.length) throw cut();
    const number = readUint(content, at, 4);
    const index = readUint(content, at + 4, indexWidth);
    at += 4 + indexWidth;
    const part = parts === 0 ? STREAM : index;
    if (kind === 2) {
      entries.push({ kind: 'stop', number, part: isAll ? undefined : part });
    } else if (isAll) {
      entries.push({ kind: 'files-below', number, index });
    } else {
      entries.push({ kind: 'part', number, part, limit: readUint(content, at, width), isLifeline });
      at += width;
    }
  }
  return entries;
}

function cut(): ProtocolError {
  return new ProtocolError('ext.content.exact', 'a Flow packet ends inside an entry');
}

/** Writes an entry in its smallest form. Returns where it ends. */
export function writeFlow(bytes: Uint8Array, at: number, entry: FlowEntry): number {
  switch (entry.kind) {
    case 'connection': {
      const bits = smallest(FLOW_LIMIT_WIDTH, entry.limit);
      bytes[at] = (bits << 4) | 0x04;
      return writeUint(bytes, at + 1, FLOW_LIMIT_WIDTH[bits], entry.limit);
    }
    case 'files-below':
      bytes[at] = 0xc0;
      return writeUint(bytes, writeUint(bytes, at + 1, 4, entry.number), 3, entry.index);
    case 'stop': {
      const parts = entry.part === undefined ? 3 : partBits(entry.part);
      bytes[at] = (parts << 6) | 0x08;
      at = writeUint(bytes, at + 1, 4, entry.number);
      return parts === 3 ? at : writeIndex(bytes, at, parts, entry.part as number);
    }
    case 'part': {
      const parts = partBits(entry.part);
      const bits = smallest(FLOW_LIMIT_WIDTH, entry.limit);
      bytes[at] = (parts << 6) | (bits << 4) | (entry.isLifeline ? 2 : 0);
      at = writeIndex(bytes, writeUint(bytes, at + 1, 4, entry.number), parts, entry.part);
      return writeUint(bytes, at, FLOW_LIMIT_WIDTH[bits], entry.limit);
    }
  }
}

function partBits(part: number): number {
  return part === STREAM ? 0 : part < 256 ? 1 : 2;
}

function writeIndex(bytes: Uint8Array, at: number, parts: number, index: number): number {
  return writeUint(bytes, at, [0, 1, 3][parts], parts === 0 ? 0 : index);
}
