import { randomFillSync } from 'node:crypto';

const POOL = 256;

/** The id of a message: 16 bytes, as four numbers of 32 bits, the first bytes first. */
export class Id {
  constructor(
    readonly a: number,
    readonly b: number,
    readonly c: number,
    readonly d: number,
  ) {}

  static read(bytes: Uint8Array, at: number): Id {
    return new Id(int32(bytes, at), int32(bytes, at + 4), int32(bytes, at + 8), int32(bytes, at + 12));
  }

  /** Returns where it ends. */
  write(bytes: Uint8Array, at: number): number {
    writeInt32(bytes, at, this.a);
    writeInt32(bytes, at + 4, this.b);
    writeInt32(bytes, at + 8, this.c);
    writeInt32(bytes, at + 12, this.d);
    return at + 16;
  }

  equals(other: Id): boolean {
    return this.a === other.a && this.b === other.b && this.c === other.c && this.d === other.d;
  }

  /** In hexadecimal digits. */
  toString(): string {
    const bytes = Buffer.alloc(16);
    this.write(bytes, 0);
    return bytes.toString('hex');
  }
}

function int32(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

function writeInt32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >> 8;
  bytes[at + 2] = value >> 16;
  bytes[at + 3] = value >> 24;
}

/** Random UUIDs of version 4 (`head.id.version`). */
export class Ids {
  private readonly pool = new Int32Array(4 * POOL);
  private at = this.pool.length;

  next(): Id {
    if (this.at === this.pool.length) {
      randomFillSync(this.pool);
      this.at = 0;
    }
    const { pool, at } = this;
    this.at = at + 4;
    // The high halves of bytes 6 and 8 say version and variant.
    return new Id(pool[at], (pool[at + 1] & ~0xf0_0000) | 0x40_0000, (pool[at + 2] & ~0xc0) | 0x80, pool[at + 3]);
  }
}

/** How often something may happen: `burst` at once, `rate` more each second. */
export class Bucket {
  private level = 0;
  private at = performance.now();

  constructor(
    private readonly burst: number,
    private readonly rate: number,
  ) {}

  /** Returns whether it was once too often. */
  add(count = 1): boolean {
    this.level += count;
    if (this.level <= this.burst) return false;
    const now = performance.now();
    this.level = Math.max(0, this.level - ((now - this.at) / 1000) * this.rate);
    this.at = now;
    return this.level > this.burst;
  }
}
