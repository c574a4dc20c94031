import type { Connection } from './connection.js';

/**
 * What is handed to the socket at a time: what a slow peer takes before it is considered stalled, and more for one that
 * has taken that at once, as each write costs a turn of the event loop.
 */
const WRITE_BYTES = 512 * 1024;
const MOST_WRITE_BYTES = 2 * 1024 * 1024;

/** Hands what is queued to the socket, in one write for all that a turn of the event loop queues. */
export class Writing {
  readonly output: Uint8Array[] = [];
  outputBytes = 0;
  /** Bytes that were handed to the socket. */
  written = 0;
  private isScheduled = false;
  isBlocked = false;
  private most = WRITE_BYTES;
  writtenAt = 1;
  progressAt = 1;
  lastBuffered = 0;

  constructor(private readonly connection: Connection) {}

  /** Writes when nothing else is to be done, so that what is sent meanwhile leaves together. */
  readonly schedule = (): void => {
    if (this.isScheduled || this.connection.phase === 'closed') return;
    this.isScheduled = true;
    queueMicrotask(this.afterMicrotasks);
  };

  private readonly afterMicrotasks = (): void => {
    process.nextTick(this.flush);
  };

  private readonly flush = (): void => {
    const { connection } = this;
    this.isScheduled = false;
    if (connection.phase === 'closed') return;
    if (connection.isExtended && connection.sender.settings !== undefined) {
      connection.credit.encode();
      connection.pings.encode();
    }
    this.write();
    if (connection.reading.isOutputFull && !connection.sender.isFull) {
      connection.reading.isOutputFull = false;
      connection.reading.update();
    }
    connection.leaving.advance();
  };

  write(): void {
    const { connection, output } = this;
    const { sender, socket } = connection;
    const { encoder } = sender;
    while (!this.isBlocked) {
      if (this.outputBytes < this.most) {
        sender.pump();
        const bytes = encoder.queued;
        if (bytes > 0) {
          this.outputBytes += bytes;
          output.push(...encoder.take());
        }
      }
      if (connection.leaving.owesDone && !sender.hasQueuedMessages) {
        connection.leaving.owesDone = false;
        connection.leaving.hasSentDone = true;
        encoder.control(Uint8Array.of(3));
        continue;
      }
      if (this.outputBytes === 0) return;
      const { most } = this;
      let left = most;
      this.writtenAt = connection.clock.now;
      if (output.length === 1 && this.outputBytes <= left) {
        this.written += this.outputBytes;
        this.outputBytes = 0;
        this.isBlocked = !socket.write(output.pop() as Uint8Array);
      } else {
        socket.cork();
        let count = 0;
        while (left > 0 && count < output.length) {
          let chunk = output[count];
          if (chunk.length > left) {
            output[count] = chunk.subarray(left);
            chunk = chunk.subarray(0, left);
          } else {
            count++;
          }
          left -= chunk.length;
          this.isBlocked = !socket.write(chunk);
        }
        output.splice(0, count);
        const bytes = most - left;
        this.written += bytes;
        this.outputBytes -= bytes;
        socket.uncork();
        // `write` said so while the socket was corked.
        this.isBlocked = socket.writableNeedDrain;
      }
      if (this.isBlocked) this.progressAt = this.writtenAt;
    }
  }

  readonly onDrain = (): void => {
    this.isBlocked = false;
    const isFast = this.connection.clock.now === this.progressAt;
    this.most = isFast ? Math.min(2 * this.most, MOST_WRITE_BYTES) : WRITE_BYTES;
    if (this.isScheduled || this.connection.phase === 'closed') return;
    this.isScheduled = true;
    // A fast peer drains the socket at once: what it sends is read in between.
    setImmediate(this.flush);
  };
}
