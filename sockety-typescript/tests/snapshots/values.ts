/** Written by sockety-typescript from the schema of 'Values'. Changes belong there. */
import * as sockety from 'sockety-runtime/generated';

export type Adjacent =
  | { t: 'empty' }
  | { t: 'filled'; c: string }
  | { t: 'both'; c: [number, string] };

export type Among = { name: string } & ({ None: null } | Exclude<Choice, string>) & Partial<Extent>;

/** Unless serde looks for its entries among copies of all. */
export type AroundClosed = { name: string } & Closed;

export type AroundInternal = { name: string } & ClosedInternal;

/** Where its entries are among others, it refuses none. */
export type AroundSealed = { name: string } & Sealed;

export type Choice =
  | 'None'
  | { Amount: number | bigint }
  | { Point: { x: number } };

export type Closed = { a: number | bigint; b?: number | null } & Extent;

export type ClosedAdjacent =
  | { t: 'Empty' }
  | { t: 'Fields'; c: { x: number } };

export type ClosedExternal =
  | { Fields: { x: number } };

export type ClosedInternal =
  | { kind: 'Closed' } & Closed
  | { kind: 'Fields'; x: number };

export interface Containers {
  list: (number | bigint | null)[];
  array: number[];
  tuple: [number, string, boolean | null];
  set: number[];
  by_name: { [key: string]: Id[] };
  by_small: { [key: number]: boolean };
  by_long: { [key: string]: number };
  by_id: { [key: string]: number };
  by_flag: { [K in 'true' | 'false']?: number };
  by_char: { [key: string]: number };
  by_uuid: { [key: string]: number };
  by_side: { [K in Side]?: number };
  pair: Pair;
  tree: NodeUnit;
}

export interface Extent {
  length: number | bigint;
}

export type External =
  /** Nothing else. */
  | 'ONE'
  | { ONE_VALUE: Id }
  | { TWO_VALUES: [number, Uint8Array] }
  | {
      FIELDS: {
        'some-field': boolean;
        /** May be missing. */
        other?: number | null;
      };
    };

export type Flat = { name: string } & Page & Internal;

export type Id = number | bigint;

export interface Id2 {
  id: number;
}

export interface Integers {
  u8: number;
  u16: number;
  u32: number;
  u64: number | bigint;
  u128: Uint8Array;
  i8: number;
  i16: number;
  i32: number;
  i64: number | bigint;
  i128: Uint8Array;
  usize: number | bigint;
  some: number | bigint;
  less: number;
}

export type Internal =
  | { kind: 'A'; x: number }
  | { kind: 'B' } & Id2
  | { kind: 'C' }
  /** What later versions have. */
  | { kind: 'Other' };

export type Labelled =
  | { label: 'Choice' } & ({ None: null } | Exclude<Choice, string>)
  | { label: 'Unit' }
  | { label: 'Nil' };

export type Moment = Date;

export interface NodeUnit {
  value: Unit;
  children: NodeUnit[];
  parent?: NodeU8 | null;
}

export interface NodeU8 {
  value: number;
  children: NodeU8[];
  parent?: NodeU8 | null;
}

export type Open = { name: string } & { [key: string]: unknown };

export interface Page {
  first: number;
  rest: { [key: string]: Uint8Array };
}

export type Pair = [Id, number[]];

export type ResultU8String =
  | { Ok: number }
  | { Err: string };

export interface Scalars {
  f32: number;
  f64: number;
  bool: boolean;
  char: string;
  string: string;
  nothing: null;
  unit: Unit;
  bytes: Uint8Array;
  numbers: number[];
  boxed: string;
}

export interface Sealed {
  id: number;
}

export type Side =
  | 'left_hand'
  | 'right_hand';

export interface Special {
  id: string;
  ip: string;
  socket: string;
  at: sockety.SystemTime;
  span: sockety.Duration;
  time: Moment;
  url: string;
  day: string;
  moment: string;
  result: ResultU8String;
}

export type TwoTags =
  | { outer: 'Inner' } & ClosedInternal;

export type Unit = [];

export type Untagged =
  | number
  | string[]
  | { a: boolean };

/** Values of all kinds. */
export interface Values {
  among(among: Among, labelled: Labelled, options?: sockety.Options): Promise<void>;
  around(closed: AroundClosed, internal: AroundInternal, tags: TwoTags, options?: sockety.Options): Promise<void>;
  closed(
    closed: Closed,
    internal: ClosedInternal,
    adjacent: ClosedAdjacent,
    external: ClosedExternal,
    options?: sockety.Options,
  ): Promise<void>;
  containers(it: Containers, options?: sockety.Options): Promise<Containers>;
  enums(external: External, internal: Internal, adjacent: Adjacent, untagged: Untagged, options?: sockety.Options): Promise<void>;
  flat(flat: Flat, open: Open, side: Side, options?: sockety.Options): Promise<void>;
  integers(it: Integers, options?: sockety.Options): Promise<Integers>;
  scalars(it: Scalars, options?: sockety.Options): Promise<Scalars>;
  sealed(sealed: Sealed, around: AroundSealed, options?: sockety.Options): Promise<void>;
  special(it: Special, options?: sockety.Options): Promise<Special>;
}

/** Calls `Values` through a connection, or a client that connects again. */
export class ValuesClient implements Values {
  readonly #peer: sockety.Peer;

  constructor(peer: sockety.Peer) {
    this.#peer = peer;
  }

  among(among: Among, labelled: Labelled, options?: sockety.Options): Promise<void> {
    return sockety.call(this.#peer, valuesActions.among, [among, labelled], options);
  }

  around(closed: AroundClosed, internal: AroundInternal, tags: TwoTags, options?: sockety.Options): Promise<void> {
    return sockety.call(this.#peer, valuesActions.around, [closed, internal, tags], options);
  }

  closed(
    closed: Closed,
    internal: ClosedInternal,
    adjacent: ClosedAdjacent,
    external: ClosedExternal,
    options?: sockety.Options,
  ): Promise<void> {
    return sockety.call(this.#peer, valuesActions.closed, [closed, internal, adjacent, external], options);
  }

  containers(it: Containers, options?: sockety.Options): Promise<Containers> {
    return sockety.call(this.#peer, valuesActions.containers, [it], options);
  }

  enums(external: External, internal: Internal, adjacent: Adjacent, untagged: Untagged, options?: sockety.Options): Promise<void> {
    return sockety.call(this.#peer, valuesActions.enums, [external, internal, adjacent, untagged], options);
  }

  flat(flat: Flat, open: Open, side: Side, options?: sockety.Options): Promise<void> {
    return sockety.call(this.#peer, valuesActions.flat, [flat, open, side], options);
  }

  integers(it: Integers, options?: sockety.Options): Promise<Integers> {
    return sockety.call(this.#peer, valuesActions.integers, [it], options);
  }

  scalars(it: Scalars, options?: sockety.Options): Promise<Scalars> {
    return sockety.call(this.#peer, valuesActions.scalars, [it], options);
  }

  sealed(sealed: Sealed, around: AroundSealed, options?: sockety.Options): Promise<void> {
    return sockety.call(this.#peer, valuesActions.sealed, [sealed, around], options);
  }

  special(it: Special, options?: sockety.Options): Promise<Special> {
    return sockety.call(this.#peer, valuesActions.special, [it], options);
  }
}

/** What a service `Values` does. */
export interface ValuesHandlers {
  among(among: Among, labelled: Labelled, message: sockety.IncomingMessage): sockety.Result<void>;
  around(closed: AroundClosed, internal: AroundInternal, tags: TwoTags, message: sockety.IncomingMessage): sockety.Result<void>;
  closed(
    closed: Closed,
    internal: ClosedInternal,
    adjacent: ClosedAdjacent,
    external: ClosedExternal,
    message: sockety.IncomingMessage,
  ): sockety.Result<void>;
  containers(it: Containers, message: sockety.IncomingMessage): sockety.Result<Containers>;
  enums(
    external: External,
    internal: Internal,
    adjacent: Adjacent,
    untagged: Untagged,
    message: sockety.IncomingMessage,
  ): sockety.Result<void>;
  flat(flat: Flat, open: Open, side: Side, message: sockety.IncomingMessage): sockety.Result<void>;
  integers(it: Integers, message: sockety.IncomingMessage): sockety.Result<Integers>;
  scalars(it: Scalars, message: sockety.IncomingMessage): sockety.Result<Scalars>;
  sealed(sealed: Sealed, around: AroundSealed, message: sockety.IncomingMessage): sockety.Result<void>;
  special(it: Special, message: sockety.IncomingMessage): sockety.Result<Special>;
}

/** Handlers for the options of a server, or of a connection. */
export function valuesHandlers(service: ValuesHandlers): sockety.Handlers {
  return sockety.handlers(valuesActions, service);
}

/** Calls of `Values` to be sent later. */
export const valuesDrafts = {
  among: (among: Among, labelled: Labelled): sockety.Draft<void> =>
    sockety.draft(valuesActions.among, [among, labelled]),
  around: (closed: AroundClosed, internal: AroundInternal, tags: TwoTags): sockety.Draft<void> =>
    sockety.draft(valuesActions.around, [closed, internal, tags]),
  closed: (closed: Closed, internal: ClosedInternal, adjacent: ClosedAdjacent, external: ClosedExternal): sockety.Draft<void> =>
    sockety.draft(valuesActions.closed, [closed, internal, adjacent, external]),
  containers: (it: Containers): sockety.Draft<Containers> =>
    sockety.draft(valuesActions.containers, [it]),
  enums: (external: External, internal: Internal, adjacent: Adjacent, untagged: Untagged): sockety.Draft<void> =>
    sockety.draft(valuesActions.enums, [external, internal, adjacent, untagged]),
  flat: (flat: Flat, open: Open, side: Side): sockety.Draft<void> =>
    sockety.draft(valuesActions.flat, [flat, open, side]),
  integers: (it: Integers): sockety.Draft<Integers> =>
    sockety.draft(valuesActions.integers, [it]),
  scalars: (it: Scalars): sockety.Draft<Scalars> =>
    sockety.draft(valuesActions.scalars, [it]),
  sealed: (sealed: Sealed, around: AroundSealed): sockety.Draft<void> =>
    sockety.draft(valuesActions.sealed, [sealed, around]),
  special: (it: Special): sockety.Draft<Special> =>
    sockety.draft(valuesActions.special, [it]),
};

/** Whether a value is of the type `Adjacent`. */
export const isAdjacent: sockety.Check<Adjacent> = sockety.oneOf(
  sockety.struct({ t: sockety.literal('empty') }),
  sockety.struct({ t: sockety.literal('filled'), c: sockety.char }),
  sockety.struct({ t: sockety.literal('both'), c: sockety.tuple(sockety.u8, sockety.text) }),
);

/** Whether a value is of the type `Among`. */
export const isAmong: sockety.Check<Among> = sockety.struct(
  { name: sockety.text },
  sockety.oneOf(sockety.struct({ None: sockety.aliased(sockety.nil, 'Nil') }), sockety.lazy(() => isChoice)),
  sockety.perhaps(sockety.lazy(() => isExtent)),
);

/** Whether a value is of the type `AroundClosed`. */
export const isAroundClosed: sockety.Check<AroundClosed> = sockety.strict(sockety.struct({ name: sockety.text }, sockety.lazy(() => isClosed)));

/** Whether a value is of the type `AroundInternal`. */
export const isAroundInternal: sockety.Check<AroundInternal> = sockety.strict(sockety.struct({ name: sockety.text }, sockety.lazy(() => isClosedInternal)));

/** Whether a value is of the type `AroundSealed`. */
export const isAroundSealed: sockety.Check<AroundSealed> = sockety.struct({ name: sockety.text }, sockety.lazy(() => isSealed));

/** Whether a value is of the type `Choice`. */
export const isChoice: sockety.Check<Choice> = sockety.oneOf(
  sockety.literal('None', 'Nil'),
  sockety.struct({ Amount: sockety.u64 }),
  sockety.struct({ Point: sockety.struct({ x: sockety.u8 }) }),
);

/** Whether a value is of the type `Closed`. */
export const isClosed: sockety.Check<Closed> = sockety.strict(sockety.struct(
  { a: sockety.aliased(sockety.u64, 'first'), b: sockety.optional(sockety.option(sockety.u8)) },
  sockety.lazy(() => isExtent),
));

/** Whether a value is of the type `ClosedAdjacent`. */
export const isClosedAdjacent: sockety.Check<ClosedAdjacent> = sockety.oneOf(
  sockety.strict(sockety.struct({ t: sockety.literal('Empty') }), 'c'),
  sockety.strict(sockety.struct({
    t: sockety.literal('Fields'),
    c: sockety.strict(sockety.struct({ x: sockety.u8 })),
  })),
);

/** Whether a value is of the type `ClosedExternal`. */
export const isClosedExternal: sockety.Check<ClosedExternal> = sockety.oneOf(sockety.struct({ Fields: sockety.strict(sockety.struct({ x: sockety.u8 })) }));

/** Whether a value is of the type `ClosedInternal`. */
export const isClosedInternal: sockety.Check<ClosedInternal> = sockety.oneOf(
  sockety.tagged('kind', sockety.literal('Closed'), isClosed),
  sockety.strict(sockety.struct({ kind: sockety.literal('Fields'), x: sockety.u8 })),
);

/** Whether a value is of the type `Containers`. */
export const isContainers: sockety.Check<Containers> = sockety.struct({
  list: sockety.list(sockety.option(sockety.u64)),
  array: sockety.array(sockety.i8, 3),
  tuple: sockety.tuple(sockety.u8, sockety.text, sockety.option(sockety.bool)),
  set: sockety.list(sockety.u32),
  by_name: sockety.map(sockety.text, sockety.list(sockety.lazy(() => isId))),
  by_small: sockety.map(sockety.key(sockety.i16), sockety.bool),
  by_long: sockety.map(sockety.key(sockety.u64), sockety.u8),
  by_id: sockety.map(sockety.key(sockety.u64), sockety.u8),
  by_flag: sockety.map(sockety.oneOf(sockety.literal('true'), sockety.literal('false')), sockety.u8),
  by_char: sockety.map(sockety.text, sockety.u8),
  by_uuid: sockety.map(sockety.text, sockety.u8),
  by_side: sockety.map(sockety.lazy(() => isSide), sockety.u8),
  pair: sockety.lazy(() => isPair),
  tree: sockety.lazy(() => isNodeUnit),
});

/** Whether a value is of the type `Extent`. */
export const isExtent: sockety.Check<Extent> = sockety.struct({ length: sockety.u64 });

/** Whether a value is of the type `External`. */
export const isExternal: sockety.Check<External> = sockety.oneOf(
  sockety.literal('ONE'),
  sockety.struct({ ONE_VALUE: sockety.lazy(() => isId) }),
  sockety.struct({ TWO_VALUES: sockety.tuple(sockety.u8, sockety.int128) }),
  sockety.struct({
    FIELDS: sockety.struct({ 'some-field': sockety.bool, other: sockety.optional(sockety.option(sockety.u8)) }),
  }),
);

/** Whether a value is of the type `Flat`. */
export const isFlat: sockety.Check<Flat> = sockety.struct({ name: sockety.text }, sockety.lazy(() => isPage), sockety.lazy(() => isInternal));

/** Whether a value is of the type `Id`. */
export const isId: sockety.Check<Id> = sockety.u64;

/** Whether a value is of the type `Id2`. */
export const isId2: sockety.Check<Id2> = sockety.struct({ id: sockety.u8 });

/** Whether a value is of the type `Integers`. */
export const isIntegers: sockety.Check<Integers> = sockety.struct({
  u8: sockety.u8,
  u16: sockety.u16,
  u32: sockety.u32,
  u64: sockety.u64,
  u128: sockety.int128,
  i8: sockety.i8,
  i16: sockety.i16,
  i32: sockety.i32,
  i64: sockety.i64,
  i128: sockety.int128,
  usize: sockety.u64,
  some: sockety.nonzero(sockety.u64),
  less: sockety.nonzero(sockety.i8),
});

/** Whether a value is of the type `Internal`. */
export const isInternal: sockety.Check<Internal> = sockety.oneOf(
  sockety.struct({ kind: sockety.literal('A'), x: sockety.float }),
  sockety.tagged('kind', sockety.literal('B'), isId2),
  sockety.struct({ kind: sockety.literal('C') }),
  sockety.struct({ kind: sockety.otherThan('A', 'B', 'C') }),
);

/** Whether a value is of the type `Labelled`. */
export const isLabelled: sockety.Check<Labelled> = sockety.oneOf(
  sockety.struct(
    { label: sockety.literal('Choice') },
    sockety.oneOf(sockety.struct({ None: sockety.aliased(sockety.nil, 'Nil') }), isChoice),
  ),
  sockety.struct({ label: sockety.literal('Unit') }),
  sockety.struct({ label: sockety.literal('Nil') }),
);

/** Whether a value is of the type `Moment`. */
export const isMoment: sockety.Check<Moment> = sockety.date;

/** Whether a value is of the type `NodeUnit`. */
export const isNodeUnit: sockety.Check<NodeUnit> = sockety.struct({
  value: sockety.lazy(() => isUnit),
  children: sockety.list(sockety.lazy(() => isNodeUnit)),
  parent: sockety.optional(sockety.option(sockety.lazy(() => isNodeU8))),
});

/** Whether a value is of the type `NodeU8`. */
export const isNodeU8: sockety.Check<NodeU8> = sockety.struct({
  value: sockety.u8,
  children: sockety.list(sockety.lazy(() => isNodeU8)),
  parent: sockety.optional(sockety.option(sockety.lazy(() => isNodeU8))),
});

/** Whether a value is of the type `Open`. */
export const isOpen: sockety.Check<Open> = sockety.struct({ name: sockety.text });

/** Whether a value is of the type `Page`. */
export const isPage: sockety.Check<Page> = sockety.struct({ first: sockety.u32, rest: sockety.map(sockety.text, sockety.bytes) });

/** Whether a value is of the type `Pair`. */
export const isPair: sockety.Check<Pair> = sockety.tuple(isId, sockety.array(sockety.u16, 2));

/** Whether a value is of the type `ResultU8String`. */
export const isResultU8String: sockety.Check<ResultU8String> = sockety.oneOf(sockety.struct({ Ok: sockety.u8 }), sockety.struct({ Err: sockety.text }));

/** Whether a value is of the type `Scalars`. */
export const isScalars: sockety.Check<Scalars> = sockety.struct({
  f32: sockety.float,
  f64: sockety.float,
  bool: sockety.bool,
  char: sockety.char,
  string: sockety.text,
  nothing: sockety.nil,
  unit: sockety.lazy(() => isUnit),
  bytes: sockety.bytes,
  numbers: sockety.list(sockety.u8),
  boxed: sockety.text,
});

/** Whether a value is of the type `Sealed`. */
export const isSealed: sockety.Check<Sealed> = sockety.strict(sockety.struct({ id: sockety.u8 }));

/** Whether a value is of the type `Side`. */
export const isSide: sockety.Check<Side> = sockety.oneOf(sockety.literal('left_hand'), sockety.literal('right_hand'));

/** Whether a value is of the type `Special`. */
export const isSpecial: sockety.Check<Special> = sockety.struct({
  id: sockety.text,
  ip: sockety.text,
  socket: sockety.text,
  at: sockety.systemTime,
  span: sockety.duration,
  time: isMoment,
  url: sockety.text,
  day: sockety.text,
  moment: sockety.text,
  result: isResultU8String,
});

/** Whether a value is of the type `TwoTags`. */
export const isTwoTags: sockety.Check<TwoTags> = sockety.oneOf(sockety.tagged('outer', sockety.literal('Inner'), isClosedInternal));

/** Whether a value is of the type `Unit`. */
export const isUnit: sockety.Check<Unit> = sockety.tuple();

/** Whether a value is of the type `Untagged`. */
export const isUntagged: sockety.Check<Untagged> = sockety.oneOf(sockety.float, sockety.list(sockety.text), sockety.struct({ a: sockety.bool }));

const valuesActions = {
  among: {
    name: 'among',
    parameters: [
      { kind: 'payload', name: 'among', check: isAmong },
      { kind: 'payload', name: 'labelled', check: isLabelled },
    ],
    returns: [],
  },
  around: {
    name: 'around',
    parameters: [
      { kind: 'payload', name: 'closed', check: isAroundClosed },
      { kind: 'payload', name: 'internal', check: isAroundInternal },
      { kind: 'payload', name: 'tags', check: isTwoTags },
    ],
    returns: [],
  },
  closed: {
    name: 'closed',
    parameters: [
      { kind: 'payload', name: 'closed', check: isClosed },
      { kind: 'payload', name: 'internal', check: isClosedInternal },
      { kind: 'payload', name: 'adjacent', check: isClosedAdjacent },
      { kind: 'payload', name: 'external', check: isClosedExternal },
    ],
    returns: [],
  },
  containers: {
    name: 'containers',
    parameters: [{ kind: 'payload', name: 'it', check: isContainers }],
    returns: [{ kind: 'payload', check: isContainers }],
  },
  enums: {
    name: 'enums',
    parameters: [
      { kind: 'payload', name: 'external', check: isExternal },
      { kind: 'payload', name: 'internal', check: isInternal },
      { kind: 'payload', name: 'adjacent', check: isAdjacent },
      { kind: 'payload', name: 'untagged', check: isUntagged },
    ],
    returns: [],
  },
  flat: {
    name: 'flat',
    parameters: [
      { kind: 'payload', name: 'flat', check: isFlat },
      { kind: 'payload', name: 'open', check: isOpen },
      { kind: 'payload', name: 'side', check: isSide },
    ],
    returns: [],
  },
  integers: {
    name: 'integers',
    parameters: [{ kind: 'payload', name: 'it', check: isIntegers }],
    returns: [{ kind: 'payload', check: isIntegers }],
  },
  scalars: {
    name: 'scalars',
    parameters: [{ kind: 'payload', name: 'it', check: isScalars }],
    returns: [{ kind: 'payload', check: isScalars }],
  },
  sealed: {
    name: 'sealed',
    parameters: [
      { kind: 'payload', name: 'sealed', check: isSealed },
      { kind: 'payload', name: 'around', check: isAroundSealed },
    ],
    returns: [],
  },
  special: {
    name: 'special',
    parameters: [{ kind: 'payload', name: 'it', check: isSpecial }],
    returns: [{ kind: 'payload', check: isSpecial }],
  },
} satisfies Record<string, sockety.Action>;
