/** A queue whose operations at both ends take constant time, however long it is. */
export class Fifo<T> {
  private items: T[] = [];
  private first = 0;

  get length(): number {
    return this.items.length - this.first;
  }

  push(item: T): void {
    this.items.push(item);
  }

  shift(): T | undefined {
    if (this.first === this.items.length) return undefined;
    const item = this.items[this.first++];
    // What was taken is dropped when it is half of all.
    if (this.first > 64 && this.first * 2 > this.items.length) {
      this.items = this.items.slice(this.first);
      this.first = 0;
    }
    return item;
  }

  /** Removes an item. Returns whether it was there. */
  remove(item: T): boolean {
    const place = this.items.indexOf(item, this.first);
    if (place < 0) return false;
    this.items.splice(place, 1);
    return true;
  }

  /** Removes all. */
  clear(): void {
    this.items = [];
    this.first = 0;
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (let place = this.first; place < this.items.length; place++) yield this.items[place];
  }
}
