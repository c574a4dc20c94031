import type { Id } from './ids.js';
import type { Pending } from './request.js';

/** Requests that wait for replies, by their ids. These are random, so that their first 32 bits tell nearly all apart. */
export class PendingTable {
  private readonly first = new Map<number, Pending>();
  size = 0;

  get(id: Id): Pending | undefined {
    let found = this.first.get(id.a);
    while (found !== undefined && !found.id.equals(id)) found = found.sibling;
    return found;
  }

  add(pending: Pending): void {
    pending.sibling = this.first.get(pending.id.a);
    this.first.set(pending.id.a, pending);
    this.size++;
  }

  /** Returns whether it was there. */
  delete(pending: Pending): boolean {
    const { a } = pending.id;
    const first = this.first.get(a);
    if (first === pending) {
      if (pending.sibling === undefined) this.first.delete(a);
      else this.first.set(a, pending.sibling);
    } else {
      let before = first;
      while (before !== undefined && before.sibling !== pending) before = before.sibling;
      if (before === undefined) return false;
      before.sibling = pending.sibling;
    }
    pending.sibling = undefined;
    this.size--;
    return true;
  }

  *values(): IterableIterator<Pending> {
    for (const first of this.first.values()) {
      let next: Pending | undefined = first;
      while (next !== undefined) {
        const pending: Pending = next;
        // It may be deleted meanwhile.
        next = pending.sibling;
        yield pending;
      }
    }
  }
}
