/** Written by sockety-typescript from the schema of 'Store'. Changes belong there. */
import * as sockety from 'sockety-runtime/generated';

/** A key has a new value. */
export interface Change {
  /** The key. */
  key: string;
  /** Its new value. */
  value: string;
  /** The name of the client that changed it, if it has one. */
  by?: string | null;
}

/** Why a file is not loaded to its end. */
export type LoadError =
  /** the file is not text, or too large */
  | 'NoText'
  /** a line has no `=` */
  | {
      NoValue: {
        /** Its number, from 1. */
        line: number | bigint;
      };
    }
  /** the store has no room for further keys */
  | {
      Full: {
        /** The number of the line that had none. */
        line: number | bigint;
      };
    };

/** Why the store refuses a call. */
export type StoreError =
  /** there is no such key */
  | 'NoSuchKey'
  /** the store has no room for further keys */
  | {
      Full: {
        /** The largest number of keys. */
        keys: number | bigint;
      };
    };

/** Why a watch ends. */
export type WatchError =
  /** the watcher was too slow */
  | {
      Missed: {
        /** How many changes it has missed. */
        changes: number | bigint;
      };
    };

/** What the store does. */
export interface Store {
  /** Returns all keys and values as a file for `load`, in the order of the keys. */
  dump(options?: sockety.Options): Promise<sockety.IncomingFile>;
  /**
   * Returns the value of a key.
   *
   * @throws CallError<StoreError>
   */
  get(key: string, options?: sockety.Options): Promise<string>;
  /**
   * Stores the lines of a file, each a key and its value with `=` between them, and returns how
   * many there are. Those before a line that is refused are stored.
   *
   * @throws CallError<LoadError>
   */
  load(lines: sockety.FileSource, options?: sockety.Options): Promise<number | bigint>;
  /**
   * Stores a value for a key. Storing the value that the key already has changes nothing, and is
   * not announced.
   *
   * Meanwhile the server asks the caller for its name, see [`Visitor`]. `cx` identifies the
   * caller, and is not sent.
   *
   * @throws CallError<StoreError>
   */
  put(key: string, value: string, options?: sockety.Options): Promise<void>;
  /**
   * Streams changes of keys that begin with `prefix`, from now on until the caller ends
   * `listening`.
   */
  watch(prefix: string, listening: sockety.Items<null>, options?: sockety.Options): Promise<sockety.ItemStream<Change, WatchError>>;
}

/** Calls `Store` through a connection, or a client that connects again. */
export class StoreClient implements Store {
  readonly #peer: sockety.Peer;

  constructor(peer: sockety.Peer) {
    this.#peer = peer;
  }

  dump(options?: sockety.Options): Promise<sockety.IncomingFile> {
    return sockety.call(this.#peer, storeActions.dump, [], options);
  }

  get(key: string, options?: sockety.Options): Promise<string> {
    return sockety.call(this.#peer, storeActions.get, [key], options);
  }

  load(lines: sockety.FileSource, options?: sockety.Options): Promise<number | bigint> {
    return sockety.call(this.#peer, storeActions.load, [lines], options);
  }

  put(key: string, value: string, options?: sockety.Options): Promise<void> {
    return sockety.call(this.#peer, storeActions.put, [key, value], options);
  }

  watch(prefix: string, listening: sockety.Items<null>, options?: sockety.Options): Promise<sockety.ItemStream<Change, WatchError>> {
    return sockety.call(this.#peer, storeActions.watch, [prefix, listening], options);
  }
}

/** What a service `Store` does. */
export interface StoreHandlers {
  /** Returns all keys and values as a file for `load`, in the order of the keys. */
  dump(message: sockety.IncomingMessage): sockety.Result<sockety.FileSource>;
  /**
   * Returns the value of a key.
   *
   * @throws StoreFailure
   */
  get(key: string, message: sockety.IncomingMessage): sockety.Result<string>;
  /**
   * Stores the lines of a file, each a key and its value with `=` between them, and returns how
   * many there are. Those before a line that is refused are stored.
   *
   * @throws LoadFailure
   */
  load(lines: sockety.IncomingFile, message: sockety.IncomingMessage): sockety.Result<number | bigint>;
  /**
   * Stores a value for a key. Storing the value that the key already has changes nothing, and is
   * not announced.
   *
   * Meanwhile the server asks the caller for its name, see [`Visitor`]. `cx` identifies the
   * caller, and is not sent.
   *
   * @throws StoreFailure
   */
  put(key: string, value: string, message: sockety.IncomingMessage): sockety.Result<void>;
  /**
   * Streams changes of keys that begin with `prefix`, from now on until the caller ends
   * `listening`.
   *
   * What it returns may throw a `WatchFailure`.
   */
  watch(prefix: string, listening: sockety.ItemStream<null>, message: sockety.IncomingMessage): sockety.Result<sockety.Items<Change>>;
}

/** Handlers for the options of a server, or of a connection. */
export function storeHandlers(service: StoreHandlers): sockety.Handlers {
  return sockety.handlers(storeActions, service);
}

/** Calls of `Store` to be sent later. */
export const storeDrafts = {
  dump: (): sockety.Draft<sockety.IncomingFile> =>
    sockety.draft(storeActions.dump, []),
  get: (key: string): sockety.Draft<string> =>
    sockety.draft(storeActions.get, [key]),
  load: (lines: sockety.FileSource): sockety.Draft<number | bigint> =>
    sockety.draft(storeActions.load, [lines]),
  put: (key: string, value: string): sockety.Draft<void> =>
    sockety.draft(storeActions.put, [key, value]),
  watch: (prefix: string, listening: sockety.Items<null>): sockety.Draft<sockety.ItemStream<Change, WatchError>> =>
    sockety.draft(storeActions.watch, [prefix, listening]),
};

/** Thrown by handlers, and by the sources of streams: their caller, or reader, gets the `StoreError`. */
export class StoreFailure extends sockety.Failure<StoreError> {
  constructor(error: StoreError) {
    super(error, storeErrorVariants);
  }
}

/** The `StoreError` with which a call was answered, or a stream was ended; `undefined` for any other problem. */
export function storeErrorOf(error: unknown): StoreError | undefined {
  return sockety.errorOf<StoreError>(error, storeErrorVariants);
}

/** Thrown by handlers, and by the sources of streams: their caller, or reader, gets the `LoadError`. */
export class LoadFailure extends sockety.Failure<LoadError> {
  constructor(error: LoadError) {
    super(error, loadErrorVariants);
  }
}

/** The `LoadError` with which a call was answered, or a stream was ended; `undefined` for any other problem. */
export function loadErrorOf(error: unknown): LoadError | undefined {
  return sockety.errorOf<LoadError>(error, loadErrorVariants);
}

/** Thrown by handlers, and by the sources of streams: their caller, or reader, gets the `WatchError`. */
export class WatchFailure extends sockety.Failure<WatchError> {
  constructor(error: WatchError) {
    super(error, watchErrorVariants);
  }
}

/** The `WatchError` with which a call was answered, or a stream was ended; `undefined` for any other problem. */
export function watchErrorOf(error: unknown): WatchError | undefined {
  return sockety.errorOf<WatchError>(error, watchErrorVariants);
}

/** Whether a value is of the type `Change`. */
export const isChange: sockety.Check<Change> = sockety.struct({ key: sockety.text, value: sockety.text, by: sockety.optional(sockety.option(sockety.text)) });

/** Whether a value is of the type `LoadError`. */
export const isLoadError: sockety.Check<LoadError> = sockety.oneOf(
  sockety.literal('NoText'),
  sockety.struct({ NoValue: sockety.struct({ line: sockety.u64 }) }),
  sockety.struct({ Full: sockety.struct({ line: sockety.u64 }) }),
);

/** Whether a value is of the type `StoreError`. */
export const isStoreError: sockety.Check<StoreError> = sockety.oneOf(sockety.literal('NoSuchKey'), sockety.struct({ Full: sockety.struct({ keys: sockety.u64 }) }));

/** Whether a value is of the type `WatchError`. */
export const isWatchError: sockety.Check<WatchError> = sockety.oneOf(sockety.struct({ Missed: sockety.struct({ changes: sockety.u64 }) }));

const storeErrorVariants: sockety.ErrorVariants = [
  {
    name: 'NoSuchKey',
    code: 16,
    message: 'there is no such key',
    hasDetails: false,
    value: 'NoSuchKey',
    check: sockety.literal('NoSuchKey'),
  },
  {
    name: 'Full',
    code: 17,
    message: 'the store has no room for further keys',
    hasDetails: true,
    check: sockety.struct({ Full: sockety.struct({ keys: sockety.u64 }) }),
  },
];

const loadErrorVariants: sockety.ErrorVariants = [
  {
    name: 'NoText',
    code: 16,
    message: 'the file is not text, or too large',
    hasDetails: false,
    value: 'NoText',
    check: sockety.literal('NoText'),
  },
  {
    name: 'NoValue',
    code: 17,
    message: 'a line has no `=`',
    hasDetails: true,
    check: sockety.struct({ NoValue: sockety.struct({ line: sockety.u64 }) }),
  },
  {
    name: 'Full',
    code: 18,
    message: 'the store has no room for further keys',
    hasDetails: true,
    check: sockety.struct({ Full: sockety.struct({ line: sockety.u64 }) }),
  },
];

const watchErrorVariants: sockety.ErrorVariants = [
  {
    name: 'Missed',
    code: 16,
    message: 'the watcher was too slow',
    hasDetails: true,
    check: sockety.struct({ Missed: sockety.struct({ changes: sockety.u64 }) }),
  },
];

const storeActions = {
  dump: {
    name: 'store.dump',
    parameters: [],
    returns: [{ kind: 'file' }],
  },
  get: {
    name: 'store.get',
    parameters: [{ kind: 'payload', name: 'key', check: sockety.text }],
    returns: [{ kind: 'payload', check: sockety.text }],
    errors: storeErrorVariants,
  },
  load: {
    name: 'store.load',
    parameters: [{ kind: 'file' }],
    returns: [{ kind: 'payload', check: sockety.u64 }],
    errors: loadErrorVariants,
  },
  put: {
    name: 'store.put',
    parameters: [
      { kind: 'payload', name: 'key', check: sockety.text },
      { kind: 'payload', name: 'value', check: sockety.text },
    ],
    returns: [],
    errors: storeErrorVariants,
  },
  watch: {
    name: 'store.watch',
    parameters: [{ kind: 'payload', name: 'prefix', check: sockety.text }, { kind: 'items', check: sockety.nil }],
    returns: [{ kind: 'items', check: isChange, errors: watchErrorVariants }],
  },
} satisfies Record<string, sockety.Action>;
