import { Code, checkCode } from './codes.js';

/** Whether the peer may have executed a message. */
export type Outcome =
  /** Not a byte of it was written. */
  | 'not-sent'
  /** The peer has not executed it, and will not. */
  | 'not-executed'
  /** It was written, or may have been, and no answer came. */
  | 'unknown'
  /** The peer has answered it. */
  | 'executed';

/** Why a connection has ended. */
export type CloseReason =
  /** This side closed it. */
  | { readonly kind: 'closed' }
  /** The peer ended it, in order or after it has said that it leaves. */
  | { readonly kind: 'peer'; readonly message: string }
  /** The peer broke a rule of the protocol. */
  | { readonly kind: 'protocol'; readonly error: ProtocolError }
  /** The peer exceeded a limit of this side. */
  | { readonly kind: 'limit'; readonly error: LimitError }
  /** Nothing came from the peer for the idle timeout. */
  | { readonly kind: 'idle'; readonly millis: number }
  /** The peer has read nothing for the write timeout. */
  | { readonly kind: 'stalled'; readonly millis: number }
  /** The socket failed. */
  | { readonly kind: 'socket'; readonly error: Error };

/** Why a call has failed. `E` is the type of the data of the service's errors. */
export type CallReason<E = unknown> =
  /** The service answered with an error of its own. */
  | { readonly kind: 'service'; readonly name: string; readonly message: string; readonly error: E }
  /** The peer answered with a code other than 0, which is one of the service's errors or a refusal. */
  | { readonly kind: 'refused'; readonly code: number; readonly retryAfter?: number | null }
  /** The handler of the peer has failed. */
  | { readonly kind: 'remote'; readonly code: number; readonly message: string }
  /** There is no connection any more, or the peer leaves it. */
  | { readonly kind: 'closed'; readonly reason: CloseReason }
  /** There was no answer in time. */
  | { readonly kind: 'timeout'; readonly millis: number }
  /** The caller has cancelled it. */
  | { readonly kind: 'cancelled'; readonly cause: unknown }
  /** The message exceeds what the peer accepts, or what the protocol can express. */
  | { readonly kind: 'limit'; readonly error: LimitError }
  /** Something of its content failed: a source of a file or stream, or a payload that cannot be read. */
  | { readonly kind: 'content'; readonly error: Error };

/** A call, or a message without a reply, that has failed. */
export class CallError<E = unknown> extends Error {
  override readonly name = 'CallError';

  constructor(
    readonly action: string,
    readonly reason: CallReason<E>,
    readonly outcome: Outcome,
  ) {
    super(`${action}: ${describe(reason)}`, { cause: causeOf(reason) });
  }
}

/** Whether a value is an error of a call. */
export function isCallError(value: unknown): value is CallError {
  return value instanceof CallError;
}

/** A connection that could not be made. */
export class ConnectError extends Error {
  override readonly name = 'ConnectError';

  constructor(
    readonly reason:
      | { readonly kind: 'address'; readonly address: string }
      | { readonly kind: 'unreachable'; readonly error: Error }
      | { readonly kind: 'timeout'; readonly millis: number }
      | { readonly kind: 'cancelled'; readonly cause: unknown }
      | { readonly kind: 'handshake'; readonly reason: CloseReason },
  ) {
    super(`cannot connect: ${describeConnect(reason)}`);
  }
}

/** The peer broke a rule of the protocol, which ends the connection. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';

  /** @param rule The id of the rule in PROTOCOL.md, such as `packet.switch.range`. */
  constructor(
    readonly rule: string,
    message: string,
  ) {
    super(`${rule}: ${message}`);
  }
}

/** A number exceeds its limit. */
export class LimitError extends Error {
  override readonly name = 'LimitError';

  constructor(
    readonly what: string,
    readonly size: number,
    readonly limit: number,
    readonly rule = 'limits.refuse',
  ) {
    super(`${rule}: ${what} of ${size} exceeds the limit of ${limit}`);
  }
}

/** The end of a file or stream that is not its regular end. */
export class ContentError extends Error {
  override readonly name = 'ContentError';

  constructor(
    readonly reason:
      | { readonly kind: 'aborted' }
      | { readonly kind: 'short'; readonly missing: number }
      | { readonly kind: 'ended'; readonly code: number; readonly error: Uint8Array }
      | { readonly kind: 'refused'; readonly message: string }
      | { readonly kind: 'slow' }
      | { readonly kind: 'source'; readonly message: string }
      | { readonly kind: 'closed'; readonly reason: CloseReason },
  ) {
    super(describeContent(reason));
  }
}

/** Why a stream of values has ended early. `E` is the type of the error that its service declares. */
export type StreamReason<E = unknown> =
  /** The service has ended it with its error. */
  | { readonly kind: 'service'; readonly name: string; readonly message: string; readonly error: E }
  /** The service has ended it with an error that this side does not know. */
  | { readonly kind: 'remote'; readonly message: string }
  /** It broke off (a `ContentError`), or an item cannot be read (a `DecodeError`). */
  | { readonly kind: 'content'; readonly error: Error };

/** A stream of values that has ended early. No further item follows. */
export class StreamError<E = unknown> extends Error {
  override readonly name = 'StreamError';

  constructor(readonly reason: StreamReason<E>) {
    super(describeStream(reason), { cause: reason.kind === 'remote' ? undefined : reason.error });
  }
}

/**
 * An error of a service. Thrown by a handler, the caller gets it with its name, its message and its data; thrown by the
 * source of a stream, the reader of the stream does. A reader of a stream of values gets one thrown.
 */
export class ServiceError<E = unknown> extends Error {
  /** @param code Of a stream of bytes that it ends. Answers and streams of values have none. */
  constructor(
    override readonly name: string,
    message: string,
    readonly error: E,
    readonly code: number = Code.InternalError,
  ) {
    super(message);
  }
}

/**
 * Thrown by a handler: the message is answered with a code. Thrown by the source of a stream of bytes: the stream ends
 * with it.
 */
export class Refusal extends Error {
  override readonly name = 'Refusal';

  /** @param retryAfter Milliseconds before another attempt; `null` if there should be none. */
  constructor(
    readonly code: number,
    readonly retryAfter?: number | null,
  ) {
    super(`refused with code ${code}`);
    checkCode(code);
  }
}

/** The end of a connection as an error. */
export class Closed extends Error {
  constructor(readonly reason: CloseReason) {
    super(`the connection has ended: ${reason.kind}`);
  }
}

function describeStream(reason: StreamReason): string {
  switch (reason.kind) {
    case 'service':
      return `${reason.name}: ${reason.message}`;
    case 'remote':
      return reason.message;
    case 'content':
      return 'the stream broke off, or cannot be read';
  }
}

export function describeClose(reason: CloseReason): string {
  switch (reason.kind) {
    case 'closed':
      return 'this side closed the connection';
    case 'peer':
      return reason.message;
    case 'protocol':
      return `the peer broke ${reason.error.message}`;
    case 'limit':
      return `the peer exceeded ${reason.error.message}`;
    case 'idle':
      return `nothing came from the peer for ${reason.millis} ms`;
    case 'stalled':
      return `the peer has read nothing for ${reason.millis} ms`;
    case 'socket':
      return 'the socket failed';
  }
}

function describe(reason: CallReason): string {
  switch (reason.kind) {
    case 'service':
      return `${reason.name}: ${reason.message}`;
    case 'refused':
      return `refused with code ${reason.code}`;
    case 'remote':
      return `the peer failed with code ${reason.code}`;
    case 'closed':
      return describeClose(reason.reason);
    case 'timeout':
      return `no reply within ${reason.millis} ms`;
    case 'cancelled':
      return 'cancelled by the caller';
    case 'limit':
      return 'the message is too large';
    case 'content':
      return 'its content failed';
  }
}

function causeOf(reason: CallReason): unknown {
  switch (reason.kind) {
    case 'service':
      return reason.error;
    case 'cancelled':
      return reason.cause;
    case 'limit':
    case 'content':
      return reason.error;
    case 'closed':
      return 'error' in reason.reason ? reason.reason.error : undefined;
    default:
      return undefined;
  }
}

function describeConnect(reason: ConnectError['reason']): string {
  switch (reason.kind) {
    case 'address':
      return `invalid address ${JSON.stringify(reason.address)}`;
    case 'unreachable':
      return reason.error.message;
    case 'timeout':
      return `not connected within ${reason.millis} ms`;
    case 'cancelled':
      return 'cancelled by the caller';
    case 'handshake':
      return describeClose(reason.reason);
  }
}

function describeContent(reason: ContentError['reason']): string {
  switch (reason.kind) {
    case 'aborted':
      return 'the sender has aborted the message';
    case 'short':
      return `the file is ${reason.missing} bytes shorter than announced`;
    case 'ended':
      return `the stream ended with code ${reason.code}`;
    case 'refused':
      return reason.message;
    case 'slow':
      return 'nobody has read for too long';
    case 'source':
      return reason.message;
    case 'closed':
      return describeClose(reason.reason);
  }
}
