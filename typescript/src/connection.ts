import type { Socket } from 'node:net';

import { Code } from './codes.js';
import { Decoder, numberBelow } from './decoder.js';
import {
  CallError,
  type CallReason,
  type CloseReason,
  ContentError,
  LimitError,
  type Outcome,
  ProtocolError,
  Refusal,
  ServiceError,
} from './errors.js';
import { Events } from './events.js';
import { type FlowEntry, STREAM } from './extension/flow.js';
import { type Leave, LeaveReason, encodeLeave } from './extension/leave.js';
import { type Metadata, NO_METADATA } from './extension/metadata.js';
import { Receiving } from './extension/receiving.js';
import { type Settings, encodeSettings, settingsOf } from './extension/settings.js';
import { sized } from './files.js';
import { Bucket, Ids } from './ids.js';
import { IncomingFile, type Readers, refusedContent } from './intake.js';
import {
  type Arrival,
  FastReply,
  type Handler,
  IncomingMessage,
  type MessageContent,
  Respond,
  Response,
  codeOfContentError,
  metadataOf,
} from './message.js';
import { Msgpack } from './msgpack.js';
import type { ResolvedOptions } from './options.js';
import { Outgoing, Sender } from './outgoing.js';
import { type CallOptions, type NotifyOptions, type Pending, PendingCall, Request, type RequestOptions } from './request.js';
import type { Head, Identity } from './sink.js';
import { EMPTY, OFFER_CHANNELS } from './wire.js';

/** What is handed to the socket at a time. */
const WRITE_BYTES = 512 * 1024;
/** How long the peer may take for its Done (`ext.leave.course`). */
const DONE_MILLIS = 2000;
/** How long the end of a connection may take after everything was said. */
const LINGER_MILLIS = 1000;
/** Without credit: the most unread content of a message, as a multiple of its window. */
const UNREAD_WINDOWS = 16;
/** Packets that nobody needs, at once and each second. */
const USELESS = 600;
const USELESS_RATE = 60;

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
  private phase: Phase = 'opening';
  private reason: CloseReason | undefined;
  private readonly sender: Sender;
  private readonly decoder: Decoder<Arrival>;
  private readonly receiving: Receiving;
  private readonly ids = new Ids();
  private isExtended = false;

  private readonly pending = new Map<string, Pending>();
  /** Requests that are executed, and messages whose content arrives, by number. */
  private readonly incoming = new Map<number, IncomingMessage>();
  private readonly arriving = new Set<Arrival>();
  private executing = 0;
  private waiting: IncomingMessage[] = [];
  private metadata: Metadata | undefined;
  private heldPayload = 0;

  private readonly output: Uint8Array[] = [];
  private outputBytes = 0;
  /** Bytes that were handed to the socket. */
  private written = 0;
  private isScheduled = false;
  private isBlocked = false;
  private hasCredit = false;
  private stops: FlowEntry[] = [];
  private pong: Uint8Array | undefined;
  private pings: { bytes: Uint8Array; at: number; resolve: (millis: number) => void }[] = [];

  private isPeerLeaving = false;
  private peerLeave: Leave | undefined;
  private owesDone = false;
  private hasSentDone = false;
  private hasSentLeave = false;
  private isPeerDone = false;
  /** Messages from this number on are not taken, when this side leaves. */
  private taken = Number.POSITIVE_INFINITY;
  private leaveAt = 0;
  private leaveDeadline = 0;
  private hasPeerEnded = false;

  private readonly useless = new Bucket(USELESS, USELESS_RATE);
  private readonly refusals = new Bucket(4096, 512);
  private flowEntries = 0;
  private readonly startedAt = performance.now();
  /**
   * Milliseconds that this process has run, by its ticks. A late tick adds little, so that a process that was held up
   * reads before it judges its peer.
   */
  private clock = 1;
  private tickedAt = performance.now();
  private interval: number;
  private readAt = 1;
  private writtenAt = 1;
  private progressAt = 1;
  private lastBuffered = 0;
  private pausedAt = 0;
  private isOutputFull = false;
  private isPaused = false;
  private headerSince = 0;
  private timer: NodeJS.Timeout;

  /** @internal */
  constructor(
    private readonly socket: Socket,
    private readonly options: ResolvedOptions,
    private readonly isServer: boolean,
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
    this.sender = new Sender(this.schedule);
    this.receiving = new Receiving(options.limits.messageWindow, options.limits.connectionWindow);
    this.decoder = new Decoder(new Events(this), options.limits, offers);
    this.interval = Math.min(1000, Math.max(50, options.heartbeat / 4));
    this.timer = setInterval(this.tick, this.interval);

    socket.setNoDelay(true);
    socket.on('data', this.onBytes);
    socket.on('end', this.onEnd);
    socket.on('error', this.onError);
    socket.on('close', this.onClose);
    socket.on('drain', this.onDrain);
    // header.immediate
    this.sender.encoder.connectionHeader(offers ? OFFER_CHANNELS : options.limits.channels, offers);
    this.write();
  }

  /** Whether both sides use the extension. */
  get isExtensionActive(): boolean {
    return this.isExtended;
  }

  /** Whether requests may be sent. */
  get isOpen(): boolean {
    return (this.phase === 'open' || this.phase === 'opening') && !this.isPeerLeaving && !this.hasPeerEnded;
  }

  /** The address of the peer, if it has one. */
  get remoteAddress(): string | undefined {
    const { remoteAddress, remotePort } = this.socket;
    return remoteAddress === undefined ? undefined : `${remoteAddress}:${remotePort}`;
  }

  /** Calls the peer. Resolves with the value of its answer, and rejects with a `CallError`. */
  call<T = unknown>(action: string, data?: unknown, options: CallOptions = {}): Promise<T> {
    return new Promise((resolve, reject) => {
      const id = options.resent?.id ?? this.ids.next();
      const call = new PendingCall(this, id, action, this.timeoutOf(options));
      call.resolve = resolve as (value: unknown) => void;
      call.reject = reject;
      this.begin(call, '', action, data, options, options);
    });
  }

  /** Sends a message whose replies may be several, or have content. Its failure is that of its replies. */
  request(action: string, data?: unknown, options: RequestOptions = {}): Request {
    const request = new Request(this, this.ids.next(), action, this.timeoutOf(options));
    this.begin(request, '', action, data, options, options);
    return request;
  }

  /** Sends a message that is not answered. Resolves when all of it was queued for the socket. */
  notify(action: string, data?: unknown, options: NotifyOptions = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      let outgoing: Outgoing;
      const fail = (reason: CallReason): void =>
        reject(new CallError(action, reason, outgoing === undefined || outgoing.number < 0 ? 'not-sent' : 'unknown'));
      try {
        const unsent = this.unsent();
        if (unsent !== undefined) return fail({ kind: 'closed', reason: unsent });
        const id = options.resent?.id ?? this.ids.next();
        outgoing = this.outgoing('', id, action, data, options, false, undefined);
        const { signal } = options;
        const onAbort = (): void => this.sender.abort(outgoing, new DOMException('aborted', 'AbortError'));
        outgoing.onDone = (error) => {
          signal?.removeEventListener('abort', onAbort);
          if (error === undefined) return resolve();
          if (signal?.aborted === true) return fail({ kind: 'cancelled', cause: signal.reason });
          fail(this.reasonOf(error));
        };
        if (signal?.aborted === true) return fail({ kind: 'cancelled', cause: signal.reason });
        signal?.addEventListener('abort', onAbort, { once: true });
        this.sender.submit(outgoing);
      } catch (error) {
        fail(this.reasonOf(error as Error));
      }
    });
  }

  /** The time to the peer and back, in milliseconds. Needs the extension. */
  ping(): Promise<number> {
    if (!this.isExtended || this.phase === 'closed') return Promise.reject(new Error('ping needs the extension'));
    return new Promise((resolve) => {
      const bytes = Uint8Array.from({ length: 8 }, () => Math.floor(Math.random() * 256));
      this.pings.push({ bytes, at: performance.now(), resolve });
      if (this.pings.length === 1) this.sendPing();
    });
  }

  private sendPing(): void {
    const ping = this.pings[0];
    ping.at = performance.now();
    this.sender.encoder.control(Uint8Array.of(4, ...ping.bytes));
    this.schedule();
  }

  /**
   * Ends the connection in order: what is under way is finished, for `grace` milliseconds at most. Resolves when it
   * has ended.
   */
  async close(grace = 10_000): Promise<void> {
    if (this.phase === 'opening' && !this.hasSentLeave) this.finish({ kind: 'closed' });
    this.leave(LeaveReason.Shutdown, grace);
    await this.closed;
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.finish({ kind: 'closed' });
    this.socket.destroy();
  }

  // ---- Sending

  private timeoutOf(options: RequestOptions): number | null {
    return options.timeout === undefined ? this.options.timeout : options.timeout;
  }

  /** Why no request can be sent any more. */
  private unsent(): CloseReason | undefined {
    if (this.reason !== undefined) return this.reason;
    if (this.isPeerLeaving) {
      const text = this.peerLeave?.text;
      return { kind: 'peer', message: text === undefined || text === '' ? 'the peer is going away' : `the peer is going away: ${text}` };
    }
    if (this.hasPeerEnded) return { kind: 'peer', message: 'the peer has ended the connection' };
    if (this.hasSentLeave) return { kind: 'closed' };
    return undefined;
  }

  private begin(
    pending: Pending,
    parent: string,
    action: string,
    data: unknown,
    content: MessageContent,
    options: RequestOptions,
  ): void {
    const unsent = parent === '' ? this.unsent() : this.reason;
    if (unsent !== undefined) return pending.fail({ kind: 'closed', reason: unsent }, 'not-sent');
    const { millis } = pending;
    const isDefault = millis === this.options.timeout && options.within === undefined;
    const hasContent = content.stream !== undefined || (content.files !== undefined && content.files.length > 0);
    let deadline: number | undefined;
    if (isDefault && !hasContent && millis !== null && millis >= CLOCKED_MILLIS) {
      // The settings have said it, and the clock of the connection is exact enough.
      pending.deadline = this.clock + millis + this.interval;
    } else {
      const now = performance.now();
      deadline = millis === null ? undefined : now + millis;
      const within = options.within?.deadlineAt;
      // ext.meta.nested
      if (within !== undefined && (deadline === undefined || within < deadline)) {
        deadline = within;
        if (within <= now) return pending.fail({ kind: 'timeout', millis: 0 }, 'not-sent');
      }
    }
    const said = isDefault && !hasContent ? undefined : (deadline ?? null);
    try {
      const outgoing = this.outgoing(parent, pending.id, action, data, content, true, said);
      this.pending.set(pending.id, pending);
      pending.start(outgoing, deadline, options.signal);
      if (pending.isOver) return;
      this.sender.submit(outgoing);
      if (outgoing.state === 'done') return;
      const onDone = (error?: Error): void => {
        if (error !== undefined) pending.fail(this.reasonOf(error), outgoing.number < 0 ? 'not-sent' : 'unknown');
      };
      if (outgoing.state === 'failed') onDone(outgoing.error);
      else outgoing.onDone = onDone;
    } catch (error) {
      pending.fail(this.reasonOf(error as Error), 'not-sent');
    }
  }

  private reasonOf(error: Error): CallReason {
    if (error instanceof LimitError) return { kind: 'limit', error };
    if (error instanceof Closed) return { kind: 'closed', reason: error.reason };
    return { kind: 'content', error };
  }

  private outgoing(
    parent: string,
    id: string,
    action: string,
    data: unknown,
    content: MessageContent & Pick<NotifyOptions, 'resent'>,
    expectsReply: boolean,
    deadline: number | null | undefined,
  ): Outgoing {
    const payload = content.payload ?? (data === undefined ? EMPTY : this.msgpack.encode(data));
    const files = content.files === undefined || content.files.length === 0 ? NO_FILES : content.files.map(sized);
    const head = {
      parent,
      id,
      action,
      expectsReply,
      hasStream: content.stream !== undefined,
      payloadSize: payload.length,
      files,
    };
    let metadata = content.metadata === undefined ? undefined : metadataOf(content.metadata);
    if (content.resent !== undefined && content.resent.attempt > 0) {
      metadata = { ...(metadata ?? NO_METADATA), attempt: content.resent.attempt };
    }
    return new Outgoing(head, payload, files, content.stream, metadata, deadline);
  }

  /** @internal A caller waits no more. Returns whether its message may have been executed. */
  giveUp(pending: Pending): Outcome {
    const { outgoing } = pending;
    if (outgoing === undefined) return 'not-sent';
    outgoing.onDone = undefined;
    if (outgoing.state === 'queued') {
      this.sender.abort(outgoing, CANCELLED);
      return 'not-sent';
    }
    // ext.cancel: content that is still being sent is aborted before.
    if (outgoing.state === 'open') this.sender.abort(outgoing, CANCELLED);
    if (this.isExtended && outgoing.number >= 0 && this.phase !== 'closed' && !this.hasPeerEnded) {
      this.sender.encoder.cancel(outgoing.number);
      this.schedule();
    }
    return 'unknown';
  }

  /** @internal */
  forget(pending: Pending): void {
    if (this.pending.get(pending.id) === pending) this.pending.delete(pending.id);
    if (this.pending.size === 0 && this.phase === 'leaving') this.schedule();
  }

  /** @internal */
  sendFastReply(arrival: Arrival, reply: FastReply): void {
    if (!arrival.head.expectsReply || this.phase === 'closed' || isCut(arrival)) return;
    arrival.isAnswered = true;
    this.sender.fastReply(arrival.head.id, reply.code, reply.retryAfter);
    this.schedule();
  }

  /** @internal */
  sendResponse(arrival: Arrival, content: MessageContent): Promise<void> {
    return new Promise((resolve, reject) => {
      if (!arrival.head.expectsReply || isCut(arrival)) return resolve();
      const outgoing = this.response(arrival, content, this.ids.next(), false);
      outgoing.onDone = (error) => {
        if (arrival instanceof IncomingMessage && arrival.response === outgoing) arrival.response = undefined;
        if (error === undefined) resolve();
        else reject(error);
      };
      this.submitResponse(arrival, outgoing);
    });
  }

  private response(arrival: Arrival, content: MessageContent, id: string, expectsReply: boolean): Outgoing {
    if (this.reason !== undefined) throw new Closed(this.reason);
    return this.outgoing(arrival.head.id, id, '', content.data, content, expectsReply, undefined);
  }

  private submitResponse(arrival: Arrival, outgoing: Outgoing): void {
    this.sender.submit(outgoing);
    arrival.isAnswered = true;
    if (arrival instanceof IncomingMessage && outgoing.state !== 'done') arrival.response = outgoing;
  }

  /** @internal */
  sendResponseRequest(arrival: Arrival, content: MessageContent, options: RequestOptions = {}): Request {
    const request = new Request(this, this.ids.next(), 'a response', this.timeoutOf(options));
    arrival.isAnswered = true;
    this.begin(request, arrival.head.id, '', content.data, content, options);
    return request;
  }

  // ---- Writing

  /** Writes when nothing else is to be done, so that what is sent meanwhile leaves together. */
  private readonly schedule = (): void => {
    if (this.isScheduled || this.phase === 'closed') return;
    this.isScheduled = true;
    queueMicrotask(this.afterMicrotasks);
  };

  private readonly afterMicrotasks = (): void => {
    process.nextTick(this.flush);
  };

  private readonly flush = (): void => {
    this.isScheduled = false;
    if (this.phase === 'closed') return;
    const { encoder } = this.sender;
    if (this.isExtended && this.sender.settings !== undefined) {
      if (this.hasCredit) {
        this.hasCredit = false;
        const entries = this.receiving.due();
        if (entries.length > 0) encoder.flow(entries);
      }
      if (this.stops.length > 0) {
        encoder.flow(this.stops);
        this.stops = [];
      }
      if (this.pong !== undefined && !this.isBlocked) {
        encoder.control(Uint8Array.of(5, ...this.pong));
        this.pong = undefined;
      }
    }
    this.write();
    if (this.isOutputFull && !this.sender.isFull) {
      this.isOutputFull = false;
      this.updateReading();
    }
    if (this.phase === 'leaving') this.advanceLeaving();
  };

  private write(): void {
    const { sender, socket, output } = this;
    const { encoder } = sender;
    while (!this.isBlocked) {
      if (this.outputBytes < WRITE_BYTES) {
        sender.pump();
        const bytes = encoder.queued;
        if (bytes > 0) {
          this.outputBytes += bytes;
          output.push(...encoder.take());
        }
      }
      if (this.owesDone && !sender.hasQueuedMessages) {
        this.owesDone = false;
        this.hasSentDone = true;
        encoder.control(Uint8Array.of(3));
        continue;
      }
      if (this.outputBytes === 0) return;
      let left = WRITE_BYTES;
      this.writtenAt = this.clock;
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
        const bytes = WRITE_BYTES - left;
        this.written += bytes;
        this.outputBytes -= bytes;
        socket.uncork();
        // `write` said so while the socket was corked.
        this.isBlocked = socket.writableNeedDrain;
      }
      if (this.isBlocked) this.progressAt = this.writtenAt;
    }
  }

  private readonly onDrain = (): void => {
    this.isBlocked = false;
    if (this.isScheduled || this.phase === 'closed') return;
    this.isScheduled = true;
    // A fast peer drains the socket at once: what it sends is read in between.
    setImmediate(this.flush);
  };

  // ---- Reading

  private readonly onBytes = (bytes: Buffer): void => {
    if (this.reason !== undefined) return;
    this.readAt = this.clock;
    try {
      this.decoder.push(bytes);
    } catch (error) {
      if (error instanceof ProtocolError) this.fail({ kind: 'protocol', error }, LeaveReason.Protocol);
      else if (error instanceof LimitError) this.fail({ kind: 'limit', error }, LeaveReason.Limit);
      else this.fail({ kind: 'socket', error: error as Error }, LeaveReason.Internal);
      return;
    }
    if (this.waiting.length > 0) setImmediate(this.runWaiting);
    if (this.isBlocked && this.sender.isFull) {
      this.isOutputFull = true;
      this.updateReading();
    }
    if (!this.isExtended) this.checkUnread();
  };

  /** Without credit, the socket alone holds back a peer that sends content that nobody reads. */
  private checkUnread(): void {
    const { messageWindow, connectionWindow } = this.options.limits;
    let isFull = false;
    let sum = 0;
    for (const arrival of this.arriving) {
      const { unread } = arrival;
      sum += unread;
      // A reader that waits for one part may have left another: it is waited for that one.
      if (unread > UNREAD_WINDOWS * messageWindow && !arrival.isAwaited) isFull = true;
    }
    isFull ||= sum > connectionWindow;
    if (isFull === this.pausedAt > 0) return;
    this.pausedAt = isFull ? this.clock : 0;
    this.updateReading();
  }

  /** Reads nothing while there is no room for what is read, or for the answers to it. */
  private updateReading(): void {
    const isPaused = this.pausedAt > 0 || this.isOutputFull;
    if (isPaused === this.isPaused) return;
    this.isPaused = isPaused;
    this.readAt = this.clock;
    if (isPaused) this.socket.pause();
    else this.socket.resume();
  }

  /** @internal */
  readonly readers: Readers = {
    onTaken: (number, part, bytes) => {
      if (this.isExtended) {
        this.receiving.taken(number, part, bytes);
        this.creditIsDue();
      } else if (this.pausedAt > 0) {
        this.checkUnread();
      }
    },
    onWaits: (number, part) => {
      if (this.isExtended) {
        this.receiving.waits(number, part);
        this.creditIsDue();
      } else if (this.pausedAt > 0) {
        this.checkUnread();
      }
    },
    onStop: (number, part) => {
      if (this.isExtended) {
        this.receiving.stop(number, part);
        this.creditIsDue();
      } else if (this.pausedAt > 0) {
        this.checkUnread();
      }
    },
  };

  private creditIsDue(): void {
    this.hasCredit = true;
    this.schedule();
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
      this.schedule();
    } else {
      this.onOpen();
    }
  }

  /** @internal */
  onSettings(settings: Settings): void {
    this.sender.onSettings(settings);
    if (settings.idleMillis > 0 && settings.idleMillis / 3 < this.options.heartbeat) {
      clearInterval(this.timer);
      this.interval = Math.max(50, Math.min(1000, settings.idleMillis / 12));
      this.timer = setInterval(this.tick, this.interval);
    }
    this.onOpen();
  }

  private onOpen(): void {
    if (this.phase !== 'opening') return;
    this.phase = 'open';
    this.resolveOpened();
    this.schedule();
  }

  /** @internal Metadata of the packet that follows. */
  setMetadata(metadata: Metadata): void {
    this.metadata = metadata;
  }

  private takeMetadata(): Metadata | undefined {
    const { metadata } = this;
    this.metadata = undefined;
    return metadata;
  }

  /** @internal */
  onWhole(head: Head, payload: Uint8Array): void {
    const metadata = this.metadata === undefined ? undefined : this.takeMetadata();
    if (head.parent !== '') {
      const pending = this.pending.get(head.parent);
      if (pending === undefined) return;
      const response = new Response(this, head, metadata, this.readers);
      response.setPayload(payload);
      response.isBegun = response.isWhole = true;
      pending.onReply({ kind: 'response', response });
      return;
    }
    if (head.number >= this.taken) return;
    const message = new IncomingMessage(this, head, metadata, this.readers);
    message.setPayload(payload);
    message.isWhole = true;
    this.dispatch(message);
  }

  /** @internal */
  onHead(head: Head): Arrival {
    const metadata = this.metadata === undefined ? undefined : this.takeMetadata();
    if (this.isExtended) this.receiving.begin(head.number, head.hasStream, head.fileCount, head.filesTotal);
    let arrival: Arrival;
    if (head.parent !== '') {
      arrival = new Response(this, head, metadata, this.readers);
      const pending = this.pending.get(head.parent);
      if (pending === undefined) this.dropContent(arrival);
      else pending.hasReply = true;
    } else {
      const message = new IncomingMessage(this, head, metadata, this.readers);
      if (head.number >= this.taken) this.dropContent(message);
      else this.setDeadline(message);
      if (head.expectsReply) this.incoming.set(head.number, message);
      arrival = message;
    }
    this.arriving.add(arrival);
    arrival.touched = this.readAt;
    if (head.payloadSize === 0 && head.fileCount === 0) this.beginArrival(arrival);
    return arrival;
  }

  /** Nobody will read the content of a message any more. With the extension, one that is refused is stopped as a whole. */
  private dropContent(arrival: Arrival, isRefused = true): void {
    if (arrival.isDiscarded) return;
    this.heldPayload -= arrival.heldPayload;
    arrival.dropPayload();
    if (!arrival.head.hasStream && arrival.head.fileCount === 0) return;
    if (this.isExtended && isRefused && !arrival.isWhole) {
      this.receiving.stopMessage(arrival.head.number);
      this.creditIsDue();
    }
    for (const file of arrival.files) file.discard();
    arrival.stream?.discard();
    if (this.pausedAt > 0) this.checkUnread();
  }

  /** @internal */
  onFileHeader(arrival: Arrival, index: number, size: number, name: string): void {
    const file = new IncomingFile(this.readers, arrival.head.number, index, name, size);
    arrival.files.push(file);
    if (arrival.isDiscarded) file.discard();
    if (arrival.files.length === arrival.head.fileCount && arrival.payloadLeft === 0) this.beginArrival(arrival);
  }

  /** @internal */
  onData(arrival: Arrival, bytes: Uint8Array): void {
    arrival.touched = this.readAt;
    if (arrival.isDiscarded) return;
    const before = arrival.heldPayload;
    arrival.addPayload(bytes);
    this.heldPayload += arrival.heldPayload - before;
    const limit = this.options.limits.heldPayloadBytes;
    if (this.heldPayload > limit) {
      this.refuseArrival(arrival, new LimitError('bytes of incomplete payloads', this.heldPayload, limit), Code.TooLarge);
      return;
    }
    if (arrival.payloadLeft === 0 && arrival.files.length === arrival.head.fileCount) this.beginArrival(arrival);
  }

  /** @internal */
  onPart(arrival: Arrival, part: number, bytes: Uint8Array): void {
    arrival.touched = this.readAt;
    if (this.isExtended) {
      const isKept = this.receiving.received(arrival.head.number, part, bytes.length);
      this.creditIsDue();
      if (!isKept) return;
    }
    const target = part === STREAM ? arrival.stream : arrival.files[part];
    target?.push(bytes);
  }

  /** @internal */
  onPartEnd(arrival: Arrival, part: number, missing: number): void {
    arrival.touched = this.readAt;
    if (this.isExtended) {
      this.receiving.end(arrival.head.number, part);
      this.creditIsDue();
    }
    if (part === STREAM) arrival.endStream();
    else if (missing > 0) arrival.files[part].failAfterRest(new ContentError({ kind: 'short', missing }));
    else arrival.files[part].end();
  }

  /** @internal */
  onWholeContent(arrival: Arrival): void {
    arrival.isWhole = true;
    if (arrival.unread === 0) this.arriving.delete(arrival);
    this.settle(arrival);
  }

  private settle(arrival: Arrival): void {
    if (!(arrival instanceof IncomingMessage) || !arrival.isBegun || arrival.isRunning || !arrival.isWhole) return;
    this.incoming.delete(arrival.head.number);
    if (this.phase === 'leaving') this.schedule();
  }

  /** @internal */
  onAbort(arrival: Arrival): void {
    this.arriving.delete(arrival);
    this.heldPayload -= arrival.heldPayload;
    arrival.dropPayload();
    arrival.isWhole = true;
    if (this.isExtended) {
      this.receiving.over(arrival.head.number);
      this.creditIsDue();
    }
    arrival.abortContent();
    if (arrival instanceof Response) {
      if (!arrival.isBegun) this.failPending(arrival, new ContentError({ kind: 'aborted' }));
    } else if (arrival instanceof IncomingMessage) {
      if (!arrival.isBegun) {
        // ext.cancel.answer
        if (this.isExtended && !arrival.isAnswered) this.sendFastReply(arrival, new FastReply(Code.NotBegun));
        this.end(arrival);
      } else {
        arrival.cancel(new ContentError({ kind: 'aborted' }));
      }
      this.settle(arrival);
    }
  }

  private failPending(response: Response, error: Error): void {
    const pending = this.pending.get(response.head.parent);
    pending?.fail({ kind: 'content', error }, 'executed');
  }

  /** @internal */
  onRefused(identity: Identity, error: LimitError | ProtocolError, arrival: Arrival | undefined): void {
    if (arrival === undefined) this.takeMetadata();
    if (this.refusals.add()) {
      throw new ProtocolError('limits.abuse', `too many messages are refused, the last as ${error.message}`);
    }
    if (this.isExtended && (identity.hasStream || identity.fileCount > 0)) {
      this.stops.push({ kind: 'stop', number: identity.number % 2 ** 32, part: undefined });
      this.receiving.over(identity.number);
      this.schedule();
    }
    if (arrival !== undefined) {
      this.arriving.delete(arrival);
      this.heldPayload -= arrival.heldPayload;
      arrival.dropPayload();
      arrival.isWhole = true;
      arrival.failContent(refusedContent(error));
    }
    if (identity.parent !== '') {
      if (arrival === undefined || !arrival.isBegun) {
        const reason: CallReason = error instanceof LimitError ? { kind: 'limit', error } : { kind: 'content', error };
        this.pending.get(identity.parent)?.fail(reason, 'executed');
      }
      return;
    }
    if (arrival?.isBegun === true) {
      this.settle(arrival);
      return;
    }
    if (arrival !== undefined) this.incoming.delete(identity.number);
    if (identity.expectsReply && arrival?.isAnswered !== true && identity.number < this.taken) {
      this.sender.encoder.fastReply(identity.id, error instanceof LimitError ? Code.TooLarge : Code.BadHeader);
      this.schedule();
    }
  }

  /** Gives up a message that is arriving. */
  private refuseArrival(arrival: Arrival, error: LimitError | ProtocolError, code: number): void {
    this.decoder.drop(arrival.head);
    this.arriving.delete(arrival);
    this.heldPayload -= arrival.heldPayload;
    arrival.dropPayload();
    arrival.isWhole = true;
    arrival.failContent(code === Code.SlowConsumer ? new ContentError({ kind: 'slow' }) : refusedContent(error));
    if (this.isExtended) this.receiving.over(arrival.head.number);
    if (arrival instanceof Response) {
      if (!arrival.isBegun) this.failPending(arrival, error);
    } else if (arrival instanceof IncomingMessage) {
      if (!arrival.isBegun) {
        if (!arrival.isAnswered) this.sendFastReply(arrival, new FastReply(code));
        this.end(arrival);
      }
      this.settle(arrival);
    }
    if (this.pausedAt > 0) this.checkUnread();
  }

  /** @internal */
  onDropped(bytes: number, needsCredit: boolean): void {
    if (this.isExtended && needsCredit) {
      this.receiving.dropped(bytes);
      this.creditIsDue();
    }
  }

  /** @internal */
  onFastReply(id: string, code: number): void {
    const metadata = this.metadata === undefined ? undefined : this.takeMetadata();
    this.pending.get(id)?.onReply({ kind: 'code', code, retryAfter: metadata?.retryAfter });
  }

  /** @internal */
  onUseless(): void {
    if (this.useless.add()) throw new LimitError('useless packets', USELESS + 1, USELESS, 'limits.abuse');
  }

  // ---- Handlers

  private beginArrival(arrival: Arrival): void {
    arrival.isBegun = true;
    if (arrival.isDiscarded) return this.settle(arrival);
    if (arrival instanceof Response) {
      const pending = this.pending.get(arrival.head.parent);
      if (pending === undefined) this.dropContent(arrival);
      else pending.onReply({ kind: 'response', response: arrival });
    } else {
      this.dispatch(arrival as IncomingMessage);
    }
  }

  /** When the deadline of a message is. Clocks are set for it only where its handler waits, or its content. */
  private setDeadline(message: IncomingMessage): void {
    if (!this.isExtended) return;
    const said = message.received?.deadline;
    let millis: number | null | undefined = said;
    if (said === undefined) {
      const { head } = message;
      const isPlain = head.expectsReply && !head.hasStream && head.fileCount === 0;
      millis = isPlain ? this.sender.settings?.deadlineMillis || undefined : undefined;
    }
    if (millis === undefined || millis === null) return;
    message.deadlineAt = performance.now() + millis;
    if (millis < 10_000 && !message.isWhole) this.watchDeadline(message);
  }

  private watchDeadline(message: IncomingMessage): void {
    if (message.deadlineAt === undefined || message.timer !== undefined) return;
    const left = message.deadlineAt - performance.now();
    if (left < 10_000) {
      message.timer = setTimeout(() => this.onDeadline(message), Math.max(0, left)).unref();
    }
  }

  private onDeadline(message: IncomingMessage): void {
    message.timer = undefined;
    const { head } = message;
    if (message.isBegun && !message.isRunning) return;
    this.interrupt(message, message.isBegun ? Code.DeadlineExceeded : Code.NotBegun, 'the deadline has passed');
    if (!message.isBegun) {
      message.isBegun = true;
      this.incoming.delete(head.number);
    }
  }

  private dispatch(message: IncomingMessage): void {
    message.isBegun = true;
    const { head } = message;
    if (message.deadlineAt === undefined) this.setDeadline(message);
    if (message.deadlineAt !== undefined && message.deadlineAt <= performance.now()) {
      this.sendFastReply(message, new FastReply(Code.NotBegun));
      return this.end(message);
    }
    const handler = this.options.handlers.get(head.action) ?? this.options.fallback;
    if (handler === undefined) {
      const code = head.action === '$sockety.present' ? Code.NotBegun : Code.NotImplemented;
      this.sendFastReply(message, new FastReply(code));
      // The sender of a one-way message is not to be told that nobody knows it: its content just ends.
      return this.end(message, head.expectsReply);
    }
    if (this.executing >= this.options.limits.requests) {
      // Most handlers end within the same turn of the event loop.
      this.incoming.set(head.number, message);
      message.isRunning = true;
      this.waiting.push(message);
      return;
    }
    this.run(handler, message);
  }

  private readonly runWaiting = (): void => {
    const { waiting } = this;
    this.waiting = [];
    for (const message of waiting) {
      message.isRunning = false;
      if (message.isAnswered || this.phase === 'closed') {
        this.end(message);
      } else if (this.executing >= this.options.limits.requests) {
        this.sendFastReply(message, new FastReply(Code.Overloaded));
        this.end(message);
      } else {
        const handler = this.options.handlers.get(message.head.action) ?? this.options.fallback;
        this.run(handler as Handler, message);
      }
    }
  };

  private run(handler: Handler, message: IncomingMessage): void {
    let result: unknown;
    try {
      result = handler(message);
    } catch (error) {
      this.onThrown(message, error);
      return this.end(message, false);
    }
    if (result instanceof Promise) {
      this.executing++;
      message.isRunning = true;
      this.incoming.set(message.head.number, message);
      this.watchDeadline(message);
      void this.await(result, message);
      return;
    }
    const answered = this.answer(message, result);
    if (answered !== undefined) {
      this.executing++;
      message.isRunning = true;
      this.incoming.set(message.head.number, message);
      this.watchDeadline(message);
      void this.awaitAnswer(answered, message);
    } else {
      this.end(message, false);
    }
  }

  private async await(result: Promise<unknown>, message: IncomingMessage): Promise<void> {
    try {
      const value = await result;
      await this.answer(message, value);
    } catch (error) {
      this.onThrown(message, error);
    }
    this.executing--;
    this.end(message, false);
  }

  private async awaitAnswer(answered: Promise<void>, message: IncomingMessage): Promise<void> {
    try {
      await answered;
    } catch (error) {
      this.onThrown(message, error);
    }
    this.executing--;
    this.end(message, false);
  }

  /** Sends what a handler has returned. Returns what is to be waited for, if anything. */
  private answer(message: IncomingMessage, result: unknown): Promise<void> | undefined {
    const { head } = message;
    if (!head.expectsReply || isCut(message)) return undefined;
    if (result instanceof FastReply) {
      this.sendFastReply(message, result);
    } else if (result === undefined) {
      if (!message.isAnswered) this.sendFastReply(message, new FastReply(Code.Accept));
    } else if (result instanceof Respond) {
      return this.sendResponse(message, result.content);
    } else {
      const payload = this.msgpack.encode(result);
      const outgoing = this.response(message, { payload }, this.ids.next(), false);
      this.submitResponse(message, outgoing);
    }
    return undefined;
  }

  /** Answers a message whose handler has failed. */
  private onThrown(message: IncomingMessage, error: unknown): void {
    const { onHandlerError } = this.options;
    if (message.isCut) return;
    if (this.phase === 'closed' || message.isAnswered) {
      if (!(error instanceof ContentError) && this.phase !== 'closed') onHandlerError?.(error, message.action);
      return;
    }
    if (error instanceof ServiceError) {
      if (!message.head.expectsReply) return;
      try {
        const payload = this.msgpack.encodeError(error.name, error.message, error.error);
        this.submitResponse(message, this.response(message, { payload }, this.ids.next(), false));
        return;
      } catch (problem) {
        error = problem;
      }
    }
    if (error instanceof Refusal) {
      this.sendFastReply(message, new FastReply(error.code, error.retryAfter));
    } else if (error instanceof ContentError) {
      this.sendFastReply(message, new FastReply(codeOfContentError(error, this.isExtended)));
    } else if (error instanceof Error && error.name === 'DecodeError') {
      this.sendFastReply(message, new FastReply(Code.BadRequest));
    } else {
      onHandlerError?.(error, message.action);
      this.sendFastReply(message, new FastReply(Code.InternalError));
    }
  }

  /** A message is over: its handler has ended, or never begins. */
  private end(message: IncomingMessage, isRefused = true): void {
    message.isRunning = false;
    clearTimeout(message.timer);
    message.timer = undefined;
    const { head } = message;
    if (head.hasStream || head.fileCount > 0) {
      if (!message.isWhole || message.unread > 0) this.dropContent(message, isRefused);
      if (message.isWhole) this.arriving.delete(message);
    } else if (!message.isWhole) {
      this.dropContent(message);
    }
    if (message.isWhole) this.incoming.delete(head.number);
    if (this.phase === 'leaving') this.schedule();
  }

  /** Answers a message in place of its handler. */
  private interrupt(message: IncomingMessage, code: number, cause: string): void {
    const { response } = message;
    if (response !== undefined && response.state !== 'done') {
      // An answer whose content is on its way ends with Status and Abort.
      if (response.state === 'queued') {
        this.sender.abort(response, CANCELLED);
        this.sendFastReply(message, new FastReply(code));
      } else {
        this.sender.abort(response, CANCELLED, code);
      }
    } else if (!message.isAnswered) {
      this.sendFastReply(message, new FastReply(code));
    }
    message.isCut = true;
    message.cancel(new DOMException(cause, code === Code.DeadlineExceeded ? 'TimeoutError' : 'AbortError'));
    if (!message.isWhole || message.unread > 0) {
      message.failContent(new ContentError({ kind: 'aborted' }));
      this.dropContent(message);
    }
  }

  // ---- The extension

  /** @internal */
  onFlow(entries: FlowEntry[]): void {
    const { sender } = this;
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
    const { contentBytes, begunParts } = this.sender;
    const budget = 1024 + ((now - this.startedAt) / 1000) * 10 + contentBytes / 1024 + begunParts;
    if (this.flowEntries > budget) {
      throw new LimitError('entries of Flow packets', this.flowEntries, Math.floor(budget), 'ext.credit.budget');
    }
  }

  /** @internal */
  onCancel(numbers: number[]): void {
    for (const number of numbers) {
      const message = this.incoming.get(number);
      if (message === undefined) continue;
      const isWaiting = this.waiting.includes(message);
      if (message.isBegun && !message.isRunning) continue;
      this.interrupt(message, message.isBegun && !isWaiting ? Code.Cancelled : Code.NotBegun, 'the caller has cancelled it');
      if (!message.isBegun) {
        message.isBegun = true;
        this.settle(message);
      }
    }
  }

  /** @internal */
  onGoAway(): void {
    this.onLeave({ taken: undefined, reason: LeaveReason.Shutdown, graceMillis: 0, retryAfterMillis: 0, text: '' });
  }

  /** @internal */
  onLeave(leave: Leave): void {
    const sent = this.sender.encoder.begun;
    const { taken } = leave;
    if (taken !== undefined && taken > sent) {
      throw new ProtocolError('ext.leave.taken', `${taken} messages are taken of ${sent} that were sent`);
    }
    this.peerLeave = leave;
    const isLameDuck = leave.reason === LeaveReason.LameDuck && taken === undefined && !this.isPeerLeaving;
    this.notifyLeaving();
    if (isLameDuck) return;
    this.isPeerLeaving = true;
    const reason: CloseReason = this.unsent() as CloseReason;
    // Messages that wait for room or a channel never begin.
    for (const outgoing of this.sender.takeQueuedMessages()) this.sender.abort(outgoing, new Closed(reason));
    if (taken !== undefined) {
      for (const pending of [...this.pending.values()]) {
        const { number, state } = pending.outgoing;
        if (number < taken) continue;
        pending.outgoing.onDone = undefined;
        pending.fail({ kind: 'closed', reason }, number < 0 ? 'not-sent' : 'not-executed');
        if (state === 'open') this.sender.abort(pending.outgoing, new Closed(reason));
      }
    }
    if (this.isExtended && !this.hasSentDone) this.owesDone = true;
    this.schedule();
  }

  /** @internal Called when the peer says that it leaves. */
  onPeerLeaving: ((leave: Leave) => void) | undefined;

  private notifyLeaving(): void {
    if (this.peerLeave !== undefined) this.onPeerLeaving?.(this.peerLeave);
  }

  /** @internal */
  onDone(): void {
    if (!this.hasSentLeave) throw new ProtocolError('ext.leave.done', 'Done comes without a Leave of this side');
    this.isPeerDone = true;
    this.schedule();
  }

  /** @internal */
  onPing(bytes: Uint8Array): void {
    if (this.pong !== undefined) this.onUseless();
    this.pong = bytes;
    this.schedule();
  }

  /** @internal */
  onPong(bytes: Uint8Array): void {
    const ping = this.pings[0];
    if (ping === undefined || !ping.bytes.every((byte, place) => bytes[place] === byte)) return this.onUseless();
    this.pings.shift();
    ping.resolve(performance.now() - ping.at);
    if (this.pings.length > 0) this.sendPing();
  }

  // ---- The end

  /** @internal Says that this side leaves, and ends the connection when nothing is under way. */
  leave(reason: number, grace: number, text = ''): void {
    if (this.hasSentLeave || this.phase === 'closed' || this.phase === 'opening') return;
    this.hasSentLeave = true;
    this.phase = 'leaving';
    this.leaveAt = performance.now();
    this.leaveDeadline = this.leaveAt + grace;
    if (this.isExtended) {
      const leave = { taken: undefined, reason, graceMillis: Math.min(grace, 0xffff_ffff), retryAfterMillis: 0, text };
      this.sender.encoder.control(encodeLeave(leave));
    } else {
      this.sender.encoder.goAway();
    }
    this.schedule();
  }

  private get isIdle(): boolean {
    return (
      this.pending.size === 0 &&
      this.executing === 0 &&
      this.waiting.length === 0 &&
      this.incoming.size === 0 &&
      this.sender.isIdle &&
      this.outputBytes === 0 &&
      this.decoder.isBetweenMessages
    );
  }

  private advanceLeaving(): void {
    const now = performance.now();
    if (now >= this.leaveDeadline) {
      this.finish({ kind: 'closed' });
      return;
    }
    // No credit comes any more.
    if (this.isExtended && this.hasPeerEnded) this.sender.abandonBlocked();
    if (this.isExtended && !this.isPeerDone && !this.hasPeerEnded) {
      if (now - this.leaveAt < DONE_MILLIS) return;
      if (this.taken === Number.POSITIVE_INFINITY) {
        // ext.leave.course
        this.taken = this.decoder.begun;
        this.sender.encoder.control(encodeLeave(this.lastLeave(LeaveReason.Shutdown, '')));
        this.schedule();
        return;
      }
    }
    if (this.isIdle) this.finish({ kind: 'closed' });
  }

  private lastLeave(reason: number, text: string): Leave {
    this.taken = Math.min(this.taken, this.decoder.begun);
    return { taken: this.taken, reason, graceMillis: 0, retryAfterMillis: 0, text };
  }

  /** Ends the connection because of the peer. */
  private fail(reason: CloseReason, leave: number): void {
    if (this.reason !== undefined) return;
    if (this.isExtended && !this.isBlocked && !this.socket.destroyed) {
      // ext.leave.last
      this.sender.encoder.control(encodeLeave(this.lastLeave(leave, '')));
    }
    this.finish(reason);
  }

  private finish(reason: CloseReason): void {
    if (this.reason !== undefined) return;
    if (reason.kind === 'closed' && this.isExtended && this.hasSentLeave && !this.isBlocked && !this.hasPeerEnded) {
      this.sender.encoder.control(encodeLeave(this.lastLeave(LeaveReason.Shutdown, '')));
    }
    if (!this.isBlocked && !this.socket.destroyed && this.socket.writable) {
      const chunks = [...this.output, ...this.sender.encoder.take()];
      this.output.length = this.outputBytes = 0;
      this.socket.cork();
      for (const chunk of chunks) {
        this.written += chunk.length;
        this.socket.write(chunk);
      }
      this.socket.uncork();
    }
    this.reason = reason;
    const wasOpening = this.phase === 'opening';
    this.phase = 'closed';
    clearInterval(this.timer);
    const error = new Closed(reason);
    for (const pending of [...this.pending.values()]) {
      pending.outgoing.onDone = undefined;
      const { position } = pending.outgoing;
      pending.fail({ kind: 'closed', reason }, position < 0 || position >= this.written ? 'not-sent' : 'unknown');
    }
    this.sender.close(error);
    const content = new ContentError({ kind: 'closed', reason });
    for (const arrival of this.arriving) arrival.failContent(content);
    this.arriving.clear();
    for (const message of this.incoming.values()) {
      clearTimeout(message.timer);
      message.cancel(error);
    }
    this.incoming.clear();
    this.waiting = [];
    for (const ping of this.pings) ping.resolve(Number.NaN);
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
    for (const pending of [...this.pending.values()]) {
      pending.outgoing.onDone = undefined;
      pending.fail({ kind: 'closed', reason }, pending.outgoing.number < 0 ? 'not-sent' : 'unknown');
    }
    if (this.isIdle) {
      this.finish(reason);
      return;
    }
    this.hasSentLeave = true;
    this.phase = 'leaving';
    this.leaveAt = performance.now();
    this.leaveDeadline = this.leaveAt + 10_000;
    this.schedule();
  };

  private readonly onError = (error: Error): void => {
    this.finish({ kind: 'socket', error });
  };

  private readonly onClose = (): void => {
    this.finish({ kind: 'peer', message: 'the connection was cut' });
  };

  /** What waits for time. */
  private readonly tick = (): void => {
    const real = performance.now();
    this.clock += Math.min(real - this.tickedAt, 2 * this.interval);
    this.tickedAt = real;
    const now = this.clock;
    const { options, sender } = this;
    if (this.phase === 'opening') {
      if (now > options.connectTimeout) {
        this.fail({ kind: 'idle', millis: options.connectTimeout }, LeaveReason.Idle);
      }
      return;
    }
    if (this.phase === 'closed') return;
    if (this.isBlocked) {
      const buffered = this.socket.writableLength;
      if (buffered < this.lastBuffered || this.lastBuffered === 0) this.progressAt = now;
      this.lastBuffered = buffered;
      if (now - this.progressAt > options.writeTimeout) {
        this.finish({ kind: 'stalled', millis: options.writeTimeout });
        this.socket.destroy();
        return;
      }
    } else {
      this.lastBuffered = 0;
    }
    const { idleTimeout } = options;
    if (idleTimeout !== null && !this.isPaused && now - this.readAt > idleTimeout) {
      this.fail({ kind: 'idle', millis: idleTimeout }, LeaveReason.Idle);
      return;
    }
    const idleMillis = sender.settings?.idleMillis ?? 0;
    // ext.ping.use
    const heartbeat = idleMillis > 0 ? Math.min(options.heartbeat, idleMillis / 3) : options.heartbeat;
    if (now - this.writtenAt >= heartbeat - this.interval && !this.isBlocked) {
      sender.encoder.heartbeat();
      this.schedule();
    }
    for (const pending of this.pending.values()) {
      if (pending.deadline <= now) pending.timeOut();
    }
    for (const message of this.incoming.values()) this.watchDeadline(message);
    this.checkArriving(now);
    if (this.phase === 'leaving') this.advanceLeaving();
    if (this.isServer && this.phase === 'open' && sender.isWornOut) this.leave(LeaveReason.Shutdown, 10_000);
  };

  /** Headers, payloads and readers that take too long. */
  private checkArriving(now: number): void {
    const { options } = this;
    if (!this.decoder.isInHeader) this.headerSince = 0;
    else if (this.headerSince === 0) this.headerSince = now;
    else if (now - this.headerSince > options.headerTimeout) {
      const error = new LimitError('milliseconds for a header', Math.floor(now - this.headerSince), options.headerTimeout, 'head.cut');
      this.fail({ kind: 'limit', error }, LeaveReason.Limit);
      return;
    }
    for (const arrival of [...this.arriving]) {
      if (arrival.isWhole && arrival.unread === 0) this.arriving.delete(arrival);
      else if (!arrival.isBegun && !arrival.isDiscarded && now - arrival.touched > options.progressTimeout) {
        const error = new LimitError('milliseconds without a byte', Math.floor(now - arrival.touched), options.progressTimeout);
        this.refuseArrival(arrival, error, Code.BadRequest);
      }
    }
    if (this.pausedAt === 0) return;
    const hasOthers = this.pending.size > 0 || this.incoming.size > 1;
    const patience = hasOthers ? Math.min(5000, options.readTimeout) : options.readTimeout;
    if (now - this.pausedAt <= patience) return;
    for (const arrival of [...this.arriving]) {
      const limit = this.options.limits.messageWindow;
      if (arrival.unread <= limit) continue;
      this.refuseArrival(arrival, new LimitError('bytes that nobody reads', arrival.unread, limit), Code.SlowConsumer);
    }
  }
}

/** The end of a connection as an error. */
class Closed extends Error {
  constructor(readonly reason: CloseReason) {
    super(`the connection has ended: ${reason.kind}`);
  }
}

/** Deadlines of this and more are kept to the second. */
const CLOCKED_MILLIS = 10_000;
const CANCELLED = new Error('the message was cancelled');
const NO_FILES: readonly [] = [];

function isCut(arrival: Arrival): boolean {
  return arrival instanceof IncomingMessage && arrival.isCut;
}
