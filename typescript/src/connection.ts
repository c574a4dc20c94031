import type { Socket } from 'node:net';

import { Arrivals } from './arrivals.js';
import { Calls } from './calls.js';
import { Clock } from './clock.js';
import { Credit } from './credit.js';
import { Decoder } from './decoder.js';
import { Closed, type CloseReason, ContentError, ProtocolError } from './errors.js';
import { Events } from './events.js';
import { LeaveReason, encodeLeave } from './extension/leave.js';
import { type Settings, encodeSettings, settingsOf } from './extension/settings.js';
import { Ids } from './ids.js';
import { Leaving } from './leaving.js';
import type { Arrival } from './message.js';
import { Msgpack } from './msgpack.js';
import type { ResolvedOptions } from './options.js';
import { Sender } from './outgoing.js';
import { Pings } from './pings.js';
import { Reading } from './reading.js';
import type { CallOptions, NotifyOptions, Request, RequestOptions } from './request.js';
import { Serving } from './serving.js';
import { OFFER_CHANNELS } from './wire.js';
import { Writing } from './writing.js';

/** How long the end of a connection may take after everything was said. */
const LINGER_MILLIS = 1000;

type Phase = 'opening' | 'open' | 'leaving' | 'closing' | 'closed';

/** A connection, on which both sides may send messages and answer them. */
export class Connection {
  /** @internal */
  readonly msgpack: Msgpack;
  /** Resolves with the reason when the connection has ended. */
  readonly closed: Promise<CloseReason>;
  /** @internal Resolves when both sides have said what they accept; rejects with the reason why not. */
  readonly opened: Promise<void>;

  private resolveClosed!: (reason: CloseReason) => void;
  private resolveOpened!: () => void;
  private rejectOpened!: (reason: CloseReason) => void;
  /** @internal */
  phase: Phase = 'opening';
  /** @internal Why it has ended. */
  reason: CloseReason | undefined;
  /** @internal */
  isExtended = false;
  /** @internal */
  hasPeerEnded = false;
  /** @internal */
  readonly ids = new Ids();
  /** @internal */
  readonly sender: Sender;
  /** @internal */
  readonly decoder: Decoder<Arrival>;
  /** @internal */
  readonly writing: Writing;
  /** @internal */
  readonly reading: Reading;
  /** @internal */
  readonly calls: Calls;
  /** @internal */
  readonly serving: Serving;
  /** @internal */
  readonly arrivals: Arrivals;
  /** @internal */
  readonly credit: Credit;
  /** @internal */
  readonly pings: Pings;
  /** @internal */
  readonly leaving: Leaving;
  /** @internal */
  readonly clock: Clock;

  /** @internal */
  constructor(
    /** @internal */
    readonly socket: Socket,
    /** @internal */
    readonly options: ResolvedOptions,
    /** @internal */
    readonly isServer: boolean,
  ) {
    this.msgpack = new Msgpack(
      { values: options.limits.msgpackValues, depth: options.limits.msgpackDepth },
      options.int64,
    );
    this.closed = new Promise((resolve) => {
      this.resolveClosed = resolve;
    });
    this.opened = new Promise((resolve, reject) => {
      this.resolveOpened = resolve;
      this.rejectOpened = reject;
    });
    this.opened.catch(() => undefined);
    const offers = options.extension !== 'off';
    this.writing = new Writing(this);
    this.reading = new Reading(this);
    this.calls = new Calls(this);
    this.serving = new Serving(this);
    this.arrivals = new Arrivals(this);
    this.credit = new Credit(this);
    this.pings = new Pings(this);
    this.leaving = new Leaving(this);
    this.sender = new Sender(this.writing.schedule);
    this.decoder = new Decoder(new Events(this), options.limits, offers, options.names);
    this.clock = new Clock(this);

    socket.setNoDelay(true);
    socket.on('data', this.reading.onBytes);
    socket.on('end', this.onEnd);
    socket.on('error', this.onError);
    socket.on('close', this.onClose);
    socket.on('drain', this.writing.onDrain);
    // header.immediate
    this.sender.encoder.connectionHeader(offers ? OFFER_CHANNELS : options.limits.channels, offers);
    this.writing.write();
  }

  /** Whether both sides use the extension. */
  get isExtensionActive(): boolean {
    return this.isExtended;
  }

  /** Whether requests may be sent. */
  get isOpen(): boolean {
    if (this.phase !== 'open' && this.phase !== 'opening') return false;
    return !this.leaving.isPeerLeaving && !this.hasPeerEnded && !this.sender.isExhausted;
  }

  /** The address of the peer, if it has one. */
  get remoteAddress(): string | undefined {
    const { remoteAddress, remotePort } = this.socket;
    return remoteAddress === undefined ? undefined : `${remoteAddress}:${remotePort}`;
  }

  /** Calls the peer. Resolves with the value of its answer, and rejects with a `CallError`. */
  call<T = unknown>(action: string, data?: unknown, options?: CallOptions): Promise<T> {
    return this.calls.call<T>(action, data, options);
  }

  /** Sends a message whose replies may be several, or have content. Its failure is that of its replies. */
  request(action: string, data?: unknown, options?: RequestOptions): Request {
    return this.calls.request(action, data, options);
  }

  /** Sends a message that is not answered. Resolves when all of it was queued for the socket. */
  notify(action: string, data?: unknown, options?: NotifyOptions): Promise<void> {
    return this.calls.notify(action, data, options);
  }

  /** The time to the peer and back, in milliseconds. Needs the extension. */
  ping(): Promise<number> {
    return this.pings.ping();
  }

  /**
   * Ends the connection in order: what is under way is finished, for `grace` milliseconds at most. Resolves when it
   * has ended.
   */
  async close(grace = 10_000): Promise<void> {
    if (this.phase === 'opening' && !this.leaving.hasSentLeave) this.finish({ kind: 'closed' });
    this.leaving.leave(LeaveReason.Shutdown, grace);
    await this.closed;
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.finish({ kind: 'closed' });
    this.socket.destroy();
  }

  /** @internal */
  onHeader(channels: number, isExtended: boolean): void {
    if (this.options.extension === 'required' && !isExtended) {
      throw new ProtocolError('ext.option', 'the peer does not offer the extension');
    }
    this.isExtended = isExtended;
    this.sender.start(channels, isExtended);
    if (isExtended) {
      const { limits, idleTimeout, timeout } = this.options;
      const deadline = timeout === null ? 0 : Math.min(timeout, 0xffff_ffff);
      this.sender.encoder.control(encodeSettings(settingsOf(limits, idleTimeout ?? 0, deadline)));
      this.writing.schedule();
    } else {
      this.onOpen();
    }
  }

  /** @internal */
  onSettings(settings: Settings): void {
    this.sender.onSettings(settings);
    if (settings.idleMillis > 0 && settings.idleMillis / 3 < this.options.heartbeat) {
      this.clock.quicken(settings.idleMillis / 3);
    }
    this.onOpen();
  }

  private onOpen(): void {
    if (this.phase !== 'opening') return;
    this.phase = 'open';
    this.resolveOpened();
    this.writing.schedule();
  }

  /** @internal Whether nothing is under way. */
  get isIdle(): boolean {
    return (
      this.calls.pending.size === 0 &&
      this.serving.executing === 0 &&
      this.serving.waiting.length === 0 &&
      this.serving.incoming.size === 0 &&
      this.sender.isIdle &&
      this.writing.outputBytes === 0 &&
      this.decoder.isBetweenMessages
    );
  }

  /** @internal Ends the connection because of the peer. */
  fail(reason: CloseReason, leave: number): void {
    if (this.reason !== undefined) return;
    if (this.isExtended && !this.writing.isBlocked && !this.socket.destroyed) {
      // ext.leave.last
      this.sender.encoder.control(encodeLeave(this.leaving.lastLeave(leave, '')));
    }
    this.finish(reason);
  }

  /** @internal */
  finish(reason: CloseReason): void {
    if (this.reason !== undefined) return;
    if (reason.kind === 'closed' && this.isExtended && this.leaving.hasSentLeave && !this.writing.isBlocked && !this.hasPeerEnded) {
      this.sender.encoder.control(encodeLeave(this.leaving.lastLeave(LeaveReason.Shutdown, '')));
    }
    if (!this.writing.isBlocked && !this.socket.destroyed && this.socket.writable) {
      const chunks = [...this.writing.output, ...this.sender.encoder.take()];
      this.writing.output.length = this.writing.outputBytes = 0;
      this.socket.cork();
      for (const chunk of chunks) {
        this.writing.written += chunk.length;
        this.socket.write(chunk);
      }
      this.socket.uncork();
    }
    this.reason = reason;
    const wasOpening = this.phase === 'opening';
    this.phase = 'closed';
    this.clock.stop();
    const error = new Closed(reason);
    for (const pending of [...this.calls.pending.values()]) {
      pending.outgoing.onDone = undefined;
      const { position } = pending.outgoing;
      pending.fail({ kind: 'closed', reason }, position < 0 || position >= this.writing.written ? 'not-sent' : 'unknown');
    }
    this.sender.close(error);
    const content = new ContentError({ kind: 'closed', reason });
    for (const arrival of this.arrivals.arriving) arrival.failContent(content);
    this.arrivals.arriving.clear();
    for (const message of this.serving.incoming.values()) {
      clearTimeout(message.timer);
      message.cancel(error);
    }
    this.serving.incoming.clear();
    this.serving.waiting = [];
    this.serving.late.end();
    for (const ping of this.pings.waiting) ping.resolve(Number.NaN);
    if (wasOpening) this.rejectOpened(reason);
    this.resolveClosed(reason);
    // The peer reads what was written last only if nothing of it is left unread here.
    if (this.socket.destroyed) return;
    this.socket.resume();
    this.socket.end();
    const destroy = setTimeout(() => this.socket.destroy(), LINGER_MILLIS);
    this.socket.once('close', () => clearTimeout(destroy));
    if (this.hasPeerEnded) this.socket.destroySoon();
  }

  private readonly onEnd = (): void => {
    if (this.reason !== undefined) return;
    this.hasPeerEnded = true;
    const reason: CloseReason = { kind: 'peer', message: 'the peer has ended the connection' };
    if (this.phase === 'opening' || !this.decoder.isBetweenMessages) {
      this.finish(reason);
      return;
    }
    // No reply comes any more, but those of this side are still read.
    for (const pending of [...this.calls.pending.values()]) {
      pending.outgoing.onDone = undefined;
      pending.fail({ kind: 'closed', reason }, pending.outgoing.number < 0 ? 'not-sent' : 'unknown');
    }
    if (this.isIdle) {
      this.finish(reason);
      return;
    }
    this.leaving.hasSentLeave = true;
    this.phase = 'leaving';
    this.leaving.leaveAt = performance.now();
    this.leaving.leaveDeadline = this.leaving.leaveAt + 10_000;
    this.writing.schedule();
  };

  private readonly onError = (error: Error): void => {
    this.finish({ kind: 'socket', error });
  };

  private readonly onClose = (): void => {
    this.finish({ kind: 'peer', message: 'the connection was cut' });
  };
}
