import { type FlowEntry, MAX_ENTRY, writeFlow } from './extension/flow.js';
import type { Id } from './ids.js';
import {
  EMPTY,
  FILES_TOTAL_WIDTH,
  FILE_COUNT_WIDTH,
  FILE_SIZE_WIDTH,
  OFFER,
  PAYLOAD_WIDTH,
  sizeBits,
  smallest,
  writeUint,
} from './wire.js';

/** What a header says. A response has a parent, a message an action. */
export interface OutgoingHead {
  readonly parent: Id | undefined;
  readonly id: Id;
  readonly action: string;
  readonly expectsReply: boolean;
  readonly hasStream: boolean;
  readonly payloadSize: number;
  readonly files: readonly { readonly name: string; readonly size: number }[];
}

const SLAB = 64 * 1024;
/** Payloads up to this size are copied next to their headers, which saves a chunk of the write. */
const COPIED = 4096;
/** Bytes up to this number are copied one by one, which is faster than a call that copies. */
const FEW = 48;
/** The longest action of which a header is written at once. */
const SHORT_ACTION = 64;

/** Writes packets, each in its smallest form. Chunks of content are not copied, unless they are small. */
export class Encoder {
  private slab = Buffer.allocUnsafeSlow(SLAB);
  /** Where what was not taken begins and ends. */
  private start = 0;
  private at = 0;
  private chunks: Uint8Array[] = [];
  private chunkBytes = 0;
  private channel = 0;

  /** Bytes since the beginning of the connection. */
  private before = 0;
  /** How many messages and responses have begun. */
  begun = 0;

  /** Bytes that were not taken. */
  get queued(): number {
    return this.chunkBytes + this.at - this.start;
  }

  /** Bytes since the beginning of the connection. */
  get position(): number {
    return this.before + this.queued;
  }

  /** What was written since the last call, in order. */
  take(): Uint8Array[] {
    this.before += this.queued;
    this.cutSlab();
    const chunks = this.chunks;
    this.chunks = [];
    this.chunkBytes = 0;
    return chunks;
  }

  private cutSlab(): void {
    if (this.at > this.start) {
      this.chunks.push(this.slab.subarray(this.start, this.at));
      this.chunkBytes += this.at - this.start;
      this.start = this.at;
    }
  }

  private reserve(bytes: number): void {
    if (this.at + bytes <= this.slab.length) return;
    this.cutSlab();
    this.slab = Buffer.allocUnsafeSlow(Math.max(SLAB, bytes));
    this.start = this.at = 0;
  }

  private push(bytes: Uint8Array): void {
    const length = bytes.length;
    if (length <= COPIED) {
      this.reserve(length);
      const { slab, at } = this;
      if (length > FEW) slab.set(bytes, at);
      else for (let place = 0; place < length; place++) slab[at + place] = bytes[place];
      this.at = at + length;
    } else {
      this.cutSlab();
      this.chunks.push(bytes);
      this.chunkBytes += length;
    }
  }

  private byte(byte: number): void {
    this.reserve(1);
    this.slab[this.at++] = byte;
  }

  private sized(first: number, size: number, reserved = 0): void {
    const bits = sizeBits(size);
    this.reserve(5 + reserved);
    this.slab[this.at] = first | (bits << 2);
    this.at = writeUint(this.slab, this.at + 1, bits + 1, size);
  }

  connectionHeader(channels: number, offers: boolean): void {
    if (offers) return this.push(Uint8Array.from(OFFER));
    if (channels === 1) return this.byte(0xe0);
    if (channels === 4096) return this.byte(0xe3);
    // header.count.256: 256 does not fit one byte.
    if (channels < 256) return this.push(Uint8Array.of(0xe1, channels));
    this.push(Uint8Array.of(0xe2, channels & 0xff, channels >> 8));
  }

  /** Makes a channel the current one. */
  switchTo(channel: number): void {
    if (channel === this.channel) return;
    this.channel = channel;
    if (channel < 16) return this.byte(channel);
    this.reserve(2);
    this.slab[this.at++] = 0x10 | (channel >> 8);
    this.slab[this.at++] = channel & 0xff;
  }

  /** Writes a whole header, and returns the number of its message. */
  head(head: OutgoingHead): number {
    if (head.files.length > 0 || head.action.length > SHORT_ACTION || !this.shortHead(head)) this.longHead(head);
    return this.begun++;
  }

  /** A header without files, whose action is short and ASCII: nearly all are. Returns whether it was written. */
  private shortHead(head: OutgoingHead): boolean {
    const { parent, action, payloadSize } = head;
    const { length } = action;
    const payloadBits = payloadSize === 0 ? 0 : payloadSize < 0x100 ? 1 : payloadSize < 0x1_0000 ? 2 : 3;
    const size = 17 + PAYLOAD_WIDTH[payloadBits] + (parent === undefined ? 1 + length : 16);
    this.reserve(2 + size);
    const { slab } = this;
    let { at } = this;
    slab[at] = (parent === undefined ? 0x20 : 0x50) | (head.hasStream ? 2 : 0) | (head.expectsReply ? 1 : 0);
    slab[at + 1] = size;
    slab[at + 2] = payloadBits << 6;
    at += 3;
    if (parent !== undefined) at = parent.write(slab, at);
    at = head.id.write(slab, at);
    if (parent === undefined) {
      slab[at++] = length;
      for (let place = 0; place < length; place++) {
        const unit = action.charCodeAt(place);
        if (unit > 0x7f) return false;
        slab[at++] = unit;
      }
    }
    this.at = writeUint(slab, at, PAYLOAD_WIDTH[payloadBits], payloadSize);
    return true;
  }

  private longHead(head: OutgoingHead): void {
    const { files, action, payloadSize, parent } = head;
    const isResponse = parent !== undefined;
    const actionLength = isResponse ? 0 : Buffer.byteLength(action);
    const payloadBits = payloadSize === 0 ? 0 : Math.max(1, smallest(PAYLOAD_WIDTH, payloadSize));
    const longAction = actionLength > 255;
    let size = 17 + PAYLOAD_WIDTH[payloadBits] + (isResponse ? 16 : (longAction ? 2 : 1) + actionLength);
    let countBits = 0;
    let totalBits = 0;
    let total = 0;
    if (files.length > 0) {
      for (const file of files) {
        const name = Buffer.byteLength(file.name);
        total += file.size;
        size += 1 + FILE_SIZE_WIDTH[smallest(FILE_SIZE_WIDTH, file.size)] + (name > 255 ? 2 : 1) + name;
      }
      countBits = smallest(FILE_COUNT_WIDTH, files.length);
      totalBits = smallest(FILES_TOTAL_WIDTH, total);
      size += FILE_COUNT_WIDTH[countBits] + FILES_TOTAL_WIDTH[totalBits];
    }
    const first = (isResponse ? 0x50 : 0x20) | (head.hasStream ? 2 : 0) | (head.expectsReply ? 1 : 0);
    this.sized(first, size, size);
    const slab = this.slab;
    let at = this.at;
    slab[at++] = (payloadBits << 6) | (countBits << 4) | (totalBits << 2) | (longAction ? 2 : 0);
    if (isResponse) at = parent.write(slab, at);
    at = head.id.write(slab, at);
    if (!isResponse) {
      at = writeUint(slab, at, longAction ? 2 : 1, actionLength);
      at += slab.write(action, at, actionLength, 'utf8');
    }
    at = writeUint(slab, at, PAYLOAD_WIDTH[payloadBits], payloadSize);
    if (files.length > 0) {
      at = writeUint(slab, at, FILE_COUNT_WIDTH[countBits], files.length);
      at = writeUint(slab, at, FILES_TOTAL_WIDTH[totalBits], total);
      for (const file of files) {
        const length = Buffer.byteLength(file.name);
        const bits = smallest(FILE_SIZE_WIDTH, file.size);
        slab[at++] = (bits << 2) | (length > 255 ? 2 : 0);
        at = writeUint(slab, at, FILE_SIZE_WIDTH[bits], file.size);
        at = writeUint(slab, at, length > 255 ? 2 : 1, length);
        at += slab.write(file.name, at, length, 'utf8');
      }
    }
    this.at = at;
  }

  /** How many bytes a header has. */
  static headLength(head: OutgoingHead): number {
    let size = 40 + Buffer.byteLength(head.action);
    for (const file of head.files) size += 9 + Buffer.byteLength(file.name);
    return size;
  }

  /** A Data packet with two parts of a payload. */
  data(payload: Uint8Array, rest: Uint8Array = EMPTY): void {
    const size = payload.length + rest.length;
    if (size === 0) return;
    this.sized(0xe0, size);
    this.push(payload);
    if (rest.length > 0) this.push(rest);
  }

  fastReply(id: Id, code: number): void {
    this.reserve(18);
    if (code < 16) {
      this.slab[this.at++] = 0x30 | code;
    } else {
      this.slab[this.at++] = 0x40 | (code >> 8);
      this.slab[this.at++] = code & 0xff;
    }
    this.at = id.write(this.slab, this.at);
  }

  /** A Stream packet, whose `size` bytes are pushed with `content`. */
  stream(size: number): void {
    this.sized(0x70, size);
  }

  streamEnd(): void {
    this.byte(0x80);
  }

  /** A File packet, whose `size` bytes are pushed with `content`. */
  file(index: number, size: number): void {
    const bits = indexBits(index);
    this.sized(0xc0 | bits, size, 3);
    this.at = writeUint(this.slab, this.at, bits, index);
  }

  fileEnd(index: number): void {
    const bits = indexBits(index);
    this.reserve(4);
    this.slab[this.at] = 0xd0 | bits;
    this.at = writeUint(this.slab, this.at + 1, bits, index);
  }

  content(bytes: Uint8Array): void {
    this.push(bytes);
  }

  abort(): void {
    this.byte(0x90);
  }

  heartbeat(): void {
    this.byte(0xa0);
  }

  goAway(): void {
    this.byte(0xb0);
  }

  control(content: Uint8Array): void {
    this.sized(0xf0, content.length, content.length);
    this.push(content);
  }

  metadata(content: Uint8Array): void {
    this.sized(0xf1, content.length, content.length);
    this.push(content);
  }

  cancel(number: number): void {
    const content = new Uint8Array(5);
    content[0] = 1;
    writeUint(content, 1, 4, number % 2 ** 32);
    this.control(content);
  }

  status(code: number, error: Uint8Array): void {
    const content = new Uint8Array(3 + error.length);
    content[0] = 6;
    writeUint(content, 1, 2, code);
    content.set(error, 3);
    this.control(content);
  }

  flow(entries: readonly FlowEntry[]): void {
    const most = Math.floor(4096 / MAX_ENTRY);
    for (let place = 0; place < entries.length; place += most) {
      const some = entries.slice(place, place + most);
      const content = new Uint8Array(some.length * MAX_ENTRY);
      let at = 0;
      for (const entry of some) at = writeFlow(content, at, entry);
      this.sized(0xf2, at);
      this.push(content.subarray(0, at));
    }
  }
}

/** The bits of a file's index are its width. */
function indexBits(index: number): number {
  return index === 0 ? 0 : index < 0x100 ? 1 : index < 0x1_0000 ? 2 : 3;
}
