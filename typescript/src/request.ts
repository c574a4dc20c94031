import type { Calls } from './calls.js';
import { Code, isNotExecuted } from './codes.js';
import { CallError, type CallReason, type Outcome } from './errors.js';
import type { FileSource, Source } from './files.js';
import type { IncomingMessage, MetadataInit, Reply, Response } from './message.js';
import type { Outgoing } from './outgoing.js';

/** What a message can have that is not answered. */
export interface NotifyOptions {
  readonly files?: readonly FileSource[];
  readonly stream?: Source;
  readonly metadata?: MetadataInit;
  /** A payload as it is, in place of a value. */
  readonly payload?: Uint8Array;
  readonly signal?: AbortSignal;
  /** @internal The message was sent before, with this id and that often (`ext.meta.attempt`). */
  readonly resent?: { readonly id: string; readonly attempt: number };
}

export interface RequestOptions extends NotifyOptions {
  /** Milliseconds until the request fails; `null`: never. Default: that of the connection, 30 s. */
  readonly timeout?: number | null;
  /** A message whose deadline is that of the request too, if it is earlier. */
  readonly within?: IncomingMessage;
}

export type CallOptions = RequestOptions;

/** A message that waits for replies. */
export abstract class Pending {
  private timer: NodeJS.Timeout | undefined;
  private signal: AbortSignal | undefined;
  private onAbort: (() => void) | undefined;
  /** @internal */
  outgoing!: Outgoing;
  /** @internal When it fails, by the clock of the connection, if that looks after it. */
  deadline = Number.POSITIVE_INFINITY;
  /** @internal */
  isOver = false;
  /** @internal */
  hasReply = false;

  /** @internal */
  constructor(
    /** @internal */
    readonly owner: Calls,
    /** @internal */
    readonly id: string,
    /** @internal */
    readonly target: string,
    /** @internal */
    readonly millis: number | null,
  ) {}

  /** @internal */
  abstract onReply(reply: Reply): void;
  /** @internal */
  protected abstract onFail(error: CallError): void;

  /** @internal */
  start(outgoing: Outgoing, deadline: number | undefined, signal: AbortSignal | undefined): void {
    this.outgoing = outgoing;
    if (deadline !== undefined) {
      this.timer = setTimeout(() => this.timeOut(), Math.max(0, deadline - performance.now())).unref();
    }
    if (signal !== undefined) {
      this.signal = signal;
      this.onAbort = () => this.cancel(signal.reason);
      signal.addEventListener('abort', this.onAbort, { once: true });
      if (signal.aborted) this.onAbort();
    }
  }

  /** @internal */
  timeOut(): void {
    this.giveUp({ kind: 'timeout', millis: this.millis ?? 0 });
  }

  /** Waits for no reply any more, and tells the peer so if it can. */
  cancel(cause?: unknown): void {
    this.giveUp({ kind: 'cancelled', cause });
  }

  private giveUp(reason: CallReason): void {
    if (this.isOver) return;
    const outcome = this.owner.giveUp(this);
    this.fail(reason, outcome);
  }

  /** @internal */
  fail(reason: CallReason, outcome: Outcome): void {
    if (this.isOver) return;
    this.finish();
    this.onFail(new CallError(this.target, reason, this.hasReply ? 'executed' : outcome));
  }

  /** @internal */
  finish(): void {
    this.isOver = true;
    clearTimeout(this.timer);
    if (this.onAbort !== undefined) this.signal?.removeEventListener('abort', this.onAbort);
    this.owner.forget(this);
  }
}

/** A call, which has one reply. */
export class PendingCall extends Pending {
  resolve!: (value: unknown) => void;
  reject!: (error: Error) => void;
  isRaw = false;

  onReply(reply: Reply): void {
    this.finish();
    if (this.isRaw) {
      this.resolve(reply);
      return;
    }
    try {
      this.resolve(valueOf(this.target, reply));
    } catch (error) {
      this.reject(error as Error);
    }
  }

  protected onFail(error: CallError): void {
    this.reject(error);
  }
}

/** The value of a reply. Throws a `CallError` for one that is an error. */
export function valueOf(action: string, reply: Reply): unknown {
  if (reply.kind === 'code') {
    const { code } = reply;
    if (code === Code.Accept) return null;
    if (code === Code.InternalError) {
      throw new CallError(action, { kind: 'remote', code, message: 'the handler has failed' }, 'executed');
    }
    const outcome: Outcome = isNotExecuted(code) ? 'not-executed' : 'executed';
    throw new CallError(action, { kind: 'refused', code, retryAfter: reply.retryAfter }, outcome);
  }
  const { response } = reply;
  let error;
  try {
    if (response.head.hasStream || response.files.length > 0) response.discard();
    error = response.connection.msgpack.decodeError(response.payload);
    if (error === undefined) return response.data();
  } catch (problem) {
    throw new CallError(action, { kind: 'content', error: problem as Error }, 'executed');
  }
  throw new CallError(action, { kind: 'service', ...error }, 'executed');
}

/** A request, which may have several replies. Iterate over it, or take them with `next`. */
export class Request extends Pending implements AsyncIterable<Reply> {
  private readonly replies: Reply[] = [];
  private waiting: { resolve: (reply: Reply) => void; reject: (error: Error) => void }[] = [];
  private error: CallError | undefined;
  /** @internal */
  resolveSent: ((error?: Error) => void) | undefined;

  /** @internal */
  onReply(reply: Reply): void {
    this.hasReply = true;
    const waiter = this.waiting.shift();
    if (waiter !== undefined) waiter.resolve(reply);
    else this.replies.push(reply);
    // A peer that sends replies that nobody takes cannot fill the memory.
    if (this.replies.length > MAX_REPLIES) this.cancel(new RangeError(`more than ${MAX_REPLIES} replies wait`));
  }

  /** @internal */
  protected onFail(error: CallError): void {
    this.error = error;
    for (const waiter of this.waiting) waiter.reject(error);
    this.waiting = [];
  }

  /** The next reply. Rejects with a `CallError` when there is none. */
  next(): Promise<Reply> {
    const reply = this.replies.shift();
    if (reply !== undefined) return Promise.resolve(reply);
    if (this.error !== undefined) return Promise.reject(this.error);
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  /** The next reply, which has to be a response. */
  async response(): Promise<Response> {
    const reply = await this.next();
    if (reply.kind === 'response') return reply.response;
    valueOf(this.target, reply);
    throw new CallError(this.target, { kind: 'refused', code: reply.code }, 'executed');
  }

  /** The value of the next reply. */
  async value<T = unknown>(): Promise<T> {
    return valueOf(this.target, await this.next()) as T;
  }

  /** Replies as they come, until the loop is left or the request fails. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Reply, void, undefined> {
    try {
      for (;;) yield await this.next();
    } finally {
      this.cancel();
    }
  }
}

const MAX_REPLIES = 1024;
