import type { Calls } from './calls.js';
import { Code, isNotExecuted } from './codes.js';
import { CallError, type CallReason, type Outcome } from './errors.js';
import type { FileSource, Source } from './files.js';
import type { Id } from './ids.js';
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
  readonly resent?: { readonly id: Id; readonly attempt: number };
}

export interface RequestOptions extends NotifyOptions {
  /** Milliseconds until the request fails; `null`: never. Default: that of the connection, 30 s. */
  readonly timeout?: number | null;
  /** A message whose deadline is that of the request too, if it is earlier. */
  readonly within?: IncomingMessage;
  /** @internal Since when its caller waits, by `performance.now()`, if it has waited for a connection. */
  readonly since?: number;
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
  /** @internal Another request whose id begins with the same bits. */
  sibling: Pending | undefined;
  /** @internal */
  hasReply = false;

  /** @internal */
  constructor(
    /** @internal */
    readonly owner: Calls,
    /** @internal */
    readonly id: Id,
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
    if (this.timer !== undefined) clearTimeout(this.timer);
    if (this.onAbort !== undefined) this.signal?.removeEventListener('abort', this.onAbort);
    this.owner.forget(this);
  }
}

/** A call, which has one reply. */
export class PendingCall extends Pending {
  /** @internal */
  constructor(
    owner: Calls,
    id: Id,
    target: string,
    millis: number | null,
    private readonly resolve: (value: unknown) => void,
    private readonly reject: (error: Error) => void,
  ) {
    super(owner, id, target, millis);
  }

  onReply(reply: Reply): void {
    this.finish();
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

interface Waiter {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: CallError) => void;
}

/**
 * A request, which may have several replies. Take one with `response` or `value`, which end it; take several by
 * iterating over it, or with `next` until `cancel`.
 */
export class Request extends Pending implements AsyncIterable<Reply> {
  private replies: Reply[] | undefined;
  /** Bytes of the payloads of these. */
  private held = 0;
  private waiting: Waiter[] | undefined;
  private error: CallError | undefined;

  /** @internal */
  onReply(reply: Reply): void {
    this.hasReply = true;
    const waiter = this.waiting?.shift();
    if (waiter !== undefined) {
      waiter.resolve(reply);
    } else {
      (this.replies ??= []).push(reply);
      this.held += payloadSize(reply);
    }
    // No other follows a code.
    if (reply.kind === 'code') this.end();
    // A peer that sends replies that nobody takes cannot fill the memory.
    else if (this.replies !== undefined && this.replies.length > 1) this.checkHeld(this.replies.length);
  }

  private checkHeld(count: number): void {
    if (count > MAX_REPLIES) this.cancel(new RangeError(`more than ${MAX_REPLIES} replies wait`));
    const limit = this.owner.heldPayloadBytes;
    if (this.held > limit) this.cancel(new RangeError(`replies with ${this.held} bytes wait: maximum is ${limit}`));
  }

  /** @internal */
  protected onFail(error: CallError): void {
    this.error = error;
    const { waiting } = this;
    this.waiting = undefined;
    for (const waiter of waiting ?? []) waiter.reject(error);
  }

  /** Takes no more replies than those that are there. */
  private end(): void {
    if (!this.isOver) this.finish();
    const { waiting } = this;
    this.waiting = undefined;
    for (const waiter of waiting ?? []) waiter.reject(this.over());
  }

  private over(): CallError {
    return this.error ?? new CallError(this.target, { kind: 'cancelled', cause: 'the request is over' }, 'executed');
  }

  private take(resolve: (reply: Reply) => void, reject: (error: CallError) => void): void {
    const reply = this.replies?.shift();
    if (reply !== undefined) {
      this.held -= payloadSize(reply);
      resolve(reply);
    } else if (this.isOver) reject(this.over());
    else (this.waiting ??= []).push({ resolve, reject });
  }

  /** The next reply. Rejects with a `CallError` when there is none. */
  next(): Promise<Reply> {
    return new Promise((resolve, reject) => this.take(resolve, reject));
  }

  /** The next reply, which has to be a response. It ends the request: others are dropped. */
  response(): Promise<Response> {
    return new Promise((resolve, reject) => {
      this.take((reply) => {
        this.close();
        if (reply.kind === 'response') return resolve(reply.response);
        try {
          valueOf(this.target, reply);
        } catch (error) {
          return reject(error as Error);
        }
        reject(new CallError(this.target, { kind: 'refused', code: reply.code }, 'executed'));
      }, reject);
    });
  }

  /** The value of the next reply. It ends the request: others are dropped. */
  value<T = unknown>(): Promise<T> {
    return new Promise((resolve, reject) => {
      this.take((reply) => {
        this.close();
        try {
          resolve(valueOf(this.target, reply) as T);
        } catch (error) {
          reject(error as Error);
        }
      }, reject);
    });
  }

  private close(): void {
    this.end();
    const { replies } = this;
    this.replies = undefined;
    for (const reply of replies ?? []) {
      if (reply.kind === 'response') reply.response.discard();
    }
  }

  /** Replies as they come, until the loop is left or the request fails. A code ends it. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Reply, void, undefined> {
    try {
      for (;;) {
        const reply = await this.next();
        yield reply;
        if (reply.kind === 'code') return;
      }
    } finally {
      this.cancel();
      this.close();
    }
  }
}

const MAX_REPLIES = 1024;

function payloadSize(reply: Reply): number {
  return reply.kind === 'response' ? reply.response.head.payloadSize : 0;
}
