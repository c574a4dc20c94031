import type { Connection } from './connection.js';
import { numberBelow } from './decoder.js';
import { LimitError } from './errors.js';
import type { FlowEntry } from './extension/flow.js';
import { Receiving } from './extension/receiving.js';
import type { Readers } from './intake.js';

/** Credit for content in both directions, and what readers say about it. */
export class Credit {
  readonly receiving: Receiving;
  private hasCredit = false;
  stops: FlowEntry[] = [];
  private flowEntries = 0;
  private readonly startedAt = performance.now();

  constructor(private readonly connection: Connection) {
    const { messageWindow, messageWindowMax, connectionWindow } = connection.options.limits;
    this.receiving = new Receiving({ message: messageWindow, messageMax: messageWindowMax, connection: connectionWindow });
  }

  readonly readers: Readers = {
    onTaken: (number, part, bytes) => {
      if (this.connection.isExtended) {
        this.receiving.taken(number, part, bytes);
        this.isDue();
      } else if (this.connection.reading.pausedAt > 0) {
        this.connection.reading.checkUnread();
      }
    },
    onWaits: (number, part) => {
      if (this.connection.isExtended) {
        this.receiving.waits(number, part);
        this.isDue();
      } else if (this.connection.reading.pausedAt > 0) {
        this.connection.reading.checkUnread();
      }
    },
    onStop: (number, part) => {
      if (this.connection.isExtended) {
        this.receiving.stop(number, part);
        this.isDue();
      } else if (this.connection.reading.pausedAt > 0) {
        this.connection.reading.checkUnread();
      }
    },
  };

  /** Writes the entries that are due. */
  encode(): void {
    const { encoder } = this.connection.sender;
    if (this.hasCredit) {
      this.hasCredit = false;
      const entries = this.receiving.due(this.connection.reading.isDrained);
      if (entries.length > 0) encoder.flow(entries);
    }
    if (this.stops.length > 0) {
      encoder.flow(this.stops);
      this.stops = [];
    }
  }

  isDue(): void {
    this.hasCredit = true;
    this.connection.writing.schedule();
  }

  onFlow(entries: FlowEntry[]): void {
    const { sender } = this.connection;
    const { credit } = sender;
    this.checkFlow(entries.length);
    for (const entry of entries) {
      if (entry.kind === 'connection') {
        if (credit.connection(entry.limit) === 'grown') sender.unblock();
        continue;
      }
      const number = numberBelow(entry.number, sender.encoder.begun);
      if (entry.kind === 'part') {
        if (credit.grow(number, entry.part, entry.limit, entry.isLifeline) === 'grown') sender.grant(number);
      } else if (entry.kind === 'files-below') {
        if (credit.release(number, entry.index) === 'grown') sender.grant(number);
      } else if (entry.part === undefined) {
        sender.stop(number, undefined);
      } else {
        const effect = credit.stop(number, entry.part);
        if (effect === 'stop') sender.stop(number, entry.part);
        else if (effect === 'over') sender.grant(number);
      }
    }
  }

  // ext.credit.budget
  private checkFlow(count: number): void {
    const now = performance.now();
    this.flowEntries += count;
    const { contentBytes, begunParts } = this.connection.sender;
    const budget = 1024 + ((now - this.startedAt) / 1000) * 10 + contentBytes / 1024 + begunParts;
    if (this.flowEntries > budget) {
      throw new LimitError('entries of Flow packets', this.flowEntries, Math.floor(budget), 'ext.credit.budget');
    }
  }
}
