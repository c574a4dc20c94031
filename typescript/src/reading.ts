import type { Connection } from './connection.js';
import { LimitError, ProtocolError } from './errors.js';
import { LeaveReason } from './extension/leave.js';
import { Bucket } from './ids.js';

/** Without credit: the most unread content of a message, as a multiple of its window. */
const UNREAD_WINDOWS = 16;
/** What is read from a socket at a time. */
const READ_BYTES = 64 * 1024;
/** Packets that nobody needs, at once and each second. */
const USELESS = 600;
const USELESS_RATE = 60;

/** Hands what the socket reads to the decoder, and holds the socket back when there is no room for more. */
export class Reading {
  private readonly useless = new Bucket(USELESS, USELESS_RATE);
  /** When the socket was read last, by the clock of the connection. */
  readAt = 1;
  /** The same by `performance.now()`, if the extension is offered. */
  arrivedAt = 0;
  pausedAt = 0;
  /** Whether the socket had no more than what was read last. */
  isDrained = true;
  isOutputFull = false;
  isPaused = false;

  constructor(private readonly connection: Connection) {}

  readonly onBytes = (bytes: Buffer): void => {
    const { connection } = this;
    if (connection.reason !== undefined) return;
    this.readAt = connection.clock.now;
    this.isDrained = bytes.length < READ_BYTES;
    // Before it is known: a request may come with the header that says it.
    if (connection.options.extension !== 'off') this.arrivedAt = performance.now();
    try {
      connection.decoder.push(bytes);
    } catch (error) {
      if (error instanceof ProtocolError) connection.fail({ kind: 'protocol', error }, LeaveReason.Protocol);
      else if (error instanceof LimitError) connection.fail({ kind: 'limit', error }, LeaveReason.Limit);
      else connection.fail({ kind: 'socket', error: error as Error }, LeaveReason.Internal);
      return;
    }
    if (connection.serving.waiting.length > 0) setImmediate(connection.serving.runWaiting);
    if (connection.writing.isBlocked && connection.sender.isFull) {
      this.isOutputFull = true;
      this.update();
    }
    if (!connection.isExtended) this.checkUnread();
  };

  /** Without credit, the socket alone holds back a peer that sends content that nobody reads. */
  checkUnread(): void {
    const { connection } = this;
    if (connection.arrivals.arriving.size === 0 && this.pausedAt === 0) return;
    const { messageWindow, connectionWindow } = connection.options.limits;
    let isFull = false;
    let sum = 0;
    for (const arrival of connection.arrivals.arriving) {
      const { unread } = arrival;
      sum += unread;
      // A reader that waits for one part may have left another: it is waited for that one.
      if (unread > UNREAD_WINDOWS * messageWindow && !arrival.isAwaited) isFull = true;
    }
    isFull ||= sum > connectionWindow;
    if (isFull === this.pausedAt > 0) return;
    this.pausedAt = isFull ? connection.clock.now : 0;
    this.update();
  }

  /** Reads nothing while there is no room for what is read, or for the answers to it. */
  update(): void {
    const { connection } = this;
    const isPaused = this.pausedAt > 0 || this.isOutputFull;
    if (isPaused === this.isPaused) return;
    this.isPaused = isPaused;
    this.readAt = connection.clock.now;
    if (isPaused) connection.socket.pause();
    else connection.socket.resume();
  }

  onUseless(): void {
    if (this.useless.add()) throw new LimitError('useless packets', USELESS + 1, USELESS, 'limits.abuse');
  }
}
