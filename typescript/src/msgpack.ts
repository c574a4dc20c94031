import { Packr, Unpackr } from 'msgpackr';

import { EMPTY } from './wire.js';

import { ServiceError } from './errors.js';

/** A payload that is not one MessagePack value, or exceeds a limit. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

/** How integers of 64 bits are read. */
export type Int64 =
  /** A `number` up to 2^53, and a `bigint` beyond. */
  | 'auto'
  /** Always a `bigint`, also for the small ones that were written in 64 bits. */
  | 'bigint';

/** What a payload may cost. */
export interface MsgpackBounds {
  readonly values: number;
  readonly depth: number;
}

export const DEFAULT_BOUNDS: MsgpackBounds = { values: 100_000, depth: 128 };

/** The first bytes of an error of a service, which an array follows: its name, its text, its data. */
const SERVICE_ERROR: readonly number[] = [0xd4, 0x65, 0x00];

/** Bytes from this number on are not copied: they are sent as they are in memory, and read as a part of their payload. */
export const LARGE = 64 * 1024;

/** Values to MessagePack and back. Structs are maps, `undefined` fields are left out. */
export class Msgpack {
  private readonly packr: Packr;
  /** Reads bytes as parts of their payload. */
  private readonly sharing: Unpackr;

  constructor(
    private readonly bounds: MsgpackBounds = DEFAULT_BOUNDS,
    int64: Int64 = 'auto',
  ) {
    const options = {
      useRecords: false,
      moreTypes: false,
      // Only fields: an array keeps its places.
      skipValues: [undefined],
      int64AsType: int64 as 'bigint',
      copyBuffers: true,
    };
    this.packr = new Packr(options);
    this.sharing = new Unpackr({ ...options, copyBuffers: false });
  }

  encode(value: unknown): Uint8Array {
    return this.packr.pack(value);
  }

  /** @internal A value in two parts, the second of which is memory of the caller if that is large. */
  encodeParts(value: unknown): readonly [Uint8Array, Uint8Array] {
    if (!(value instanceof Uint8Array) || value.length < LARGE) return [this.encode(value), EMPTY];
    const head = Buffer.allocUnsafe(5);
    head[0] = 0xc6;
    head.writeUInt32BE(value.length, 1);
    return [head, value];
  }

  /** The value of a payload; an empty payload is `null`. Of large payloads, bytes are parts of it. */
  decode(payload: Uint8Array): unknown {
    if (payload.length === 0) return null;
    const end = scan(payload, 0, this.bounds);
    if (end !== payload.length) throw new DecodeError(`${payload.length - end} bytes after the value`);
    try {
      return (payload.length < LARGE ? this.packr : this.sharing).unpack(payload);
    } catch (error) {
      throw new DecodeError(error instanceof Error ? error.message : String(error));
    }
  }

  /** Throws a `DecodeError` unless the payload is one value, which may have extensions of any type. */
  check(payload: Uint8Array): void {
    const end = scan(payload, 0, this.bounds, true);
    if (end !== payload.length) throw new DecodeError(`${payload.length - end} bytes after the value`);
  }

  /** An error of a service: its name, text and data. */
  encodeError(name: string, message: string, error: unknown): Uint8Array {
    const array = this.packr.pack([name, message, error]);
    const payload = new Uint8Array(SERVICE_ERROR.length + array.length);
    payload.set(SERVICE_ERROR);
    payload.set(array, SERVICE_ERROR.length);
    return payload;
  }

  /** An error of a service, if the payload is one. */
  decodeError(payload: Uint8Array): { name: string; message: string; error: unknown } | undefined {
    if (payload.length <= 3 || SERVICE_ERROR.some((byte, place) => payload[place] !== byte)) return undefined;
    const array = this.decode(payload.subarray(SERVICE_ERROR.length));
    if (!Array.isArray(array)) throw new DecodeError('the data of an error is no array');
    const [name, message, error] = array as unknown[];
    return { name: String(name), message: String(message), error };
  }

  /**
   * The values of a stream, each as soon as it is whole. Throws a `ServiceError` when the stream ends with one, and a
   * `DecodeError` for what is no value. `limit` is the length of one in bytes.
   */
  async *decodeStream(stream: AsyncIterable<Uint8Array>, limit = 4 * 1024 * 1024): AsyncGenerator<unknown> {
    let rest: Uint8Array = new Uint8Array(0);
    for await (const chunk of stream) {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let at = 0;
      while (at < rest.length) {
        const marker = markerAt(rest, at);
        if (marker === undefined) break;
        const end = scanPart(rest, at + marker, this.bounds);
        if (end === undefined) break;
        if (marker > 0) {
          const decoded = this.decodeError(rest.subarray(at, end));
          if (decoded !== undefined) throw new ServiceError(decoded.name, decoded.message, decoded.error);
        }
        yield this.decode(rest.subarray(at, end));
        at = end;
      }
      rest = rest.subarray(at);
      if (rest.length > limit) throw new DecodeError(`a value of ${rest.length} bytes or more: the limit is ${limit}`);
    }
    if (rest.length > 0) throw new DecodeError(`the stream ends ${rest.length} bytes into a value`);
  }

  /** A stream of values. A `ServiceError` that their source throws ends it: the reader gets all values, then the error. */
  async *encodeStream(values: AsyncIterable<unknown> | Iterable<unknown>): AsyncGenerator<Uint8Array> {
    let failure;
    try {
      for await (const value of values) yield this.encode(value);
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      failure = error;
    }
    if (failure !== undefined) yield this.encodeError(failure.name, failure.message, failure.error);
  }
}

/** The length of the marker of an error, if there is one; `undefined` if more bytes have to say so. */
function markerAt(bytes: Uint8Array, at: number): number | undefined {
  for (let place = 0; place < SERVICE_ERROR.length; place++) {
    if (at + place >= bytes.length) return undefined;
    if (bytes[at + place] !== SERVICE_ERROR[place]) return 0;
  }
  return SERVICE_ERROR.length;
}

function scanPart(bytes: Uint8Array, at: number, bounds: MsgpackBounds): number | undefined {
  try {
    return scan(bytes, at, bounds);
  } catch (error) {
    if (error instanceof Incomplete) return undefined;
    throw error;
  }
}

class Incomplete extends DecodeError {}

/**
 * Where a value ends. Checks, before anything is allocated, that everything is there that it announces, and that it
 * has no extension whose reading could be made expensive.
 */
export function scan(bytes: Uint8Array, at: number, bounds: MsgpackBounds, allowsAny = false): number {
  const open: number[] = [];
  let left = 1;
  let values = 0;
  const end = bytes.length;
  for (;;) {
    while (left === 0) {
      if (open.length === 0) return at;
      left = open.pop() as number;
    }
    left--;
    if (++values > bounds.values) throw new DecodeError(`more than ${bounds.values} values`);
    if (at >= end) throw new Incomplete('the value is incomplete');
    const first = bytes[at++];
    let inside = 0;
    if (first < 0x80 || first >= 0xe0) {
      // A small integer.
    } else if (first < 0x90) {
      inside = 2 * (first & 15);
    } else if (first < 0xa0) {
      inside = first & 15;
    } else if (first < 0xc0) {
      at += first & 31;
    } else {
      switch (first) {
        case 0xc0:
        case 0xc2:
        case 0xc3:
          break;
        case 0xc1:
          throw new DecodeError('the byte C1 begins no value');
        case 0xc4:
        case 0xd9:
          at += 1 + number(bytes, at, 1);
          break;
        case 0xc5:
        case 0xda:
          at += 2 + number(bytes, at, 2);
          break;
        case 0xc6:
        case 0xdb:
          at += 4 + number(bytes, at, 4);
          break;
        case 0xc7:
          at = extension(bytes, at + 1, number(bytes, at, 1), allowsAny);
          break;
        case 0xc8:
          at = extension(bytes, at + 2, number(bytes, at, 2), allowsAny);
          break;
        case 0xc9:
          at = extension(bytes, at + 4, number(bytes, at, 4), allowsAny);
          break;
        case 0xcc:
        case 0xd0:
          at += 1;
          break;
        case 0xcd:
        case 0xd1:
          at += 2;
          break;
        case 0xca:
        case 0xce:
        case 0xd2:
          at += 4;
          break;
        case 0xcb:
        case 0xcf:
        case 0xd3:
          at += 8;
          break;
        case 0xd4:
        case 0xd5:
        case 0xd6:
        case 0xd7:
        case 0xd8:
          at = extension(bytes, at, 1 << (first - 0xd4), allowsAny);
          break;
        case 0xdc:
          inside = number(bytes, at, 2);
          at += 2;
          break;
        case 0xdd:
          inside = number(bytes, at, 4);
          at += 4;
          break;
        case 0xde:
          inside = 2 * number(bytes, at, 2);
          at += 2;
          break;
        case 0xdf:
          inside = 2 * number(bytes, at, 4);
          at += 4;
          break;
      }
    }
    if (at > end) throw new Incomplete('the value is incomplete');
    if (inside > 0) {
      if (inside > bounds.values) throw new DecodeError(`more than ${bounds.values} values`);
      if (open.length >= bounds.depth) throw new DecodeError(`nested deeper than ${bounds.depth}`);
      open.push(left);
      left = inside;
    }
  }
}

/** Timestamps (-1) and `undefined` (0) are the extensions that are read. */
function extension(bytes: Uint8Array, at: number, length: number, allowsAny: boolean): number {
  if (at >= bytes.length) throw new Incomplete('the value is incomplete');
  const type = bytes[at];
  if (!allowsAny && type !== 0xff && type !== 0) throw new DecodeError(`an extension of type ${type > 127 ? type - 256 : type}`);
  return at + 1 + length;
}

function number(bytes: Uint8Array, at: number, width: number): number {
  if (at + width > bytes.length) throw new Incomplete('the value is incomplete');
  let value = 0;
  for (let place = 0; place < width; place++) value = value * 256 + bytes[at + place];
  return value;
}
