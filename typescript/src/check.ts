/** Says whether a value, as it was decoded, is one of a type. */
export type Check<T> = (value: unknown) => value is T;

/** The type of the values that a check accepts is stated where the check gets its name. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Any = Check<any>;

function check(accepts: (value: unknown) => boolean): Any {
  return accepts as Any;
}

/** `()`. */
export const nil: Check<null> = check((value) => value === null);

export const bool: Check<boolean> = check((value) => typeof value === 'boolean');

function integer(least: number, most: number): Check<number> {
  return check((value) => Number.isInteger(value) && (value as number) >= least && (value as number) <= most);
}

/** Integers up to 64 bits. One that a `number` may not have exactly is a `bigint`; msgpackr reads 2^53 as a `number`. */
function long(least: bigint, most: bigint): Check<number | bigint> {
  return check((value) => {
    if (typeof value === 'number') return Number.isInteger(value) && Math.abs(value) <= 2 ** 53 && (value >= 0 || least < 0n);
    return typeof value === 'bigint' && value >= least && value <= most;
  });
}

export const u8 = integer(0, 0xff);
export const u16 = integer(0, 0xffff);
export const u32 = integer(0, 0xffff_ffff);
export const u64 = long(0n, 0xffff_ffff_ffff_ffffn);
export const i8 = integer(-0x80, 0x7f);
export const i16 = integer(-0x8000, 0x7fff);
export const i32 = integer(-0x8000_0000, 0x7fff_ffff);
export const i64 = long(-0x8000_0000_0000_0000n, 0x7fff_ffff_ffff_ffffn);

/** `f32` and `f64`. */
export const float: Check<number> = check((value) => typeof value === 'number');

/** Integers of 128 bits: 16 bytes, big-endian. */
export const int128: Check<Uint8Array> = check((value) => value instanceof Uint8Array && value.length === 16);

/** Integers other than 0. */
export function nonzero(of: Any): Any {
  return check((value) => {
    if (!of(value)) return false;
    return value instanceof Uint8Array ? value.some((byte) => byte !== 0) : value !== 0 && value !== 0n;
  });
}

export const text: Check<string> = check((value) => typeof value === 'string');

/** One character. */
export const char: Check<string> = check((value) => {
  if (typeof value !== 'string') return false;
  const code = value.codePointAt(0);
  return code !== undefined && value.length === (code > 0xffff ? 2 : 1);
});

export const bytes: Check<Uint8Array> = check((value) => value instanceof Uint8Array);

/** Sockety's `Timestamp`. */
export const date: Check<Date> = check((value) => value instanceof Date);

/** `std::time::Duration`. */
export interface Duration {
  secs: number | bigint;
  nanos: number;
}

/** `std::time::SystemTime`. */
export interface SystemTime {
  secs_since_epoch: number | bigint;
  nanos_since_epoch: number;
}

export const duration: Check<Duration> = struct({ secs: u64, nanos: u32 });

export const systemTime: Check<SystemTime> = struct({ secs_since_epoch: u64, nanos_since_epoch: u32 });

/** A value, or `null`. */
export function option(of: Any): Any {
  return check((value) => value === null || of(value));
}

/** A field that may be missing. */
export function optional(of: Any): Any {
  return check((value) => value === undefined || of(value));
}

export function list(of: Any): Any {
  return check((value) => Array.isArray(value) && value.every((item) => of(item)));
}

/** A list of a fixed length. */
export function array(of: Any, length: number): Any {
  const items = list(of);
  return check((value) => items(value) && value.length === length);
}

export function tuple(...items: readonly Any[]): Any {
  return check((value) => Array.isArray(value) && value.length === items.length && items.every((of, i) => of(value[i])));
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value) && !(value instanceof Date);
}

/** A map of any entries. */
export function map(key: Any, of: Any): Any {
  return check((value) => isMap(value) && Object.entries(value).every(([name, item]) => key(name) && of(item)));
}

/** Keys that are integers, which JavaScript has as text. */
export function key(of: Any): Any {
  return check((name) => {
    if (typeof name !== 'string' || !/^-?\d{1,20}$/.test(name)) return false;
    const value = BigInt(name);
    return of(Number(value)) && Number.isSafeInteger(Number(value)) ? true : of(value);
  });
}

/** A map with these entries, and perhaps more, which is also what `flattened` accept. */
export function struct(fields: Readonly<Record<string, Any>>, ...flattened: readonly Any[]): Any {
  const entries = Object.entries(fields);
  return check((value) => {
    if (!isMap(value)) return false;
    for (const [name, of] of entries) {
      if (!of(Object.hasOwn(value, name) ? value[name] : undefined)) return false;
    }
    return flattened.every((of) => of(value));
  });
}

/** This text alone. */
export function literal(name: string): Any {
  return check((value) => value === name);
}

/** Any text but these: names of variants that this side does not know. */
export function otherThan(...names: readonly string[]): Any {
  return check((value) => typeof value === 'string' && !names.includes(value));
}

export function oneOf(...variants: readonly Any[]): Any {
  return check((value) => variants.some((of) => of(value)));
}

/** What is declared later. */
export function lazy(of: () => Any): Any {
  return check((value) => of()(value));
}
