/** Written by sockety-typescript from the schema of 'Streams'. Changes belong there. */
import * as sockety from 'sockety-runtime/generated';

export type CountError =
  /** it was stopped */
  | 'Stopped'
  /** that are too many */
  | { TooMany: { limit: number | bigint } };

export interface Order {
  to: number | bigint;
  kind?: OrderKind | null;
  after: sockety.Duration;
  parts: { [key: string]: [number | bigint, number | bigint | null][] };
}

export type OrderKind =
  | 'Fast'
  | { Slow: { days: number | bigint } };

/** Streams that end with errors, and other names of fields. */
export interface Streams {
  /** Counts to 3, and ends with an error: none, one without data, or one with. */
  count(ends: number, options?: sockety.Options): Promise<sockety.ItemStream<number | bigint, CountError>>;
  order(order: Order, times: number | bigint, options?: sockety.Options): Promise<Order>;
  /**
   * Bytes that end with an error likewise.
   *
   * @throws CallError<CountError>
   */
  read(ends: number, options?: sockety.Options): Promise<sockety.IncomingStream>;
  /**
   * The sum, and the error after it.
   *
   * `numbers` may throw a `CountFailure`.
   */
  sum(numbers: sockety.Items<number | bigint>, options?: sockety.Options): Promise<string>;
  /**
   * The number of bytes, and the error after them.
   *
   * @throws CallError<CountError>
   */
  write(bytes: sockety.Source, options?: sockety.Options): Promise<string>;
}

/** Calls `Streams` through a connection, or a client that connects again. */
export class StreamsClient implements Streams {
  readonly #peer: sockety.Peer;

  constructor(peer: sockety.Peer) {
    this.#peer = peer;
  }

  count(ends: number, options?: sockety.Options): Promise<sockety.ItemStream<number | bigint, CountError>> {
    return sockety.call(this.#peer, streamsActions.count, [ends], options);
  }

  order(order: Order, times: number | bigint, options?: sockety.Options): Promise<Order> {
    return sockety.call(this.#peer, streamsActions.order, [order, times], options);
  }

  read(ends: number, options?: sockety.Options): Promise<sockety.IncomingStream> {
    return sockety.call(this.#peer, streamsActions.read, [ends], options);
  }

  sum(numbers: sockety.Items<number | bigint>, options?: sockety.Options): Promise<string> {
    return sockety.call(this.#peer, streamsActions.sum, [numbers], options);
  }

  write(bytes: sockety.Source, options?: sockety.Options): Promise<string> {
    return sockety.call(this.#peer, streamsActions.write, [bytes], options);
  }
}

/** What a service `Streams` does. */
export interface StreamsHandlers {
  /**
   * Counts to 3, and ends with an error: none, one without data, or one with.
   *
   * What it returns may throw a `CountFailure`.
   */
  count(ends: number, message: sockety.IncomingMessage): sockety.Result<sockety.Items<number | bigint>>;
  order(order: Order, times: number | bigint, message: sockety.IncomingMessage): sockety.Result<Order>;
  /**
   * Bytes that end with an error likewise.
   *
   * @throws CountFailure
   */
  read(ends: number, message: sockety.IncomingMessage): sockety.Result<sockety.Source>;
  /** The sum, and the error after it. */
  sum(numbers: sockety.ItemStream<number | bigint, CountError>, message: sockety.IncomingMessage): sockety.Result<string>;
  /**
   * The number of bytes, and the error after them.
   *
   * @throws CountFailure
   */
  write(bytes: sockety.IncomingStream, message: sockety.IncomingMessage): sockety.Result<string>;
}

/** Handlers for the options of a server, or of a connection. */
export function streamsHandlers(service: StreamsHandlers): sockety.Handlers {
  return sockety.handlers(streamsActions, service);
}

/** Calls of `Streams` to be sent later. */
export const streamsDrafts = {
  count: (ends: number): sockety.Draft<sockety.ItemStream<number | bigint, CountError>> =>
    sockety.draft(streamsActions.count, [ends]),
  order: (order: Order, times: number | bigint): sockety.Draft<Order> =>
    sockety.draft(streamsActions.order, [order, times]),
  read: (ends: number): sockety.Draft<sockety.IncomingStream> =>
    sockety.draft(streamsActions.read, [ends]),
  sum: (numbers: sockety.Items<number | bigint>): sockety.Draft<string> =>
    sockety.draft(streamsActions.sum, [numbers]),
  write: (bytes: sockety.Source): sockety.Draft<string> =>
    sockety.draft(streamsActions.write, [bytes]),
};

/** Thrown by handlers, and by the sources of streams: their caller, or reader, gets the `CountError`. */
export class CountFailure extends sockety.Failure<CountError> {
  constructor(error: CountError) {
    super(error, countErrorVariants);
  }
}

/** The `CountError` with which a call was answered, or a stream was ended; `undefined` for any other problem. */
export function countErrorOf(error: unknown): CountError | undefined {
  return sockety.errorOf<CountError>(error, countErrorVariants);
}

/** Whether a value is of the type `CountError`. */
export const isCountError: sockety.Check<CountError> = sockety.oneOf(sockety.literal('Stopped'), sockety.struct({ TooMany: sockety.struct({ limit: sockety.u64 }) }));

/** Whether a value is of the type `Order`. */
export const isOrder: sockety.Check<Order> = sockety.struct({
  to: sockety.aliased(sockety.u64, 'recipient', 'to_account'),
  kind: sockety.aliased(sockety.optional(sockety.option(sockety.lazy(() => isOrderKind))), 'how'),
  after: sockety.duration,
  parts: sockety.map(
    sockety.text,
    sockety.list(sockety.tuple(sockety.i64, sockety.option(sockety.nonzero(sockety.u64)))),
  ),
});

/** Whether a value is of the type `OrderKind`. */
export const isOrderKind: sockety.Check<OrderKind> = sockety.oneOf(
  sockety.literal('Fast', 'quick'),
  sockety.struct({ Slow: sockety.aliased(sockety.struct({ days: sockety.aliased(sockety.u64, 'd') }), 'lazy') }),
);

const countErrorVariants: sockety.ErrorVariants = [
  {
    name: 'Stopped',
    code: 16,
    message: 'it was stopped',
    hasDetails: false,
    value: 'Stopped',
    check: sockety.literal('Stopped'),
  },
  {
    name: 'TooMany',
    code: 17,
    message: 'that are too many',
    hasDetails: true,
    check: sockety.struct({ TooMany: sockety.struct({ limit: sockety.u64 }) }),
  },
];

const streamsActions = {
  count: {
    name: 'streams.count',
    parameters: [{ kind: 'payload', name: 'ends', check: sockety.u8 }],
    returns: [{ kind: 'items', check: sockety.u64, errors: countErrorVariants }],
  },
  order: {
    name: 'streams.order',
    parameters: [
      { kind: 'payload', name: 'order', aliases: ['it'], check: isOrder },
      { kind: 'payload', name: 'times', check: sockety.u64 },
    ],
    returns: [{ kind: 'payload', check: isOrder }],
  },
  read: {
    name: 'streams.read',
    parameters: [{ kind: 'payload', name: 'ends', check: sockety.u8 }],
    returns: [{ kind: 'bytes' }],
    errors: countErrorVariants,
  },
  sum: {
    name: 'streams.sum',
    parameters: [{ kind: 'items', check: sockety.u64, errors: countErrorVariants }],
    returns: [{ kind: 'payload', check: sockety.text }],
  },
  write: {
    name: 'streams.write',
    parameters: [{ kind: 'bytes' }],
    returns: [{ kind: 'payload', check: sockety.text }],
    errors: countErrorVariants,
  },
} satisfies Record<string, sockety.Action>;
