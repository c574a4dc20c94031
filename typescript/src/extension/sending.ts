import { ProtocolError } from '../errors.js';
import { STREAM } from './flow.js';

/** What a side knows of a part that it sends. */
interface Sent {
  sent: number;
  limit: number;
  /** Bytes below this do not count to the limit of the connection. */
  free: number;
  hasEnded: boolean;
  isStopped: boolean;
}

interface Message {
  /** Bytes of its parts beyond their limits. */
  used: number;
  readonly hasStream: boolean;
  readonly files: number;
  readonly parts: Map<number, Sent>;
  /** Files below this one were released. */
  released: number;
}

/** What an entry is about. */
export type Effect = 'over' | 'grown' | 'useless' | 'stop';

/** The credit of the content that a side sends (`ext.credit`). Arithmetic alone. */
export class Sending {
  private window = 0;
  private limit = 0;
  private total = 0;
  private readonly messages = new Map<number, Message>();

  /** The peer's settings were read. */
  open(window: number, connection: number): void {
    this.window = window;
    this.limit = Math.max(this.limit, connection);
  }

  begin(number: number, hasStream: boolean, files: number): void {
    if (!hasStream && files === 0) return;
    this.messages.set(number, { used: 0, hasStream, files, parts: new Map(), released: 0 });
  }

  over(number: number): void {
    this.messages.delete(number);
  }

  /** Bytes of a part that may be sent now. */
  credit(number: number, part: number): number {
    const message = this.messages.get(number);
    if (message === undefined) return 0;
    const record = message.parts.get(part);
    const sent = record?.sent ?? 0;
    if (record?.hasEnded === true || record?.isStopped === true) return 0;
    const own = Math.max(0, (record?.limit ?? 0) - sent) + Math.max(0, this.window - message.used);
    const all = Math.max(0, (record?.free ?? 0) - sent) + Math.max(0, this.limit - this.total);
    return Math.min(own, all);
  }

  /** Whether nothing may be sent though the window of the message is not used up. */
  get isConnectionUsedUp(): boolean {
    return this.total >= this.limit;
  }

  sent(number: number, part: number, bytes: number): void {
    const message = this.messages.get(number);
    if (message === undefined) {
      this.total += bytes;
      return;
    }
    const record = this.record(message, part);
    // ext.credit.lifeline
    const free = Math.min(Math.max(0, record.free - record.sent), bytes);
    this.total += bytes - free;
    message.used -= usedOf(record);
    record.sent += bytes;
    message.used += usedOf(record);
  }

  end(number: number, part: number): void {
    const message = this.messages.get(number);
    if (message !== undefined) this.record(message, part).hasEnded = true;
  }

  connection(limit: number): Effect {
    if (limit <= this.limit) return 'useless';
    this.limit = limit;
    return 'grown';
  }

  grow(number: number, part: number, limit: number, isLifeline: boolean): Effect {
    const message = this.messages.get(number);
    if (message === undefined) return 'over';
    const record = this.announced(message, number, part);
    if (limit <= record.limit && !(isLifeline && limit > record.free)) return 'useless';
    message.used -= usedOf(record);
    record.limit = Math.max(record.limit, limit);
    if (isLifeline) record.free = Math.max(record.free, limit);
    message.used += usedOf(record);
    return 'grown';
  }

  // ext.credit.enough
  release(number: number, index: number): Effect {
    const message = this.messages.get(number);
    if (message === undefined) return 'over';
    if (index > message.files) throw unannounced(number, index);
    if (index <= message.released) return 'useless';
    for (let file = message.released; file < index; file++) {
      const record = message.parts.get(file);
      if (record === undefined || !record.hasEnded) {
        throw new ProtocolError('ext.credit.enough', `file ${file} of message ${number} is released before its end`);
      }
      message.used -= usedOf(record);
      record.limit = record.sent;
    }
    message.released = index;
    return 'grown';
  }

  // ext.stop
  stop(number: number, part: number): Effect {
    const message = this.messages.get(number);
    if (message === undefined) return 'over';
    const record = this.announced(message, number, part);
    if (record.isStopped) return 'useless';
    message.used -= usedOf(record);
    record.isStopped = true;
    return record.hasEnded ? 'over' : 'stop';
  }

  private announced(message: Message, number: number, part: number): Sent {
    if (part === STREAM ? !message.hasStream : part >= message.files) throw unannounced(number, part);
    return this.record(message, part);
  }

  private record(message: Message, part: number): Sent {
    let record = message.parts.get(part);
    if (record === undefined) {
      record = { sent: 0, limit: 0, free: 0, hasEnded: false, isStopped: false };
      message.parts.set(part, record);
    }
    return record;
  }
}

/** Bytes beyond the limit. A part that was stopped counts no more. */
function usedOf(record: Sent): number {
  return record.isStopped ? 0 : Math.max(0, record.sent - record.limit);
}

function unannounced(number: number, part: number): ProtocolError {
  const what = part === STREAM ? 'a stream' : `file ${part}`;
  return new ProtocolError('ext.credit.grows', `message ${number} has announced no such part: ${what}`);
}
