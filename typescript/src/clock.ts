import { Code } from './codes.js';
import type { Connection } from './connection.js';
import { ContentError, LimitError } from './errors.js';
import { LeaveReason } from './extension/leave.js';
import { GRACE_MILLIS } from './leaving.js';

/** What waits for time: of the peer, of readers, of callers. */
export class Clock {
  /**
   * Milliseconds that this process has run, by its ticks. A late tick adds little, so that a process that was held up
   * reads before it judges its peer.
   */
  now = 1;

  private tickedAt = performance.now();
  interval: number;
  private headerSince = 0;
  private timer: NodeJS.Timeout;

  constructor(private readonly connection: Connection) {
    this.interval = Math.min(1000, Math.max(50, connection.options.heartbeat / 4));
    this.timer = setInterval(this.tick, this.interval);
  }

  /** Ticks often enough to keep a peer that expects heartbeats at this interval. */
  quicken(millis: number): void {
    clearInterval(this.timer);
    this.interval = Math.max(50, Math.min(1000, millis / 4));
    this.timer = setInterval(this.tick, this.interval);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** What waits for time. */
  readonly tick = (): void => {
    const { connection } = this;
    const real = performance.now();
    this.now += Math.min(real - this.tickedAt, 2 * this.interval);
    this.tickedAt = real;
    const now = this.now;
    const { options, sender } = connection;
    if (connection.phase === 'opening') {
      if (now > options.connectTimeout) {
        connection.fail({ kind: 'idle', millis: options.connectTimeout }, LeaveReason.Idle);
      }
      return;
    }
    if (connection.phase === 'closed') return;
    if (connection.writing.isBlocked) {
      const buffered = connection.socket.writableLength;
      if (buffered < connection.writing.lastBuffered || connection.writing.lastBuffered === 0) connection.writing.progressAt = now;
      connection.writing.lastBuffered = buffered;
      if (now - connection.writing.progressAt > options.writeTimeout) {
        connection.finish({ kind: 'stalled', millis: options.writeTimeout });
        connection.socket.destroy();
        return;
      }
    } else {
      connection.writing.lastBuffered = 0;
    }
    const { idleTimeout } = options;
    if (idleTimeout !== null && !connection.reading.isPaused && now - connection.reading.readAt > idleTimeout) {
      connection.fail({ kind: 'idle', millis: idleTimeout }, LeaveReason.Idle);
      return;
    }
    const idleMillis = sender.settings?.idleMillis ?? 0;
    // ext.ping.use
    const heartbeat = idleMillis > 0 ? Math.min(options.heartbeat, idleMillis / 3) : options.heartbeat;
    if (now - connection.writing.writtenAt >= heartbeat - this.interval && !connection.writing.isBlocked) {
      sender.encoder.heartbeat();
      connection.writing.schedule();
    }
    for (const pending of connection.calls.pending.values()) {
      if (pending.deadline <= now) pending.timeOut();
    }
    for (const message of connection.serving.incoming.values()) connection.serving.watchDeadline(message);
    const stalled = sender.stalled(now);
    if (stalled !== undefined) sender.abort(stalled, new ContentError({ kind: 'slow' }), Code.SlowConsumer);
    this.checkArriving(now);
    connection.leaving.advance();
    if (connection.isServer && connection.phase === 'open' && sender.isWornOut) connection.leaving.leave(LeaveReason.Shutdown, GRACE_MILLIS);
  };

  /** Headers, payloads and readers that take too long. */
  private checkArriving(now: number): void {
    const { connection } = this;
    const { options } = connection;
    if (!connection.decoder.isInHeader) this.headerSince = 0;
    else if (this.headerSince === 0) this.headerSince = now;
    else if (now - this.headerSince > options.headerTimeout) {
      const error = new LimitError('milliseconds for a header', Math.floor(now - this.headerSince), options.headerTimeout, 'head.cut');
      connection.fail({ kind: 'limit', error }, LeaveReason.Limit);
      return;
    }
    for (const arrival of [...connection.arrivals.arriving]) {
      if (arrival.isWhole && arrival.unread === 0) connection.arrivals.arriving.delete(arrival);
      else if (!arrival.isBegun && !arrival.isDiscarded && now - arrival.touched > options.progressTimeout) {
        const error = new LimitError('milliseconds without a byte', Math.floor(now - arrival.touched), options.progressTimeout);
        connection.arrivals.refuseArrival(arrival, error, Code.BadRequest);
      }
    }
    if (connection.reading.pausedAt === 0) return;
    const hasOthers = connection.calls.pending.size > 0 || connection.serving.incoming.size > 1;
    const patience = hasOthers ? Math.min(5000, options.readTimeout) : options.readTimeout;
    if (now - connection.reading.pausedAt <= patience) return;
    for (const arrival of [...connection.arrivals.arriving]) {
      const limit = options.limits.messageWindow;
      if (arrival.unread <= limit) continue;
      connection.arrivals.refuseArrival(arrival, new LimitError('bytes that nobody reads', arrival.unread, limit), Code.SlowConsumer);
    }
  }
}
