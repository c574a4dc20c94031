import type { Connection } from './connection.js';
import { CallError, type CallReason, Closed, LimitError, type Outcome } from './errors.js';
import { NO_METADATA } from './extension/metadata.js';
import { sized } from './files.js';
import type { Id } from './ids.js';
import { type MessageContent, type Response, metadataOf } from './message.js';
import { CANCELLED, Outgoing } from './outgoing.js';
import { PendingTable } from './pending.js';
import { type CallOptions, type NotifyOptions, type Pending, PendingCall, Request, type RequestOptions } from './request.js';
import { LONGEST_TIMER, withoutInfinity } from './timers.js';
import { EMPTY } from './wire.js';

/** Deadlines of this and more are kept to the second. */
const CLOCKED_MILLIS = 10_000;
const NO_FILES: readonly [] = [];
const NO_OPTIONS: RequestOptions = {};

/** Messages of this side, and those of them that wait for replies. */
export class Calls {
  readonly pending = new PendingTable();

  constructor(private readonly connection: Connection) {}

  /** Calls the peer. Resolves with the value of its answer, and rejects with a `CallError`. */
  call<T = unknown>(action: string, data?: unknown, options: CallOptions = NO_OPTIONS): Promise<T> {
    return new Promise((resolve, reject) => {
      const id = options.resent?.id ?? this.connection.ids.next();
      const millis = this.timeoutOf(options);
      const call = new PendingCall(this, id, action, millis, resolve as (value: unknown) => void, reject);
      this.begin(call, undefined, action, data, options, options);
    });
  }

  /** Sends a message whose replies may be several, or have content. Its failure is that of its replies. */
  request(action: string, data?: unknown, options: RequestOptions = NO_OPTIONS): Request {
    const request = new Request(this, this.connection.ids.next(), action, this.timeoutOf(options));
    this.begin(request, undefined, action, data, options, options);
    return request;
  }

  /** Sends a message that is not answered. Resolves when all of it was queued for the socket. */
  notify(action: string, data?: unknown, options: NotifyOptions = NO_OPTIONS): Promise<void> {
    const { connection } = this;
    return new Promise((resolve, reject) => {
      let outgoing: Outgoing;
      const fail = (reason: CallReason): void =>
        reject(new CallError(action, reason, outgoing === undefined || outgoing.number < 0 ? 'not-sent' : 'unknown'));
      try {
        const unsent = connection.leaving.unsent();
        if (unsent !== undefined) return fail({ kind: 'closed', reason: unsent });
        const id = options.resent?.id ?? connection.ids.next();
        outgoing = this.outgoing(undefined, id, action, data, options, false, undefined);
        const { signal } = options;
        const onAbort = (): void => connection.sender.abort(outgoing, new DOMException('aborted', 'AbortError'));
        outgoing.onDone = (error) => {
          signal?.removeEventListener('abort', onAbort);
          if (error === undefined) return resolve();
          if (signal?.aborted === true) return fail({ kind: 'cancelled', cause: signal.reason });
          fail(this.reasonOf(error));
        };
        if (signal?.aborted === true) return fail({ kind: 'cancelled', cause: signal.reason });
        signal?.addEventListener('abort', onAbort, { once: true });
        connection.sender.submit(outgoing);
      } catch (error) {
        fail(this.reasonOf(error as Error));
      }
    });
  }

  /** How many bytes of replies to one request may wait. */
  get heldPayloadBytes(): number {
    return this.connection.options.limits.heldPayloadBytes;
  }

  timeoutOf(options: RequestOptions): number | null {
    return options.timeout === undefined ? this.connection.options.timeout : withoutInfinity(options.timeout);
  }

  begin(
    pending: Pending,
    parent: Id | undefined,
    action: string,
    data: unknown,
    content: MessageContent,
    options: RequestOptions,
  ): void {
    const { connection } = this;
    const unsent = parent === undefined ? connection.leaving.unsent() : connection.reason;
    if (unsent !== undefined) return pending.fail({ kind: 'closed', reason: unsent }, 'not-sent');
    const { millis } = pending;
    const spent = options.since === undefined ? 0 : performance.now() - options.since;
    // Less than its interval is nothing to the clock.
    const isDefault = millis === connection.options.timeout && options.within === undefined && spent < connection.clock.interval;
    const hasContent = content.stream !== undefined || (content.files !== undefined && content.files.length > 0);
    let deadline: number | undefined;
    let isClocked = false;
    if (isDefault && !hasContent && millis !== null && millis >= CLOCKED_MILLIS) {
      // The settings have said it, and the clock of the connection is exact enough.
      pending.deadline = connection.clock.now + millis - spent + connection.clock.interval;
    } else {
      const now = performance.now();
      deadline = millis === null ? undefined : now - spent + millis;
      const within = options.within?.deadlineAt;
      // ext.meta.nested
      if (within !== undefined && (deadline === undefined || within < deadline)) {
        deadline = within;
        if (within <= now) return pending.fail({ kind: 'timeout', millis: 0 }, 'not-sent');
      }
      if (spent > 0 && deadline !== undefined && deadline <= now) return pending.timeOut();
      if (deadline !== undefined && deadline - now > LONGEST_TIMER) {
        pending.deadline = connection.clock.now + (deadline - now);
        isClocked = true;
      }
    }
    const said = isDefault && !hasContent ? undefined : (deadline ?? null);
    try {
      const outgoing = this.outgoing(parent, pending.id, action, data, content, true, said);
      this.pending.add(pending);
      pending.start(outgoing, isClocked ? undefined : deadline, options.signal);
      if (pending.isOver) return;
      connection.sender.submit(outgoing);
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

  outgoing(
    parent: Id | undefined,
    id: Id,
    action: string,
    data: unknown,
    content: MessageContent & Pick<NotifyOptions, 'resent'>,
    expectsReply: boolean,
    deadline: number | null | undefined,
  ): Outgoing {
    let payload = content.payload ?? EMPTY;
    let rest = EMPTY;
    if (content.payload === undefined && data !== undefined) {
      [payload, rest] = this.connection.msgpack.encodeParts(data);
    }
    const files = content.files === undefined || content.files.length === 0 ? NO_FILES : content.files.map(sized);
    let metadata = content.metadata === undefined ? undefined : metadataOf(content.metadata);
    if (content.resent !== undefined && content.resent.attempt > 0) {
      metadata = { ...(metadata ?? NO_METADATA), attempt: content.resent.attempt };
    }
    return new Outgoing(parent, id, action, expectsReply, payload, rest, files, content.stream, metadata, deadline);
  }

  /** The request that a response answers, if it still waits. */
  answered(response: Response): Pending | undefined {
    const { parent } = response.head;
    return parent === undefined ? undefined : this.pending.get(parent);
  }

  /** A caller waits no more. Returns whether its message may have been executed. */
  giveUp(pending: Pending): Outcome {
    const { connection } = this;
    const { outgoing } = pending;
    if (outgoing === undefined) return 'not-sent';
    outgoing.onDone = undefined;
    if (outgoing.state === 'queued') {
      connection.sender.abort(outgoing, CANCELLED);
      return 'not-sent';
    }
    // ext.cancel: content that is still being sent is aborted before.
    if (outgoing.state === 'open') connection.sender.abort(outgoing, CANCELLED);
    if (connection.isExtended && outgoing.number >= 0 && connection.phase !== 'closed' && !connection.hasPeerEnded) {
      connection.sender.encoder.cancel(outgoing.number);
      connection.writing.schedule();
    }
    return 'unknown';
  }

  forget(pending: Pending): void {
    this.pending.delete(pending);
    if (this.pending.size === 0 && this.connection.leaving.isUnderWay) this.connection.writing.schedule();
  }
}
