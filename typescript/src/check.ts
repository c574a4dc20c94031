/** Says whether a value is one of a type. */
export interface Check<T> {
  (value: unknown): value is T;
  /** @internal Brings a value as it was decoded into the form that the type says. It leaves the value itself as it is. */
  readonly normalize?: Normalize;
  /** @internal Other names of a field that has this type. */
  readonly aliases?: readonly string[];
  /** @internal The names of the entries that it knows. */
  readonly keys?: () => readonly string[];
  /** @internal The same check for entries among others, where those are not refused. */
  readonly loose?: () => Any;
}

type Normalize = (value: unknown) => unknown;

/** The type of the values that a check accepts is stated where the check gets its name. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Any = Check<any>;

function check(accepts: (value: unknown) => boolean, normalize?: Normalize | false): Any {
  return (typeof normalize === 'function' ? Object.assign(accepts, { normalize }) : accepts) as Any;
}

function keysOf(of: Any): readonly string[] {
  return of.keys?.() ?? [];
}

function looseOf(of: Any): Any {
  return of.loose?.() ?? of;
}

/** What a value becomes that was decoded: with names in place of their aliases, and a `bigint` where the type says so. */
function normalized(of: Any, value: unknown): unknown {
  return of.normalize === undefined ? value : of.normalize(value);
}

/** The most work that variants without a tag may cause in vain: such types can be nested, and each level tries all of them. */
const MAX_WASTED = 5_000_000;

/** Outside of `received`, where values are those of the program, nothing is counted. */
const UNCOUNTED = Number.NEGATIVE_INFINITY;

/** How many variants of a value were tried, and how many of them inside of others that did not fit. */
let tried = 0;
let wasted = UNCOUNTED;

/** A value that has arrived, in the form that its type says; `undefined` if it is not of the type. */
export function received<T>(of: Check<T>, value: unknown): { readonly value: T } | undefined {
  tried = wasted = 0;
  try {
    const own = normalized(of, value);
    return of(own) ? { value: own } : undefined;
  } finally {
    wasted = UNCOUNTED;
  }
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

/** Integers up to 64 bits that are always a `bigint`. */
function big(of: Check<number | bigint>): Check<bigint> {
  return check(
    (value) => typeof value === 'bigint' && of(value),
    (value) => (typeof value === 'number' && of(value) ? BigInt(value) : value),
  );
}

export const u8 = integer(0, 0xff);
export const u16 = integer(0, 0xffff);
export const u32 = integer(0, 0xffff_ffff);
export const u64 = long(0n, 0xffff_ffff_ffff_ffffn);
export const i8 = integer(-0x80, 0x7f);
export const i16 = integer(-0x8000, 0x7fff);
export const i32 = integer(-0x8000_0000, 0x7fff_ffff);
export const i64 = long(-0x8000_0000_0000_0000n, 0x7fff_ffff_ffff_ffffn);

export const bigU64 = big(u64);
export const bigI64 = big(i64);

/** `f32` and `f64`. */
export const float: Check<number> = check((value) => typeof value === 'number');

/** Integers of 128 bits: 16 bytes, big-endian. */
export const int128: Check<Uint8Array> = check((value) => value instanceof Uint8Array && value.length === 16);

/** Integers other than 0. */
export function nonzero(of: Any): Any {
  return check((value) => {
    if (!of(value)) return false;
    return value instanceof Uint8Array ? value.some((byte) => byte !== 0) : value !== 0 && value !== 0n;
  }, of.normalize);
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
export interface Duration<I = number | bigint> {
  secs: I;
  nanos: number;
}

/** `std::time::SystemTime`. */
export interface SystemTime<I = number | bigint> {
  secs_since_epoch: I;
  nanos_since_epoch: number;
}

export const duration: Check<Duration> = struct({ secs: u64, nanos: u32 });

export const systemTime: Check<SystemTime> = struct({ secs_since_epoch: u64, nanos_since_epoch: u32 });

export const bigDuration: Check<Duration<bigint>> = struct({ secs: bigU64, nanos: u32 });

export const bigSystemTime: Check<SystemTime<bigint>> = struct({ secs_since_epoch: bigU64, nanos_since_epoch: u32 });

/** A value, or `null`. */
export function option(of: Any): Any {
  const { normalize } = of;
  return check(
    (value) => value === null || of(value),
    normalize !== undefined && ((value) => (value === null ? value : normalize(value))),
  );
}

/** A field that may be missing. */
export function optional(of: Any): Any {
  const { normalize } = of;
  return check(
    (value) => value === undefined || of(value),
    normalize !== undefined && ((value) => (value === undefined ? value : normalize(value))),
  );
}

/** Flattened entries that may be there: what does not fit is none of them, and stays as it is. */
export function perhaps(of: Any): Any {
  const perhaps = check(
    () => true,
    isNormalizing(of) &&
      ((value) => {
        const loose = looseOf(of);
        const own = normalized(loose, value);
        return loose(own) ? own : value;
      }),
  );
  return Object.assign(perhaps, { keys: () => keysOf(of) });
}

/** A field that has other names too. */
export function aliased(of: Any, ...aliases: readonly string[]): Any {
  return Object.assign(check((value) => of(value), of.normalize), { aliases });
}

export function list(of: Any): Any {
  const { normalize } = of;
  return check(
    (value) => Array.isArray(value) && value.every((item) => of(item)),
    normalize !== undefined && ((value) => (Array.isArray(value) ? value.map((item) => normalize(item)) : value)),
  );
}

/** A list of a fixed length. */
export function array(of: Any, length: number): Any {
  const items = list(of);
  return check((value) => items(value) && value.length === length, items.normalize);
}

export function tuple(...items: readonly Any[]): Any {
  return check(
    (value) => Array.isArray(value) && value.length === items.length && items.every((of, i) => of(value[i])),
    items.some(isNormalizing) &&
      ((value) => {
        if (!Array.isArray(value) || value.length !== items.length) return value;
        return value.map((item, i) => normalized(items[i], item));
      }),
  );
}

function isNormalizing(of: Any): boolean {
  return of.normalize !== undefined || of.aliases !== undefined;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value) && !(value instanceof Date);
}

/** A map of any entries. */
export function map(key: Any, of: Any): Any {
  return check(
    (value) => isMap(value) && Object.entries(value).every(([name, item]) => key(name) && of(item)),
    (isNormalizing(key) || isNormalizing(of)) &&
      ((value) => {
        if (!isMap(value)) return value;
        return Object.fromEntries(Object.entries(value).map(([name, item]) => [normalized(key, name), normalized(of, item)]));
      }),
  );
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
  const normalizing = entries.filter(([, of]) => isNormalizing(of));
  const normalize = (value: unknown): unknown => {
    if (!isMap(value)) return value;
    let own: Record<string, unknown> | undefined;
    for (const [name, of] of normalizing) {
      const map: Record<string, unknown> = own ?? value;
      const key = Object.hasOwn(map, name) ? name : of.aliases?.find((alias) => Object.hasOwn(map, alias));
      if (key === undefined) continue;
      const field = normalized(of, map[key]);
      if (key === name && field === map[key]) continue;
      own ??= { ...value };
      if (key !== name) delete own[key];
      own[name] = field;
    }
    return flattened.reduce<unknown>((map, of) => normalized(looseOf(of), map), own ?? value);
  };
  const struct = check(
    (value) => {
      if (!isMap(value)) return false;
      for (const [name, of] of entries) {
        if (!of(Object.hasOwn(value, name) ? value[name] : undefined)) return false;
      }
      return flattened.every((of) => looseOf(of)(value));
    },
    (normalizing.length > 0 || flattened.some(isNormalizing)) && normalize,
  );
  return Object.assign(struct, { keys: () => [...Object.keys(fields), ...flattened.flatMap(keysOf)] });
}

/** A map with no other entries than those that `of` knows, and these. */
export function strict(of: Any, ...others: readonly string[]): Any {
  let known: Set<string> | undefined;
  const strict = check((value) => {
    if (!of(value)) return false;
    const names = (known ??= new Set([...keysOf(of), ...others]));
    return Object.entries(value as object).every(([name, item]) => item === undefined || names.has(name));
  }, of.normalize);
  return Object.assign(strict, { keys: () => keysOf(of), loose: () => of });
}

/** A map with a tag, the other entries of which are what `of` accepts. */
export function tagged(tag: string, name: Any, of: Any): Any {
  const rest = (value: Record<string, unknown>): Record<string, unknown> => {
    const rest = { ...value };
    delete rest[tag];
    return rest;
  };
  const tagOf = (value: Record<string, unknown>): unknown => (Object.hasOwn(value, tag) ? value[tag] : undefined);
  const tagged = check(
    (value) => isMap(value) && name(tagOf(value)) && of(rest(value)),
    (isNormalizing(name) || isNormalizing(of)) &&
      ((value) => {
        if (!isMap(value)) return value;
        const own = normalized(name, tagOf(value));
        if (!name(own)) return value;
        const content = normalized(of, rest(value));
        return isMap(content) ? { [tag]: own, ...content } : value;
      }),
  );
  const loose = struct({ [tag]: name }, of);
  return Object.assign(tagged, { keys: () => keysOf(loose), loose: () => loose });
}

/** This text alone, which may be written in other ways. */
export function literal(name: string, ...aliases: readonly string[]): Any {
  return check(
    (value) => value === name,
    aliases.length > 0 && ((value) => (aliases.includes(value as string) ? name : value)),
  );
}

/** Any text but these: names of variants that this side does not know. */
export function otherThan(...names: readonly string[]): Any {
  return check((value) => typeof value === 'string' && !names.includes(value));
}

export function oneOf(...variants: readonly Any[]): Any {
  let loose: Any | undefined;
  const oneOf = anyOf(variants);
  return Object.assign(oneOf, {
    keys: () => variants.flatMap(keysOf),
    loose: () => (loose ??= variants.some((of) => of.loose !== undefined) ? anyOf(variants.map(looseOf)) : oneOf),
  });
}

function anyOf(variants: readonly Any[]): Any {
  return check(
    (value) => {
      for (const of of variants) {
        if (wasted > MAX_WASTED) return false;
        const before = ++tried;
        if (of(value)) return true;
        wasted += tried - before;
      }
      return false;
    },
    variants.some(isNormalizing) &&
      ((value) => {
        for (const of of variants) {
          if (wasted > MAX_WASTED) return value;
          const before = ++tried;
          const own = normalized(of, value);
          if (of(own)) return own;
          wasted += tried - before;
        }
        return value;
      }),
  );
}

/** What is declared later. */
export function lazy(of: () => Any): Any {
  const lazy = check((value) => of()(value), (value) => normalized(of(), value));
  return Object.assign(lazy, { keys: () => keysOf(of()), loose: () => looseOf(of()) });
}
