/**
 * What generated code is built on. It may change with the generator: use it through generated code, but for the types
 * that are in the signatures there.
 */
import type { Client } from './client.js';
import { Code } from './codes.js';
import type { Connection } from './connection.js';
import { CallError, ContentError, Refusal, ServiceError, StreamError } from './errors.js';
import type { FileSource, Source } from './files.js';
import type { IncomingFile, IncomingStream } from './intake.js';
import { type Handler, type Handlers, type IncomingMessage, type Reply, type Response, respond } from './message.js';
import { DecodeError, Msgpack } from './msgpack.js';
import { type CallOptions, valueOf } from './request.js';
import { type Check, received } from './check.js';

export * from './check.js';
export { CallError, StreamError } from './errors.js';
export type { FileSource, Source } from './files.js';
export type { IncomingFile, IncomingStream } from './intake.js';
export type { Handlers, IncomingMessage } from './message.js';

/** What calls are sent through. A message sends them to its sender, within its deadline. */
export type Peer = Connection | Client | IncomingMessage;

/** What a call can have besides its arguments. */
export type Options = Pick<CallOptions, 'timeout' | 'signal' | 'metadata' | 'within'>;

/** What a message can have that is not answered. */
export type NotifyOptions = Pick<CallOptions, 'signal' | 'metadata'>;

/** What a handler may return: the value, or a promise of it. */
export type Result<T> = T | Promise<T>;

/** Values to send as a stream. If their source throws a failure of the service, that ends the stream for its reader. */
export type Items<T> = AsyncIterable<T> | Iterable<T>;

/** A parameter, or a part of a reply. */
export type Part =
  | {
      readonly kind: 'payload';
      /** Its key, where several parameters share a payload. */
      readonly name?: string;
      /** Other keys that are read as it. */
      readonly aliases?: readonly string[];
      readonly check: Check<unknown>;
    }
  | { readonly kind: 'file' }
  | { readonly kind: 'files' }
  | { readonly kind: 'items'; readonly check: Check<unknown>; readonly errors?: ErrorVariants }
  | { readonly kind: 'bytes' };

/** A variant of an error. One without details travels as its code alone. */
export interface ErrorVariant {
  readonly name: string;
  readonly code: number;
  readonly message: string;
  /** Whether a value is this variant. */
  readonly check: Check<unknown>;
  /** The variant as a value, if it has no details. */
  readonly value?: unknown;
  readonly hasDetails: boolean;
}

/** The error of an action. */
export type ErrorVariants = readonly ErrorVariant[];

/** An action. */
export interface Action {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly isOneWay?: boolean;
  readonly timeout?: number;
  readonly parameters: readonly Part[];
  readonly returns: readonly Part[];
  readonly errors?: ErrorVariants;
}

/** Thrown by a handler, or by the source of a stream: a variant of an error of the service. */
export class Failure<E = unknown> extends Error {
  override readonly name: string = 'Failure';
  /** @internal As an item of a stream, which has the value always. */
  readonly item: ServiceError;
  /** @internal As an answer, or the end of a stream of bytes. */
  readonly answer: ServiceError | Refusal;

  constructor(
    readonly error: E,
    variants: ErrorVariants,
  ) {
    const variant = variants.find(({ check }) => check(error));
    if (variant === undefined) throw new TypeError('the value is no variant of the error');
    super(variant.message);
    this.item = new ServiceError(variant.name, variant.message, error, variant.code);
    this.answer = variant.hasDetails ? this.item : new Refusal(variant.code);
  }
}

/** The error that the service has answered a call with, or ended a stream with; `undefined` for any other problem. */
export function errorOf<E>(error: unknown, variants: ErrorVariants): E | undefined {
  if (error instanceof ContentError) return ended(error, variants)?.error as E | undefined;
  if (!(error instanceof CallError || error instanceof StreamError) || error.reason.kind !== 'service') return undefined;
  const { error: value } = error.reason;
  return variants.some(({ check }) => check(value)) ? (value as E) : undefined;
}

/** An error of the service, as it is shown to callers and readers. */
interface ServiceReason {
  readonly kind: 'service';
  readonly name: string;
  readonly message: string;
  readonly error: unknown;
}

/** An error that has arrived as a value. `undefined` for one of a later version. */
function known(variants: ErrorVariants, name: string, message: string, error: unknown): ServiceReason | undefined {
  const variant = variants.find((each) => each.name === name);
  const own = variant === undefined ? undefined : received(variant.check, error);
  return own === undefined ? undefined : { kind: 'service', name, message, error: own.value };
}

/** An error that has arrived as its code. */
function coded(variants: ErrorVariants, code: number): ServiceReason | undefined {
  const variant = variants.find((each) => !each.hasDetails && each.code === code);
  if (variant === undefined) return undefined;
  const { name, message, value } = variant;
  return { kind: 'service', name, message, error: value };
}

/** The error with which a stream of bytes was ended. */
function ended({ reason }: ContentError, variants: ErrorVariants): ServiceReason | undefined {
  if (reason.kind !== 'ended') return undefined;
  if (reason.error.length === 0) return coded(variants, reason.code);
  try {
    const error = msgpack.decodeError(reason.error);
    return error === undefined ? undefined : known(variants, error.name, error.message, error.error);
  } catch (problem) {
    if (problem instanceof DecodeError) return undefined;
    throw problem;
  }
}

/** A message that can be sent later, and several times unless it has files or a stream. */
export interface Draft<T> {
  readonly action: string;
  send(peer: Peer, options?: Options): Promise<T>;
}

export function draft<T>(action: Action, values: readonly unknown[]): Draft<T> {
  return {
    action: action.name,
    send: (peer, options) => call<T>(peer, action, values, options),
  };
}

/** Calls an action with the values of its parameters, in their order. */
export async function call<T>(peer: Peer, action: Action, values: readonly unknown[], options?: Options): Promise<T> {
  const { name, returns } = action;
  const content = contentOf(action.parameters, values);
  const { data } = content;
  if (action.isOneWay === true) {
    await peer.notify(name, data, { ...options, ...content.rest });
    return undefined as T;
  }
  const all = { timeout: action.timeout, ...options, ...content.rest };
  if (all.timeout === undefined) delete all.timeout;
  try {
    if (returns.every(({ kind }) => kind === 'payload')) {
      const value = await peer.call(name, data, all);
      const [part] = returns;
      if (part === undefined) return undefined as T;
      if (part.kind !== 'payload') return value as T;
      const own = received(part.check, value);
      if (own === undefined) throw mismatch(name, 'the value of the reply');
      return own.value as T;
    }
    const request = await peer.request(name, data, all);
    const reply = await request.next();
    request.finish();
    return partsOf(action, reply) as T;
  } catch (error) {
    throw typed(error, action.errors);
  }
}

function mismatch(action: string, what: string): CallError {
  const error = new DecodeError(`${what} is not of its type`);
  return new CallError(action, { kind: 'content', error }, 'executed');
}

/** Errors that travel as a code get their value; those that are not known become `remote`. */
function typed(error: unknown, variants: ErrorVariants = []): unknown {
  if (!(error instanceof CallError)) return error;
  const { action, reason, outcome } = error;
  if (reason.kind === 'refused') {
    const own = coded(variants, reason.code);
    return own === undefined ? error : new CallError(action, own, outcome);
  }
  if (reason.kind !== 'service') return error;
  const detailed = variants.filter(({ hasDetails }) => hasDetails);
  const own = known(detailed, reason.name, reason.message, reason.error);
  if (own !== undefined) return new CallError(action, own, outcome);
  const message = `${reason.name}: ${reason.message}`;
  return new CallError(action, { kind: 'remote', code: Code.InternalError, message }, outcome);
}

const msgpack = new Msgpack();

/** Values as the content of a message. */
function contentOf(parts: readonly Part[], values: readonly unknown[]) {
  let data: unknown;
  let files: FileSource[] | undefined;
  let stream: Source | undefined;
  const isMap = parts.filter(({ kind }) => kind === 'payload').length > 1;
  if (isMap) data = {};
  parts.forEach((part, index) => {
    const value = values[index];
    switch (part.kind) {
      case 'payload':
        if (isMap) (data as Record<string, unknown>)[part.name as string] = value;
        else data = value ?? null;
        break;
      case 'file':
        (files ??= []).push(value as FileSource);
        break;
      case 'files':
        (files ??= []).push(...(value as FileSource[]));
        break;
      case 'items':
        stream = msgpack.encodeStream(failing(value as Items<unknown>, ({ item }) => item));
        break;
      case 'bytes':
        stream = failing(value as Source, ({ answer }) => answer);
        break;
    }
  });
  const rest: { files?: FileSource[]; stream?: Source } = {};
  if (files !== undefined) rest.files = files;
  if (stream !== undefined) rest.stream = stream;
  return { data, rest };
}

/** The same source, which throws failures as what they are sent as. */
async function* failing<T>(source: AsyncIterable<T> | Iterable<T>, sent: (failure: Failure) => Error): AsyncGenerator<T> {
  try {
    yield* source;
  } catch (error) {
    throw error instanceof Failure ? sent(error) : error;
  }
}

/** Values that arrive as a stream, for one reader. Iterating over them throws a `StreamError<E>` if the stream ends early. */
export class ItemStream<T, E = never> implements AsyncIterable<T> {
  private end: StreamError<E> | undefined;

  constructor(
    private readonly stream: IncomingStream | undefined,
    private readonly connection: Connection,
    private readonly check: Check<unknown>,
    private readonly errors: ErrorVariants = [],
  ) {}

  /** Why it has ended early; `undefined` before that, and after a regular end. */
  get error(): StreamError<E> | undefined {
    return this.end;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    // A stream that did not come has no items.
    if (this.stream === undefined) return;
    try {
      for await (const item of this.connection.msgpack.decodeStream(this.stream)) {
        const own = received(this.check, item);
        if (own === undefined) throw new DecodeError('an item of the stream is not of its type');
        yield own.value as T;
      }
    } catch (error) {
      this.end = streamError(error, this.errors) as StreamError<E>;
      throw this.end;
    }
  }

  /** Nobody will read the rest: its sender is asked to stop. */
  discard(): void {
    this.stream?.discard();
  }
}

function streamError(error: unknown, variants: ErrorVariants): StreamError {
  if (error instanceof ServiceError) {
    const { name, message } = error;
    const own = known(variants, name, message, error.error);
    return new StreamError(own ?? { kind: 'remote', message: `${name}: ${message}` });
  }
  const own = error instanceof ContentError ? ended(error, variants) : undefined;
  return new StreamError(own ?? { kind: 'content', error: error as Error });
}

/** Files and streams of what has arrived, and what `payload` makes of the parts of its payload. */
function arrived(
  arrival: Response | IncomingMessage,
  parts: readonly Part[],
  payload: (part: Part & { kind: 'payload' }) => unknown,
): unknown[] {
  let next = 0;
  const { files, stream, connection } = arrival;
  const values = parts.map((part): unknown => {
    switch (part.kind) {
      case 'payload':
        return payload(part);
      case 'file': {
        const file: IncomingFile | undefined = files[next++];
        if (file === undefined) throw new DecodeError(`the file ${next} is missing: there are ${files.length}`);
        return file;
      }
      case 'files': {
        const rest = files.slice(next);
        next = files.length;
        return rest;
      }
      case 'items':
        return new ItemStream(stream, connection, part.check, part.errors);
      case 'bytes':
        if (stream === undefined) throw new DecodeError('the stream is missing');
        return stream;
    }
  });
  // What the action does not have, nobody reads.
  for (const file of files.slice(next)) file.discard();
  if (!parts.some(({ kind }) => kind === 'items' || kind === 'bytes')) stream?.discard();
  return values;
}

function partsOf(action: Action, reply: Reply): unknown {
  const { name, returns } = action;
  if (reply.kind === 'code') {
    valueOf(name, reply);
    throw mismatch(name, 'the reply');
  }
  const { response } = reply;
  try {
    const error = response.connection.msgpack.decodeError(response.payload);
    if (error !== undefined) throw new CallError(name, { kind: 'service', ...error }, 'executed');
    const values = arrived(response, returns, ({ check }) => {
      const own = received(check, response.data());
      if (own === undefined) throw new DecodeError('the value of the reply is not of its type');
      return own.value;
    });
    return returns.length === 1 ? values[0] : values;
  } catch (error) {
    response.discard();
    if (error instanceof CallError) throw error;
    throw new CallError(name, { kind: 'content', error: error as Error }, 'executed');
  }
}

type Method = (...values: unknown[]) => unknown;

/** Handlers of actions, of which `service` has the methods. */
export function handlers(actions: Readonly<Record<string, Action>>, service: object): Handlers {
  const all: [string, Handler][] = [];
  for (const [method, action] of Object.entries(actions)) {
    const implementation = (service as Record<string, unknown>)[method];
    if (typeof implementation !== 'function') throw new TypeError(`the service has no method ${JSON.stringify(method)}`);
    const handler = handlerOf(action, implementation.bind(service) as Method);
    for (const name of [action.name, ...(action.aliases ?? [])]) all.push([name, handler]);
  }
  return Object.fromEntries(all);
}

function handlerOf(action: Action, method: Method): Handler {
  const { parameters, returns } = action;
  const isMap = parameters.filter(({ kind }) => kind === 'payload').length > 1;
  const hasValueOnly = returns.length === 1 && returns[0].kind === 'payload';
  return async (message) => {
    const values = argumentsOf(message, parameters, isMap);
    let result;
    try {
      result = await method(...values, message);
    } catch (error) {
      throw error instanceof Failure ? error.answer : error;
    }
    if (returns.length === 0) return undefined;
    if (hasValueOnly) return result ?? null;
    const { data, rest } = contentOf(returns, returns.length === 1 ? [result] : (result as unknown[]));
    return respond({ ...rest, data });
  };
}

function argumentsOf(message: IncomingMessage, parameters: readonly Part[], isMap: boolean): unknown[] {
  let data: unknown;
  if (parameters.some(({ kind }) => kind === 'payload')) data = message.data();
  if (isMap && (typeof data !== 'object' || data === null)) throw new Refusal(Code.BadRequest);
  return arrived(message, parameters, ({ check, name, aliases = [] }) => {
    const entries = data as Record<string, unknown>;
    const key = [name as string, ...aliases].find((key) => isMap && Object.hasOwn(entries, key));
    const own = received(check, isMap ? (key === undefined ? undefined : entries[key]) : data);
    if (own === undefined) throw new Refusal(Code.BadRequest);
    return own.value;
  });
}
