import { randomFillSync } from 'node:crypto';

const POOL = 256;

/** Random UUIDs of version 4, as 16 characters, one for each byte (`head.id.version`). */
export class Ids {
  private readonly pool = Buffer.allocUnsafeSlow(16 * POOL);
  private at = this.pool.length;

  next(): string {
    if (this.at === this.pool.length) {
      randomFillSync(this.pool);
      this.at = 0;
    }
    const { pool, at } = this;
    pool[at + 6] = (pool[at + 6] & 0x0f) | 0x40;
    pool[at + 8] = (pool[at + 8] & 0x3f) | 0x80;
    this.at = at + 16;
    return pool.toString('latin1', at, at + 16);
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
