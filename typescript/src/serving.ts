import { Code } from './codes.js';
import type { Connection } from './connection.js';
import { Closed, ContentError, Refusal, ServiceError, StreamError } from './errors.js';
import {
  type Arrival,
  FastReply,
  type Handler,
  IncomingMessage,
  type MessageContent,
  Respond,
  codeOfContentError,
} from './message.js';
import { CANCELLED, type Outgoing } from './outgoing.js';
import { LatePlaces } from './places.js';
import { Request, type RequestOptions } from './request.js';

/** Messages of the peer that are executed: their handlers, answers and deadlines. */
export class Serving {
  /** Requests that are executed, and messages whose content arrives, by number. */
  readonly incoming = new Map<number, IncomingMessage>();
  /** Places that are taken by requests. */
  executing = 0;
  readonly late = new LatePlaces((places) => {
    this.executing -= places;
    if (this.connection.phase === 'leaving') this.connection.writing.schedule();
  });
  waiting: IncomingMessage[] = [];

  constructor(private readonly connection: Connection) {}

  sendFastReply(arrival: Arrival, reply: FastReply): void {
    this.sendCode(arrival, reply.code, reply.retryAfter);
  }

  private sendCode(arrival: Arrival, code: number, retryAfter?: number | null): void {
    const { connection } = this;
    if (!arrival.head.expectsReply || connection.phase === 'closed' || isCut(arrival)) return;
    arrival.isAnswered = true;
    connection.sender.fastReply(arrival.head.id, code, retryAfter);
    connection.writing.schedule();
  }

  /** Resolves when all of the response was queued for the socket. */
  async sendResponse(arrival: Arrival, content: MessageContent): Promise<void> {
    const outgoing = this.respond(arrival, content);
    if (outgoing === undefined || outgoing.state === 'done') return;
    await this.sent(arrival, outgoing);
  }

  /** Sends a response, if a reply is expected. Throws if it cannot be sent. */
  private respond(arrival: Arrival, content: MessageContent): Outgoing | undefined {
    const { connection } = this;
    const { head } = arrival;
    if (!head.expectsReply || isCut(arrival)) return undefined;
    if (connection.reason !== undefined) throw new Closed(connection.reason);
    const id = connection.ids.next();
    const outgoing = connection.calls.outgoing(head.id, id, '', content.data, content, false, undefined);
    connection.sender.submit(outgoing);
    if (outgoing.state === 'failed') throw outgoing.error as Error;
    arrival.isAnswered = true;
    if (outgoing.state !== 'done' && arrival instanceof IncomingMessage) arrival.response = outgoing;
    return outgoing;
  }

  private sent(arrival: Arrival, outgoing: Outgoing): Promise<void> {
    return new Promise((resolve, reject) => {
      outgoing.onDone = (error) => {
        if (arrival instanceof IncomingMessage && arrival.response === outgoing) arrival.response = undefined;
        if (error === undefined) resolve();
        else reject(error);
      };
    });
  }

  sendResponseRequest(arrival: Arrival, content: MessageContent, options: RequestOptions = {}): Request {
    const { connection } = this;
    const request = new Request(connection.calls, connection.ids.next(), 'a response', connection.calls.timeoutOf(options));
    arrival.isAnswered = true;
    connection.calls.begin(request, arrival.head.id, '', content.data, content, options);
    return request;
  }

  settle(arrival: Arrival): void {
    if (!(arrival instanceof IncomingMessage) || !arrival.isBegun || arrival.isRunning || !arrival.isWhole) return;
    this.incoming.delete(arrival.head.number);
    if (this.connection.phase === 'leaving') this.connection.writing.schedule();
  }

  /** When the deadline of a message is. Clocks are set for it only where its handler waits, or its content. */
  setDeadline(message: IncomingMessage): void {
    if (!this.connection.isExtended) return;
    const said = message.received?.deadline;
    let millis: number | null | undefined = said;
    if (said === undefined) {
      const { head } = message;
      const isPlain = head.expectsReply && !head.hasStream && head.fileCount === 0;
      millis = isPlain ? this.connection.sender.settings?.deadlineMillis || undefined : undefined;
    }
    if (millis === undefined || millis === null) return;
    message.deadlineAt = this.connection.reading.arrivedAt + millis;
    if (millis < 10_000 && !message.isWhole) this.watchDeadline(message);
  }

  watchDeadline(message: IncomingMessage): void {
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

  dispatch(message: IncomingMessage): void {
    const { connection } = this;
    message.isBegun = true;
    const { head } = message;
    if (message.deadlineAt === undefined) this.setDeadline(message);
    if (message.deadlineAt !== undefined && message.deadlineAt <= connection.reading.arrivedAt) {
      this.sendFastReply(message, new FastReply(Code.NotBegun));
      return this.end(message);
    }
    const handler = connection.options.handlers.get(head.action) ?? connection.options.fallback;
    if (handler === undefined) {
      const code = head.action === '$sockety.present' ? Code.NotBegun : Code.NotImplemented;
      this.sendFastReply(message, new FastReply(code));
      // The sender of a one-way message is not to be told that nobody knows it: its content just ends.
      return this.end(message, head.expectsReply);
    }
    if (this.executing >= connection.options.limits.requests) {
      // Most handlers end within the same turn of the event loop.
      this.incoming.set(head.number, message);
      message.isRunning = true;
      this.waiting.push(message);
      return;
    }
    this.run(handler, message);
  }

  readonly runWaiting = (): void => {
    const { connection } = this;
    const { waiting } = this;
    this.waiting = [];
    for (const message of waiting) {
      message.isRunning = false;
      if (message.isAnswered || connection.phase === 'closed') {
        this.end(message);
      } else if (this.executing >= connection.options.limits.requests) {
        this.sendFastReply(message, new FastReply(Code.Overloaded));
        this.end(message);
      } else {
        const handler = connection.options.handlers.get(message.head.action) ?? connection.options.fallback;
        this.run(handler as Handler, message);
      }
    }
  };

  private run(handler: Handler, message: IncomingMessage): void {
    let answered: Promise<void> | undefined;
    try {
      const result = handler(message);
      answered = isThenable(result) ? this.answerLater(message, result) : this.answer(message, result);
    } catch (error) {
      this.onThrown(message, error);
    }
    if (answered === undefined) return this.end(message, false);
    this.executing++;
    message.isRunning = true;
    this.incoming.set(message.head.number, message);
    this.watchDeadline(message);
    void this.endAfter(answered, message);
  }

  private async answerLater(message: IncomingMessage, result: PromiseLike<unknown>): Promise<void> {
    await this.answer(message, await result);
  }

  private async endAfter(answered: Promise<void>, message: IncomingMessage): Promise<void> {
    try {
      await answered;
    } catch (error) {
      this.onThrown(message, error);
    } finally {
      if (message.isEndedEarly && this.connection.isExtended) this.late.leave();
      else this.executing--;
      this.end(message, false);
    }
  }

  /** Sends what a handler has returned. Returns what is to be waited for, if anything. */
  private answer(message: IncomingMessage, result: unknown): Promise<void> | undefined {
    if (!message.head.expectsReply || message.isCut) return undefined;
    if (result === undefined) {
      if (!message.isAnswered) this.sendCode(message, Code.Accept);
      return undefined;
    }
    if (result instanceof FastReply) {
      this.sendFastReply(message, result);
      return undefined;
    }
    const outgoing = this.respond(message, result instanceof Respond ? result.content : { data: result });
    if (outgoing === undefined || outgoing.state === 'done') return undefined;
    if (outgoing.hasContent) return this.sent(message, outgoing);
    // Nobody waits until it has its turn: a peer that does not read its answers is not read.
    outgoing.onDone = (error) => {
      if (error === undefined || error === CANCELLED || error instanceof Closed) return;
      message.isAnswered = false;
      this.onThrown(message, error);
    };
    return undefined;
  }

  /** Answers a message whose handler has failed. */
  private onThrown(message: IncomingMessage, error: unknown): void {
    const { connection } = this;
    const { onHandlerError } = connection.options;
    if (message.isCut) return;
    if (error instanceof StreamError && error.reason.kind === 'content') error = error.reason.error;
    if (connection.phase === 'closed' || message.isAnswered) {
      const isMeant = error instanceof ContentError || error instanceof ServiceError || error instanceof Refusal;
      if (!isMeant && connection.phase !== 'closed') onHandlerError?.(error, message.action);
      return;
    }
    if (error instanceof ServiceError) {
      if (!message.head.expectsReply) return;
      try {
        this.respond(message, { payload: connection.msgpack.encodeError(error.name, error.message, error.error) });
        return;
      } catch (problem) {
        error = problem;
      }
    }
    if (error instanceof Refusal) {
      this.sendFastReply(message, new FastReply(error.code, error.retryAfter));
    } else if (error instanceof ContentError) {
      this.sendFastReply(message, new FastReply(codeOfContentError(error, connection.isExtended)));
    } else if (error instanceof Error && error.name === 'DecodeError') {
      this.sendFastReply(message, new FastReply(Code.BadRequest));
    } else {
      onHandlerError?.(error, message.action);
      this.sendFastReply(message, new FastReply(Code.InternalError));
    }
  }

  /** A message is over: its handler has ended, or never begins. */
  end(message: IncomingMessage, isRefused = true): void {
    const { connection } = this;
    message.isRunning = false;
    clearTimeout(message.timer);
    message.timer = undefined;
    const { head } = message;
    if (head.hasStream || head.fileCount > 0) {
      if (!message.isWhole || message.unread > 0) connection.arrivals.dropContent(message, isRefused);
      if (message.isWhole) connection.arrivals.arriving.delete(message);
    } else if (!message.isWhole) {
      connection.arrivals.dropContent(message);
    }
    if (message.isWhole) this.incoming.delete(head.number);
    if (connection.phase === 'leaving') connection.writing.schedule();
  }

  /** Answers a message in place of its handler. */
  private interrupt(message: IncomingMessage, code: number, cause: string): void {
    const { connection } = this;
    const { response } = message;
    if (response !== undefined && response.state !== 'done') {
      // An answer whose content is on its way ends with Status and Abort.
      if (response.state === 'queued') {
        connection.sender.abort(response, CANCELLED);
        this.sendFastReply(message, new FastReply(code));
      } else {
        connection.sender.abort(response, CANCELLED, code);
      }
    } else if (!message.isAnswered) {
      this.sendFastReply(message, new FastReply(code));
    }
    message.isCut = message.isEndedEarly = true;
    message.cancel(new DOMException(cause, code === Code.DeadlineExceeded ? 'TimeoutError' : 'AbortError'));
    if (!message.isWhole || message.unread > 0) {
      message.failContent(new ContentError({ kind: 'aborted' }));
      connection.arrivals.dropContent(message);
    }
  }

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
}

function isCut(arrival: Arrival): boolean {
  return arrival instanceof IncomingMessage && arrival.isCut;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (value instanceof Promise) return true;
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
