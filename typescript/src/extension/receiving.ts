import { ProtocolError } from '../errors.js';
import { U48_MAX } from '../limits.js';
import { type FlowEntry, STREAM } from './flow.js';

/** Bytes that a lifeline allows, and the least that a reader is granted that waits. */
const LIFELINE = 4096;

const enum State {
  Open,
  StopDue,
  Stopped,
  Ended,
  /** It was stopped, and has ended. */
  Gone,
}

interface Received {
  received: number;
  /** The largest limit that was sent. */
  limit: number;
  /** The largest limit that the sender is known to have had. */
  known: number;
  unread: number;
  /** By how much limits are ahead of the reader. */
  extra: number;
  /** Whether that has grown since `known` changed. */
  hasGrown: boolean;
  lifeline: number;
  state: State;
  isWaiting: boolean;
}

interface Message {
  readonly hasStream: boolean;
  readonly files: number;
  readonly parts: Map<number, Received>;
  /** Bytes beyond the limits of the parts. */
  used: number;
  /** Bytes beyond the limits that the sender is known to have had. */
  known: number;
  /** Bytes that limits are, or may be, ahead of readers. */
  ahead: number;
  /** Bytes that readers have taken beyond the limits. */
  owed: number;
  unread: number;
  /** Bytes of files that are still to come. */
  toCome: number;
  /** Parts that have not ended. */
  open: number;
  waiting: number;
  stop: 'no' | 'due' | 'sent';
  /** Files below this one have ended and were read, and were released. */
  released: number;
}

/** How much the peer may send before readers have taken it, in bytes. */
export interface Windows {
  /** The content of a message beyond the limits of its parts, as Settings announce it. */
  readonly message: number;
  /** The same with what limits are ahead of readers. It grows to this while a reader is faster than credit arrives. */
  readonly messageMax: number;
  /** The content of all messages, as Settings announce it. */
  readonly connection: number;
}

/** The credit of the content that a side receives (`ext.credit`). Arithmetic alone. */
export class Receiving {
  private readonly window: number;
  private total = 0;
  private limit: number;
  private unread = 0;
  private slack = 0;
  private readonly messages = new Map<number, Message>();
  /** Messages for which something may be due. */
  private touched = new Set<number>();
  private starving: [number, number][] = [];

  constructor(private readonly windows: Windows) {
    this.window = windows.message;
    this.limit = windows.connection;
  }

  begin(number: number, hasStream: boolean, files: number, toCome: number): void {
    const open = files + (hasStream ? 1 : 0);
    if (open === 0) return;
    this.messages.set(number, {
      hasStream,
      files,
      parts: new Map(),
      used: 0,
      known: 0,
      ahead: 0,
      owed: 0,
      unread: 0,
      toCome,
      open,
      waiting: 0,
      stop: 'no',
      released: 0,
    });
  }

  /** Content of a part was read. Returns whether a reader may take it. */
  received(number: number, part: number, bytes: number): boolean {
    const message = this.messages.get(number);
    if (message === undefined) {
      this.count(bytes);
      return false;
    }
    if (part !== STREAM) message.toCome -= bytes;
    const record = this.record(message, part);
    // ext.credit.lifeline
    const free = Math.min(record.lifeline, bytes);
    record.lifeline -= free;
    const counts = message.stop === 'no' && isCounted(record);
    const isKept = counts && record.state === State.Open;
    const { known } = message;
    this.leave(message, record);
    record.received += bytes;
    if (isKept) record.unread += bytes;
    this.enter(message, record);
    if (isKept) this.unread += bytes;
    // ext.credit.message
    if (counts && message.used > this.window) {
      throw new ProtocolError(
        'ext.credit.message',
        `message ${number} has used ${message.used} bytes of its window of ${this.window}`,
      );
    }
    this.count(bytes - free);
    if (message.known > this.window) this.knowLimits(message);
    // Other parts of this message may be blocked now while their readers wait.
    if (message.waiting > 0 && message.known > known && message.known >= this.window) this.touched.add(number);
    return isKept;
  }

  /** Content was dropped as its message was refused before it was announced. */
  dropped(bytes: number): void {
    this.count(bytes);
  }

  // ext.credit.connection
  private count(bytes: number): void {
    this.total += bytes;
    if (this.total > this.limit + this.slack) {
      throw new ProtocolError(
        'ext.credit.connection',
        `${this.total} bytes of content on the connection: its limit is ${this.limit}`,
      );
    }
  }

  taken(number: number, part: number, bytes: number): void {
    const message = this.wanted(number);
    const record = message?.parts.get(part);
    if (message === undefined || record === undefined) return;
    this.rest(message, record);
    const least = Math.min(bytes, record.unread);
    this.leave(message, record);
    record.unread -= least;
    this.enter(message, record);
    this.unread -= least;
    this.touch(number, message, record);
    this.forget(number, message);
  }

  /** A reader has found nothing to read. */
  waits(number: number, part: number): void {
    const message = this.wanted(number);
    if (message === undefined) return;
    const record = this.record(message, part);
    if (!record.isWaiting) {
      record.isWaiting = true;
      message.waiting++;
    }
    if (record.unread > 0 || record.state !== State.Open) return;
    if (message.known >= this.window && record.received >= record.known) this.touched.add(number);
    if (record.lifeline === 0) this.starving.push([number, part]);
  }

  private rest(message: Message, record: Received): void {
    if (!record.isWaiting) return;
    record.isWaiting = false;
    message.waiting--;
  }

  /** The reader of a part is gone. */
  stop(number: number, part: number): void {
    const message = this.wanted(number);
    if (message === undefined || (part !== STREAM && part < message.released)) return;
    const record = this.record(message, part);
    this.rest(message, record);
    const unread = record.unread;
    const isOpen = record.state === State.Open;
    this.leave(message, record);
    record.unread = 0;
    if (isOpen) record.state = State.StopDue;
    this.enter(message, record);
    this.unread -= unread;
    this.touched.add(number);
    this.forget(number, message);
  }

  /** Nobody will read a message. */
  stopMessage(number: number): void {
    const message = this.wanted(number);
    if (message === undefined) return;
    this.unread -= message.unread;
    message.unread = message.used = message.known = message.ahead = message.owed = 0;
    message.stop = 'due';
    if (message.open > 0) this.touched.add(number);
    else this.messages.delete(number);
  }

  end(number: number, part: number): void {
    const message = this.messages.get(number);
    if (message === undefined) return;
    if (message.stop === 'no') {
      const record = this.record(message, part);
      this.rest(message, record);
      this.leave(message, record);
      record.state = record.state === State.Stopped ? State.Gone : State.Ended;
      this.enter(message, record);
      this.touch(number, message, record);
    }
    message.open--;
    this.forget(number, message);
  }

  /** A message was aborted by its sender. */
  over(number: number): void {
    const message = this.messages.get(number);
    if (message === undefined) return;
    if (message.stop === 'no') this.unread -= message.unread;
    // What is on its way below a lifeline does not count for the sender.
    for (const record of message.parts.values()) this.slack += record.lifeline;
    this.messages.delete(number);
  }

  private forget(number: number, message: Message): void {
    if (message.open === 0 && (message.stop !== 'no' || message.unread === 0)) this.messages.delete(number);
  }

  /** The sender has used limits beyond the known ones, so it has had them all. */
  private knowLimits(message: Message): void {
    for (const record of message.parts.values()) {
      record.known = record.limit;
      record.hasGrown = false;
    }
    message.known = message.used;
  }

  /**
   * The entries that are due. Each is granted, so it must be written. `isIdle` says that the socket has nothing more
   * to read, so that a reader that waits does so for the peer.
   */
  due(isIdle: boolean): FlowEntry[] {
    const entries: FlowEntry[] = [];
    // ext.credit.when
    const quarter = Math.ceil(this.windows.connection / 4);
    this.raise(quarter, entries);
    this.feed(entries);
    if (this.touched.size > 0) {
      const { touched } = this;
      this.touched = new Set();
      for (const number of touched) {
        const message = this.messages.get(number);
        if (message !== undefined && this.visit(number, message, isIdle, entries)) this.touched.add(number);
      }
    }
    if (entries.length > 0) this.raise(Math.ceil(quarter / 2), entries);
    return entries;
  }

  private raise(least: number, entries: FlowEntry[]): boolean {
    const limit = Math.min(this.total + this.windows.connection - this.unread, U48_MAX);
    if (limit - this.limit < least) return false;
    this.limit = limit;
    entries.push({ kind: 'connection', limit });
    return true;
  }

  // ext.credit.starved
  private feed(entries: FlowEntry[]): void {
    if (this.starving.length === 0 || this.total < this.limit) {
      // Those that do not wait any more need nothing later either.
      if (this.starving.length > 64) this.starving = this.starving.filter((place) => this.starved(place) !== undefined);
      return;
    }
    const starving = this.starving;
    this.starving = [];
    for (const [place, at] of starving.entries()) {
      const record = this.starved(at);
      if (record === undefined) continue;
      if (this.total < this.limit || this.raise(LIFELINE, entries)) {
        this.starving.push(...starving.slice(place));
        return;
      }
      const [number, part] = at;
      const limit = Math.min(record.received + LIFELINE, U48_MAX);
      record.lifeline = limit - record.received;
      const message = this.messages.get(number) as Message;
      this.leave(message, record);
      record.limit = Math.max(record.limit, limit);
      this.enter(message, record);
      entries.push({ kind: 'part', number: number % 2 ** 32, part, limit, isLifeline: true });
    }
  }

  /** The record of a part whose reader waits, without a lifeline, for something that is still to come. */
  private starved([number, part]: [number, number]): Received | undefined {
    const message = this.wanted(number);
    const record = message?.parts.get(part);
    if (message === undefined || record === undefined) return undefined;
    const hasArrived = part !== STREAM && message.toCome <= 0;
    const isStarved = record.isWaiting && record.unread === 0 && record.state === State.Open && record.lifeline === 0;
    return isStarved && !hasArrived ? record : undefined;
  }

  /** Returns whether it is to be visited again when the socket has nothing more to read. */
  private visit(number: number, message: Message, isIdle: boolean, entries: FlowEntry[]): boolean {
    const short = number % 2 ** 32;
    if (message.stop !== 'no') {
      if (message.stop === 'due') entries.push({ kind: 'stop', number: short, part: undefined });
      message.stop = 'sent';
      return false;
    }
    // What is unread of all messages leaves room for more.
    const isRoomy = this.unread * 2 <= this.windows.connection;
    let isStarved = false;
    let isHeld = false;
    for (const [part, record] of message.parts) {
      if (record.state === State.StopDue) {
        // ext.stop.once
        this.leave(message, record);
        record.state = State.Stopped;
        this.enter(message, record);
        entries.push({ kind: 'stop', number: short, part });
        continue;
      }
      if (record.state !== State.Open) continue;
      const own = Math.max(0, record.limit - record.received) + Math.max(0, this.window - message.used);
      if (this.isCovered(message, own)) continue;
      const waits = record.isWaiting && record.unread === 0;
      const isBlocked = waits && own === 0;
      isStarved ||= isBlocked;
      let grows = false;
      // ext.credit.growth
      if (!isRoomy) {
        this.setExtra(message, record, 0);
      } else if (
        waits &&
        !record.hasGrown &&
        this.total < this.limit &&
        message.known >= this.window &&
        record.received >= record.known
      ) {
        if (isIdle) grows = this.grow(message, record);
        else isHeld = true;
      }
      // ext.credit.when
      let isDue = rise(record) >= this.step(record);
      if (isDue && record.unread * 2 >= this.window + record.extra) {
        this.setExtra(message, record, Math.floor(record.extra / 2));
        isDue = rise(record) >= this.step(record);
      }
      let { limit } = record;
      if (isDue || grows || isBlocked) limit = Math.max(limit, target(record));
      // ext.credit.starved
      if (isBlocked) limit = Math.max(limit, record.received - record.unread + LIFELINE);
      this.grant(short, message, part, record, Math.min(limit, U48_MAX), entries);
    }
    if (isStarved || message.owed >= this.half) this.release(short, message, entries);
    return isHeld;
  }

  /** Doubles the window of a part, as far as the other parts of its message leave room. Returns whether it grew. */
  private grow(message: Message, record: Received): boolean {
    record.hasGrown = true;
    const others = message.ahead - aheadOf(record);
    const window = Math.min(2 * (this.window + record.extra), this.windows.messageMax) - others;
    const extra = window - this.window;
    if (extra <= record.extra) return false;
    this.setExtra(message, record, extra);
    return true;
  }

  private setExtra(message: Message, record: Received, extra: number): void {
    if (extra === record.extra) return;
    this.leave(message, record);
    record.extra = extra;
    this.enter(message, record);
  }

  /** Releases what readers have taken of all parts. */
  private release(short: number, message: Message, entries: FlowEntry[]): void {
    if (this.isCovered(message, 0)) return;
    let below = message.released;
    let isWorth = false;
    for (; below < message.files; below++) {
      const record = message.parts.get(below);
      if (record === undefined || record.state !== State.Ended || record.unread > 0) break;
      isWorth ||= record.received > record.limit;
      this.leave(message, record);
      record.limit = Math.max(record.limit, record.received);
      this.enter(message, record);
    }
    if (isWorth) entries.push({ kind: 'files-below', number: short, index: below });
    for (let file = message.released; file < below; file++) message.parts.delete(file);
    message.released = below;
    for (const [part, record] of message.parts) {
      if (record.state !== State.Open && record.state !== State.Ended) continue;
      const isDone = record.state === State.Ended && record.unread === 0;
      if (rise(record) >= LIFELINE / 2 || (isDone && rise(record) > 0)) {
        this.grant(short, message, part, record, target(record), entries);
      }
    }
  }

  private grant(
    number: number,
    message: Message,
    part: number,
    record: Received,
    limit: number,
    entries: FlowEntry[],
  ): void {
    if (limit <= record.limit) return;
    this.leave(message, record);
    record.limit = limit;
    this.enter(message, record);
    entries.push({ kind: 'part', number, part, limit, isLifeline: false });
  }

  /** Whether the sender needs no more credit for what is still to come (`ext.credit.enough`). */
  private isCovered(message: Message, own: number): boolean {
    const stream = message.hasStream ? message.parts.get(STREAM) : undefined;
    if (message.hasStream && (stream === undefined || stream.state === State.Open)) return false;
    const beyond = this.window - message.used;
    return message.toCome <= beyond || (message.open === 1 && message.toCome <= own);
  }

  private get half(): number {
    return Math.ceil(this.window / 2);
  }

  /** By how much the limit of a part has to rise to be worth an entry. */
  private step(record: Received): number {
    return Math.max(Math.floor((this.window + record.extra) / 8), this.half);
  }

  private touch(number: number, message: Message, record: Received): void {
    const rises = record.state === State.Open && rise(record) >= this.step(record);
    if (rises || message.owed >= this.half) this.touched.add(number);
  }

  private wanted(number: number): Message | undefined {
    const message = this.messages.get(number);
    return message?.stop === 'no' ? message : undefined;
  }

  private record(message: Message, part: number): Received {
    let record = message.parts.get(part);
    if (record === undefined) {
      record = {
        received: 0,
        limit: 0,
        known: 0,
        unread: 0,
        extra: 0,
        hasGrown: false,
        lifeline: 0,
        state: State.Open,
        isWaiting: false,
      };
      message.parts.set(part, record);
    }
    return record;
  }

  /** Takes a record out of the sums over all of its message, to be changed. */
  private leave(message: Message, record: Received): void {
    if (message.stop === 'no') this.add(message, record, -1);
  }

  /** Puts it back. */
  private enter(message: Message, record: Received): void {
    if (message.stop === 'no') this.add(message, record, 1);
  }

  private add(message: Message, record: Received, sign: number): void {
    if (!isCounted(record)) return;
    message.used += sign * Math.max(0, record.received - record.limit);
    message.known += sign * Math.max(0, record.received - record.known);
    message.ahead += sign * aheadOf(record);
    message.owed += sign * Math.max(0, record.received - record.unread - record.limit);
    message.unread += sign * record.unread;
  }
}

/** Whether a part counts to the window of its message. */
function isCounted(record: Received): boolean {
  return record.state === State.Open || record.state === State.StopDue || record.state === State.Ended;
}

/** Bytes that the limit of a part is, or may be, ahead of its reader. */
function aheadOf(record: Received): number {
  const taken = record.received - record.unread;
  if (record.state === State.Open) return Math.max(record.limit - taken, record.extra);
  // All of it has arrived, or will be dropped.
  return Math.max(0, Math.min(record.limit, record.received) - taken);
}

/** What the limit of a part can be raised to. */
function target(record: Received): number {
  const extra = record.state === State.Open ? record.extra : 0;
  return Math.min(record.received - record.unread + extra, U48_MAX);
}

/** By how much it can be raised. */
function rise(record: Received): number {
  return target(record) - record.limit;
}
