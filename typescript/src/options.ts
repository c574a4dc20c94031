import { type Limits, limitsWith } from './limits.js';
import type { Handler, Handlers } from './message.js';
import type { Int64 } from './msgpack.js';
import { Names } from './names.js';
import { LONGEST_TIMER, withoutInfinity } from './timers.js';

/** Milliseconds until a call fails that says nothing else. */
export const DEFAULT_TIMEOUT = 30_000;

/** How connections behave. */
export interface ConnectionOptions {
  /** Handlers of messages of the peer, by action. */
  readonly handlers?: Handlers;
  /** Handles all other actions, in place of code 2. */
  readonly fallback?: Handler;
  /**
   * Whether the extension is offered: credit, cancelling, deadlines and metadata. `'auto'`, the default, uses it with
   * peers that have it; `'required'` ends connections to others.
   */
  readonly extension?: 'auto' | 'off' | 'required';
  /** What is accepted from the peer. */
  readonly limits?: Partial<Limits>;
  /** Milliseconds until a call fails; `null`: never. Default 30,000. */
  readonly timeout?: number | null;
  /** Milliseconds for connecting, TLS and the connection headers. Default 10,000. */
  readonly connectTimeout?: number;
  /** Milliseconds without a byte to the peer after which a heartbeat is sent. Default 20,000. */
  readonly heartbeat?: number;
  /** Milliseconds without a byte from the peer after which the connection ends; `null`: never. Default 90,000. */
  readonly idleTimeout?: number | null;
  /** Milliseconds for a header. Default 15,000. */
  readonly headerTimeout?: number;
  /** Milliseconds without a byte of a payload after which its message is given up. Default 60,000. */
  readonly progressTimeout?: number;
  /** Milliseconds in which the peer takes no byte after which the connection ends. Default 30,000. */
  readonly writeTimeout?: number;
  /**
   * Milliseconds that a reader may take, without the extension, before its message is given up, when nothing else can
   * be received meanwhile. Default 30,000.
   */
  readonly readTimeout?: number;
  /** How integers of 64 bits are read. */
  readonly int64?: Int64;
  /** Called with what a handler has thrown that is neither a `ServiceError` nor a `Refusal`. */
  readonly onHandlerError?: (error: unknown, action: string) => void;
}

/** The same with defaults. */
export interface ResolvedOptions extends Omit<Required<ConnectionOptions>, 'fallback' | 'onHandlerError' | 'limits' | 'handlers'> {
  readonly handlers: ReadonlyMap<string, Handler>;
  readonly fallback: Handler | undefined;
  readonly onHandlerError: ((error: unknown, action: string) => void) | undefined;
  readonly limits: Limits;
  /** Actions that have a handler. */
  readonly names: Names;
}

export function resolve(options: ConnectionOptions): ResolvedOptions {
  const handlers = new Map(Object.entries(options.handlers ?? {}));
  return {
    handlers,
    names: new Names(handlers.keys()),
    fallback: options.fallback,
    extension: options.extension ?? 'auto',
    limits: limitsWith(options.limits),
    timeout: options.timeout === undefined ? DEFAULT_TIMEOUT : withoutInfinity(options.timeout),
    connectTimeout: Math.min(options.connectTimeout ?? 10_000, LONGEST_TIMER),
    heartbeat: options.heartbeat ?? 20_000,
    idleTimeout: options.idleTimeout === undefined ? 90_000 : options.idleTimeout,
    headerTimeout: options.headerTimeout ?? 15_000,
    progressTimeout: options.progressTimeout ?? 60_000,
    writeTimeout: options.writeTimeout ?? 30_000,
    readTimeout: options.readTimeout ?? 30_000,
    int64: options.int64 ?? 'auto',
    onHandlerError: options.onHandlerError,
  };
}
