import { Chunks } from './chunks.js';
import { Code, checkCode } from './codes.js';
import type { Connection } from './connection.js';
import { ContentError } from './errors.js';
import { type Metadata, type MetadataEntry, type Trace, isMetadataName } from './extension/metadata.js';
import type { FileSource, Source } from './files.js';
import { type IncomingFile, IncomingStream, type Readers } from './intake.js';
import type { Outgoing } from './outgoing.js';
import type { CallOptions, NotifyOptions, Request, RequestOptions } from './request.js';
import type { Head } from './sink.js';
import { EMPTY } from './wire.js';

/** Metadata to send. Values that are text are sent as UTF-8. */
export interface MetadataInit {
  readonly trace?: Trace;
  readonly attempt?: number;
  readonly entries?: Readonly<Record<string, string | Uint8Array | MetadataEntry>>;
}

/** What a message or response carries. */
export interface MessageContent {
  /** A value, which becomes a MessagePack payload. */
  readonly data?: unknown;
  /** A payload as it is, in place of `data`. */
  readonly payload?: Uint8Array;
  readonly files?: readonly FileSource[];
  readonly stream?: Source;
  /** Needs the extension; without it, it is not sent. */
  readonly metadata?: MetadataInit;
}

/** An answer that is a code alone. */
export class FastReply {
  constructor(
    readonly code: number,
    /** Milliseconds before another attempt; `null` if there should be none. */
    readonly retryAfter?: number | null,
  ) {
    checkCode(code);
  }
}

/** An answer with more than a value. */
export class Respond {
  constructor(readonly content: MessageContent) {}
}

/** An answer that is a code alone, to be returned by a handler. */
export function fastReply(code: number, retryAfter?: number | null): FastReply {
  return new FastReply(code, retryAfter);
}

/** An answer with a raw payload, files, a stream or metadata, to be returned by a handler. */
export function respond(content: MessageContent): Respond {
  return new Respond(content);
}

/**
 * Answers messages of one action. What it returns is the answer: nothing is code 0, a `FastReply` its code, a
 * `Respond` a response, and anything else the value of a response. It may throw a `ServiceError` or a `Refusal`.
 */
export type Handler = (message: IncomingMessage) => unknown;

/** Handlers by their action. */
export type Handlers = Readonly<Record<string, Handler>>;

/** A message or response that arrives. */
export abstract class Arrival {
  private chunks: Chunks | undefined;
  private bytes: Uint8Array = EMPTY;
  /** @internal */
  payloadLeft: number;
  /** @internal */
  isBegun = false;
  /** @internal Whether all of it has arrived. */
  isWhole = false;
  /** @internal Whether nobody will read what comes. */
  isDiscarded = false;
  /** @internal When something of it arrived last, in ticks of the connection. */
  touched = 0;
  private status: { readonly code: number; readonly error: Uint8Array } | undefined;

  private fileList: IncomingFile[] | undefined;
  /** Its stream, if it has one. */
  readonly stream: IncomingStream | undefined;

  /** @internal */
  constructor(
    readonly connection: Connection,
    /** @internal */
    readonly head: Head,
    /** @internal */
    readonly received: Metadata | undefined,
    readers: Readers,
  ) {
    this.payloadLeft = head.payloadSize;
    if (head.hasStream) this.stream = new IncomingStream(readers, head.number);
  }

  /** Its files, in order. */
  get files(): readonly IncomingFile[] {
    return this.fileList ?? NO_FILES;
  }

  /** @internal */
  addFile(file: IncomingFile): void {
    (this.fileList ??= []).push(file);
  }

  /** The payload as it came. */
  get payload(): Uint8Array {
    const { chunks } = this;
    if (chunks !== undefined && this.payloadLeft === 0) {
      // Only if somebody asks for it.
      this.bytes = chunks.join();
      this.chunks = undefined;
    }
    return this.bytes;
  }

  /** The payload as a MessagePack value; `null` without one. Throws a `DecodeError`. */
  data<T = unknown>(): T {
    return this.connection.msgpack.decode(this.payload) as T;
  }

  /** Whether its sender expects a reply. */
  get expectsReply(): boolean {
    return this.head.expectsReply;
  }

  /** Entries that came with it; without the extension there are none. */
  get metadata(): ReadonlyMap<string, MetadataEntry> {
    return this.received?.entries ?? NO_ENTRIES;
  }

  get trace(): Trace | undefined {
    return this.received?.trace;
  }

  /** How often it was sent before. */
  get attempt(): number {
    return this.received?.attempt ?? 0;
  }

  /** @internal */
  setPayload(payload: Uint8Array): void {
    this.bytes = payload;
    this.payloadLeft = 0;
  }

  /** @internal */
  addPayload(bytes: Uint8Array): void {
    this.payloadLeft -= bytes.length;
    if (this.chunks === undefined) {
      if (this.payloadLeft === 0) {
        this.bytes = bytes;
        return;
      }
      this.chunks = new Chunks();
    }
    this.chunks.push(bytes);
  }

  /** @internal Bytes of an incomplete payload. */
  get heldPayload(): number {
    return this.chunks === undefined || this.payloadLeft === 0 ? 0 : this.head.payloadSize - this.payloadLeft;
  }

  /** @internal */
  dropPayload(): void {
    this.chunks = undefined;
    this.isDiscarded = true;
  }

  /** @internal Bytes of content that nobody has read. */
  get unread(): number {
    let sum = this.stream?.unread ?? 0;
    for (const file of this.files) sum += file.unread;
    return sum;
  }

  /** @internal Whether somebody waits for its content. */
  get isAwaited(): boolean {
    return this.stream?.isAwaited === true || this.files.some((file) => file.isAwaited);
  }

  /** @internal */
  setStatus(code: number, error: Uint8Array): void {
    this.status = { code, error };
  }

  /** @internal */
  endStream(): void {
    const { status } = this;
    if (status !== undefined && status.code !== 0) {
      this.stream?.failAfterRest(new ContentError({ kind: 'ended', ...status }));
    } else {
      this.stream?.end();
    }
    this.status = undefined;
  }

  /** @internal */
  failContent(error: ContentError): void {
    this.stream?.fail(error);
    for (const file of this.files) file.fail(error);
  }

  /** @internal */
  abortContent(): void {
    const { status } = this;
    this.failContent(new ContentError(status === undefined ? { kind: 'aborted' } : { kind: 'ended', ...status }));
  }

  /** @internal */
  isAnswered = false;

  /** Answers with a code. Has no effect if no reply is expected. */
  reply(code: number, retryAfter?: number | null): void {
    this.connection.serving.sendFastReply(this, new FastReply(code, retryAfter));
  }

  /**
   * Sends a response, of which there may be several. Resolves when all of it was queued for the socket. Has no effect
   * if no reply is expected.
   */
  respond(content: MessageContent): Promise<void> {
    return this.connection.serving.sendResponse(this, content);
  }

  /** Sends a response that expects a reply. */
  respondWithRequest(content: MessageContent, options?: RequestOptions): Request {
    return this.connection.serving.sendResponseRequest(this, content, options);
  }
}

const NO_ENTRIES: ReadonlyMap<string, MetadataEntry> = new Map();
const NO_FILES: readonly IncomingFile[] = [];

/** A message that a handler answers. Its content can be read until the handler is done and has answered. */
export class IncomingMessage extends Arrival {
  private controller: AbortController | undefined;
  private cause: unknown;
  private isCancelled = false;
  /** @internal When its deadline is, by `performance.now()`. */
  deadlineAt: number | undefined;
  /** @internal */
  timer: NodeJS.Timeout | undefined;
  /** @internal */
  isRunning = false;
  /** @internal Its answer was given in place of its handler: what that answers is dropped. */
  isCut = false;
  /** @internal It was cancelled or aborted, or its deadline has passed, while its handler ran. */
  isEndedEarly = false;
  /** @internal The response whose content is being sent. */
  response: Outgoing | undefined;

  get action(): string {
    return this.head.action;
  }

  /** Milliseconds until nobody waits for the answer; `undefined` if there is no such time. */
  get timeLeft(): number | undefined {
    return this.deadlineAt === undefined ? undefined : Math.max(0, this.deadlineAt - performance.now());
  }

  /** Aborted when the message is cancelled, its deadline passes, or its connection ends. */
  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.isCancelled) this.controller.abort(this.cause);
    }
    return this.controller.signal;
  }

  /** @internal */
  cancel(cause: unknown): void {
    if (this.isCancelled) return;
    this.isCancelled = true;
    this.cause = cause;
    this.controller?.abort(cause);
  }

  /** Calls the sender of this message, within the deadline of this message. */
  call<T = unknown>(action: string, data?: unknown, options?: CallOptions): Promise<T> {
    return this.connection.call<T>(action, data, { ...options, within: this });
  }

  /** Like `call`, for several replies and for replies with content. */
  request(action: string, data?: unknown, options?: RequestOptions): Request {
    return this.connection.request(action, data, { ...options, within: this });
  }

  /** Sends its sender a message that is not answered. */
  notify(action: string, data?: unknown, options?: NotifyOptions): Promise<void> {
    return this.connection.notify(action, data, options);
  }
}

/** An answer with content. */
export class Response extends Arrival {
  /** Reads none of its content that was not read. */
  discard(): void {
    this.stream?.discard();
    for (const file of this.files) file.discard();
  }
}

/** An answer to a request. */
export type Reply =
  | { readonly kind: 'code'; readonly code: number; readonly retryAfter?: number | null }
  | { readonly kind: 'response'; readonly response: Response };

export function codeOfContentError(error: ContentError, isExtended: boolean): number {
  if (error.reason.kind === 'slow') return Code.SlowConsumer;
  if (error.reason.kind === 'aborted' && isExtended) return Code.Cancelled;
  return Code.BadRequest;
}

export function metadataOf(init: MetadataInit): Metadata {
  const entries = new Map<string, MetadataEntry>();
  for (const [name, value] of Object.entries(init.entries ?? {})) {
    if (!isMetadataName(name)) throw new RangeError(`invalid name of metadata: ${JSON.stringify(name)}`);
    if (typeof value === 'string') entries.set(name, { value: Buffer.from(value, 'utf8'), isSecret: name === 'authorization' });
    else if (value instanceof Uint8Array) entries.set(name, { value, isSecret: name === 'authorization' });
    else entries.set(name, value);
  }
  return { trace: init.trace, attempt: init.attempt, entries };
}
