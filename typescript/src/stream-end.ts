import { MAX_CODE } from './codes.js';
import { ContentError, Refusal, ServiceError } from './errors.js';
import { Msgpack } from './msgpack.js';
import { EMPTY } from './wire.js';

/** The Status with which a stream of bytes ends (`ext.status.content`). */
export interface StreamEnd {
  readonly code: number;
  readonly error: Uint8Array;
}

/** The most bytes of an error in a Status packet. A longer one leaves the code alone. */
const MAX_ERROR = 4096;

const msgpack = new Msgpack();

/**
 * How a stream of bytes ends whose source has thrown this: with the code, and the error of the service if there is one.
 * `undefined` if it breaks off.
 */
export function endOf(error: unknown): StreamEnd | undefined {
  if (error instanceof Refusal) return isCode(error.code) ? { code: error.code, error: EMPTY } : undefined;
  if (error instanceof ServiceError && isCode(error.code)) {
    const encoded = encodedError(error);
    return { code: error.code, error: encoded.length > MAX_ERROR ? EMPTY : encoded };
  }
  // A stream that is sent on, which its producer has ended with an error.
  if (error instanceof ContentError && error.reason.kind === 'ended') return error.reason;
  return undefined;
}

/** Code 0 would be a normal end. */
function isCode(code: number): boolean {
  return Number.isInteger(code) && code > 0 && code <= MAX_CODE;
}

function encodedError({ name, message, error }: ServiceError): Uint8Array {
  try {
    return msgpack.encodeError(name, message, error);
  } catch {
    return EMPTY;
  }
}
