/** Written by sockety-typescript from the schema of 'Errors'. Changes belong there. */
import * as sockety from 'sockety-runtime/generated';

export type AdjacentError =
  | { t: 'Gone' }
  | { t: 'Because'; c: string };

export type TaggedError =
  /** nothing is there */
  | { why: 'not_found' }
  | { why: 'too_large'; limit: number };

/** Errors by each of serde's tags. */
export interface Errors {
  /** @throws CallError<AdjacentError> */
  adjacent(options?: sockety.Options): Promise<void>;
  /** @throws CallError<TaggedError> */
  tagged(limit: number, options?: sockety.Options): Promise<string>;
  /** @throws CallError<TaggedError> */
  taggedAgain(options?: sockety.Options): Promise<void>;
}

/** Calls `Errors` through a connection, or a client that connects again. */
export class ErrorsClient implements Errors {
  readonly #peer: sockety.Peer;

  constructor(peer: sockety.Peer) {
    this.#peer = peer;
  }

  adjacent(options?: sockety.Options): Promise<void> {
    return sockety.call(this.#peer, errorsActions.adjacent, [], options);
  }

  tagged(limit: number, options?: sockety.Options): Promise<string> {
    return sockety.call(this.#peer, errorsActions.tagged, [limit], options);
  }

  taggedAgain(options?: sockety.Options): Promise<void> {
    return sockety.call(this.#peer, errorsActions.taggedAgain, [], options);
  }
}

/** What a service `Errors` does. */
export interface ErrorsHandlers {
  /** @throws AdjacentFailure */
  adjacent(message: sockety.IncomingMessage): sockety.Result<void>;
  /** @throws TaggedFailure */
  tagged(limit: number, message: sockety.IncomingMessage): sockety.Result<string>;
  /** @throws TaggedFailure */
  taggedAgain(message: sockety.IncomingMessage): sockety.Result<void>;
}

/** Handlers for the options of a server, or of a connection. */
export function errorsHandlers(service: ErrorsHandlers): sockety.Handlers {
  return sockety.handlers(errorsActions, service);
}

/** Calls of `Errors` to be sent later. */
export const errorsDrafts = {
  adjacent: (): sockety.Draft<void> =>
    sockety.draft(errorsActions.adjacent, []),
  tagged: (limit: number): sockety.Draft<string> =>
    sockety.draft(errorsActions.tagged, [limit]),
  taggedAgain: (): sockety.Draft<void> =>
    sockety.draft(errorsActions.taggedAgain, []),
};

/** Thrown by handlers, and by the sources of streams: their caller, or reader, gets the `AdjacentError`. */
export class AdjacentFailure extends sockety.Failure<AdjacentError> {
  constructor(error: AdjacentError) {
    super(error, adjacentErrorVariants);
  }
}

/** The `AdjacentError` with which a call was answered, or a stream was ended; `undefined` for any other problem. */
export function adjacentErrorOf(error: unknown): AdjacentError | undefined {
  return sockety.errorOf<AdjacentError>(error, adjacentErrorVariants);
}

/** Thrown by handlers, and by the sources of streams: their caller, or reader, gets the `TaggedError`. */
export class TaggedFailure extends sockety.Failure<TaggedError> {
  constructor(error: TaggedError) {
    super(error, taggedErrorVariants);
  }
}

/** The `TaggedError` with which a call was answered, or a stream was ended; `undefined` for any other problem. */
export function taggedErrorOf(error: unknown): TaggedError | undefined {
  return sockety.errorOf<TaggedError>(error, taggedErrorVariants);
}

/** Whether a value is of the type `AdjacentError`. */
export const isAdjacentError: sockety.Check<AdjacentError> = sockety.oneOf(
  sockety.struct({ t: sockety.literal('Gone') }),
  sockety.struct({ t: sockety.literal('Because'), c: sockety.text }),
);

/** Whether a value is of the type `TaggedError`. */
export const isTaggedError: sockety.Check<TaggedError> = sockety.oneOf(
  sockety.struct({ why: sockety.literal('not_found') }),
  sockety.struct({ why: sockety.literal('too_large'), limit: sockety.u32 }),
);

const adjacentErrorVariants: sockety.ErrorVariants = [
  {
    name: 'Gone',
    code: 30,
    message: 'gone',
    hasDetails: false,
    value: { t: 'Gone' },
    check: sockety.struct({ t: sockety.literal('Gone') }),
  },
  {
    name: 'Because',
    code: 31,
    message: 'because',
    hasDetails: true,
    check: sockety.struct({ t: sockety.literal('Because'), c: sockety.text }),
  },
];

const taggedErrorVariants: sockety.ErrorVariants = [
  {
    name: 'NotFound',
    code: 20,
    message: 'nothing is there',
    hasDetails: false,
    value: { why: 'not_found' },
    check: sockety.struct({ why: sockety.literal('not_found') }),
  },
  {
    name: 'TooLarge',
    code: 21,
    message: 'too large',
    hasDetails: true,
    check: sockety.struct({ why: sockety.literal('too_large'), limit: sockety.u32 }),
  },
];

const errorsActions = {
  adjacent: {
    name: 'errors.adjacent',
    parameters: [],
    returns: [],
    errors: adjacentErrorVariants,
  },
  tagged: {
    name: 'errors.tagged',
    parameters: [{ kind: 'payload', name: 'limit', check: sockety.u32 }],
    returns: [{ kind: 'payload', check: sockety.text }],
    errors: taggedErrorVariants,
  },
  taggedAgain: {
    name: 'errors.tagged_again',
    parameters: [],
    returns: [],
    errors: taggedErrorVariants,
  },
} satisfies Record<string, sockety.Action>;
