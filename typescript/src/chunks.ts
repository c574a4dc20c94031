/** Chunks below this size are joined while nobody takes them. */
const SMALL = 1024;
const JOINED = 8192;

/**
 * Bytes that arrived and were not taken, in order. Small chunks are copied together, and those that are less than half
 * of the memory that they are in are copied out of it, so that a peer costs no more memory than twice what it sent.
 */
export class Chunks {
  private items: Uint8Array[] = [];
  private first = 0;
  /** The memory of the last item, if it was joined. */
  private tail: Uint8Array | undefined;
  private tailLength = 0;

  get isEmpty(): boolean {
    return this.first === this.items.length;
  }

  push(bytes: Uint8Array): void {
    const { length } = bytes;
    if (length >= SMALL || this.isEmpty) {
      this.seal();
      this.items.push(owned(bytes));
      return;
    }
    if (this.tail === undefined || this.tailLength + length > JOINED) {
      this.seal();
      this.tail = new Uint8Array(JOINED);
      this.tailLength = 0;
      this.items.push(this.tail);
    }
    this.tail.set(bytes, this.tailLength);
    this.tailLength += length;
  }

  /** Nothing more is joined to the last item. */
  private seal(): void {
    const { tail, tailLength } = this;
    if (tail === undefined) return;
    const isMostlyUsed = tailLength * 2 >= JOINED;
    this.items[this.items.length - 1] = isMostlyUsed ? tail.subarray(0, tailLength) : tail.slice(0, tailLength);
    this.tail = undefined;
  }

  shift(): Uint8Array | undefined {
    if (this.isEmpty) return undefined;
    if (this.first === this.items.length - 1) this.seal();
    const item = this.items[this.first++];
    if (this.isEmpty) {
      this.clear();
    } else if (this.first > 64 && this.first * 2 > this.items.length) {
      this.items = this.items.slice(this.first);
      this.first = 0;
    }
    return item;
  }

  /** All of them, one after another. */
  join(): Uint8Array {
    this.seal();
    const items = this.items.slice(this.first);
    this.clear();
    return items.length === 1 ? items[0] : Buffer.concat(items);
  }

  clear(): void {
    this.items = [];
    this.first = 0;
    this.tail = undefined;
  }
}

function owned(bytes: Uint8Array): Uint8Array {
  if (bytes.length * 2 >= bytes.buffer.byteLength) return bytes;
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}
