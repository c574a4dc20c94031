import type { Body } from './body.js';
import type { Id } from './ids.js';
import type { Limits } from './limits.js';
import { FILES_TOTAL_WIDTH, FILE_COUNT_WIDTH, FILE_SIZE_WIDTH, PAYLOAD_WIDTH, readUint } from './wire.js';

const EMPTY_BUFFER = Buffer.alloc(0);

export const enum Stage {
  /** Everything before the file headers. */
  Prefix,
  /** The sizes after an action that was dropped. */
  Sizes,
  Files,
}

/** A header that comes in pieces, has files, or is not ordinary. */
export class PartialHead {
  stage = Stage.Prefix;
  flags = 0;
  parent: Id | undefined;
  id!: Id;
  action = '';
  payload = 0;
  count = 0;
  total = 0;
  bytes = 0;
  pieces = 1;
  age = 0;
  /** Bytes of a text that is too long. */
  dropping = 0;
  isRefused = false;
  isComplete = false;
  body: Body<unknown> | undefined;
  /** The part that is arriving. */
  buffer: Buffer = EMPTY_BUFFER;
  private room: Buffer = EMPTY_BUFFER;
  hasPart = false;

  constructor(
    readonly isResponse: boolean,
    readonly expectsReply: boolean,
    readonly hasStream: boolean,
    readonly number: number,
  ) {}

  /** Takes the part that is complete. */
  take(): Buffer {
    const part = this.buffer;
    this.buffer = this.room = EMPTY_BUFFER;
    return part;
  }

  /** Takes bytes of the next part. Returns how many. */
  fill(input: Buffer, at: number, end: number, limits: Limits): number {
    let used = 0;
    for (;;) {
      const missing = this.required(limits) - this.buffer.length;
      if (missing === 0) {
        this.hasPart = true;
        return used;
      }
      const size = Math.min(missing, end - at - used);
      if (size === 0) return used;
      this.append(input, at + used, size);
      used += size;
    }
  }

  /** Grows by doubling, so that bytes that come one by one are not copied again for each of them. */
  private append(input: Buffer, at: number, size: number): void {
    const length = this.buffer.length;
    if (length + size > this.room.length) {
      const room = Buffer.allocUnsafe(Math.max(64, length + size, 2 * length));
      this.buffer.copy(room);
      this.room = room;
    }
    input.copy(this.room, length, at, at + size);
    this.buffer = this.room.subarray(0, length + size);
  }

  /** How long the part is, or its beginning that says how long it is. */
  private required(limits: Limits): number {
    const buffer = this.buffer;
    if (this.stage === Stage.Files) {
      if (buffer.length === 0) return 1;
      const fixed = 1 + FILE_SIZE_WIDTH[(buffer[0] >> 2) & 3] + ((buffer[0] & 2) !== 0 ? 2 : 1);
      if (buffer.length < fixed) return fixed;
      const width = (buffer[0] & 2) !== 0 ? 2 : 1;
      const length = readUint(buffer, fixed - width, width);
      return length > limits.fileNameBytes || this.isRefused ? fixed : fixed + length;
    }
    const flags = this.stage === Stage.Sizes ? this.flags : buffer[0];
    if (flags === undefined) return 1;
    const countWidth = FILE_COUNT_WIDTH[(flags >> 4) & 3];
    const sizes =
      PAYLOAD_WIDTH[flags >> 6] + countWidth + (countWidth > 0 ? FILES_TOTAL_WIDTH[(flags >> 2) & 3] : 0);
    if (this.stage === Stage.Sizes) return sizes;
    if (this.isResponse) return 33 + sizes;
    const width = (flags & 2) !== 0 ? 2 : 1;
    if (buffer.length < 17 + width) return 17 + width;
    const length = readUint(buffer, 17, width);
    return length > limits.actionBytes ? 17 + width : 17 + width + length + sizes;
  }
}
