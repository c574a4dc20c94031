import { type Socket, connect as connectTcp, isIP } from 'node:net';
import { type ConnectionOptions as TlsOptions, connect as connectTls } from 'node:tls';

import { type Address, parseAddress } from './address.js';
import { Connection } from './connection.js';
import { CallError, type CallReason, type CloseReason, ConnectError, type Outcome } from './errors.js';
import { type Leave, LeaveReason } from './extension/leave.js';
import { Ids } from './ids.js';
import type { Reply } from './message.js';
import { type ConnectionOptions, DEFAULT_TIMEOUT, resolve } from './options.js';
import { type CallOptions, type NotifyOptions, type Request, type RequestOptions, valueOf } from './request.js';
import { LONGEST_TIMER } from './timers.js';

/** The protocol that TLS negotiates (ALPN). */
export const ALPN = 'sockety/1';

/** How a client connects. */
export interface ConnectOptions extends ConnectionOptions {
  /** Settings of TLS, which is then used whatever the address says: `ca`, `cert`, `key`, `servername`. */
  readonly tls?: TlsOptions;
  /** Gives up connecting. */
  readonly signal?: AbortSignal;
}

/** Connects to a server. Resolves when both sides have said what they accept; rejects with a `ConnectError`. */
export async function connect(address: Address, options: ConnectOptions = {}): Promise<Connection> {
  const resolved = resolve(options);
  const parsed = parseAddress(address);
  const { signal } = options;
  if (signal?.aborted === true) throw new ConnectError({ kind: 'cancelled', cause: signal.reason });
  const isTls = options.tls !== undefined || (parsed.kind === 'tcp' && parsed.isTls);
  const target = parsed.kind === 'unix' ? { path: parsed.path } : { host: parsed.host, port: parsed.port };
  const socket = isTls
    ? connectTls(tlsOptions(target, options.tls))
    : connectTcp({ ...target, allowHalfOpen: true });
  const millis = resolved.connectTimeout;
  let onAbort: (() => void) | undefined;
  let timer: NodeJS.Timeout | undefined;
  let connection: Connection | undefined;
  const given = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ConnectError({ kind: 'timeout', millis })), millis);
    onAbort = () => reject(new ConnectError({ kind: 'cancelled', cause: signal?.reason }));
    signal?.addEventListener('abort', onAbort, { once: true });
  });
  try {
    await Promise.race([connected(socket, isTls ? 'secureConnect' : 'connect'), given]);
    connection = new Connection(socket, resolved, false);
    await Promise.race([connection.opened, given]);
    return connection;
  } catch (error) {
    connection?.destroy();
    socket.destroy();
    if (error instanceof ConnectError) throw error;
    if (error instanceof Error) throw new ConnectError({ kind: 'unreachable', error });
    throw new ConnectError({ kind: 'handshake', reason: error as CloseReason });
  } finally {
    clearTimeout(timer);
    if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort);
  }
}

function connected(socket: Socket, event: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const onEvent = (): void => {
      socket.off('error', onError);
      resolve();
    };
    const onError = (error: Error): void => {
      socket.off(event, onEvent);
      // Later errors of a socket that is given up concern nobody.
      socket.on('error', () => undefined);
      reject(error);
    };
    socket.once(event, onEvent);
    socket.once('error', onError);
  });
}

/** How a client connects again. */
export interface ReconnectOptions extends ConnectOptions {
  /** Gives up connecting, for ever. A connection that is open goes on. */
  readonly signal?: AbortSignal;
  /** Milliseconds before the second attempt; each further one waits twice as long. Default 100. */
  readonly minDelay?: number;
  /** The most of them. Default 30,000. */
  readonly maxDelay?: number;
}

/** A connection whose server announces its end sooner than this is not replaced: its address leads to that server. */
const SHORTEST_LIFE_MILLIS = 1000;
/** Over how many milliseconds clients of one server spread their attempts to replace it. */
const SPREAD_MILLIS = 100;

/**
 * A client that connects when a message is to be sent, and again when its connection has ended. A message that was
 * certainly not executed because its connection has ended is sent once more, on another one.
 */
export class Client {
  private connection: Promise<Connection> | undefined;
  private current: Connection | undefined;
  /** Connections on which only what is under way is finished. */
  private readonly left = new Set<Connection>();
  private failures = 0;
  private notBefore = 0;
  private isClosed = false;
  /** Gives up the attempt that is under way. */
  private attempting: AbortController | undefined;
  private readonly ids = new Ids();

  constructor(
    private readonly address: Address,
    private readonly options: ReconnectOptions = {},
  ) {}

  /** The open connection, or the one that is being made. Rejects with a `ConnectError`. */
  async connected(): Promise<Connection> {
    if (this.isClosed) throw new ConnectError({ kind: 'cancelled', cause: 'the client is closed' });
    if (this.current !== undefined && isUsable(this.current)) return this.current;
    if (this.current !== undefined) this.leave(this.current);
    this.connection ??= this.attempt();
    return this.connection;
  }

  private async attempt(): Promise<Connection> {
    const attempting = (this.attempting = new AbortController());
    const { signal } = attempting;
    const given = this.options.signal;
    const onAbort = (): void => attempting.abort(given?.reason);
    given?.addEventListener('abort', onAbort);
    if (given?.aborted === true) onAbort();
    try {
      const wait = this.notBefore - performance.now();
      if (wait > 0) await sleep(wait, signal);
      const connection = await connect(this.address, { ...this.options, signal });
      if (this.isClosed) {
        connection.destroy();
        throw new ConnectError({ kind: 'cancelled', cause: 'the client is closed' });
      }
      this.failures = 0;
      this.notBefore = 0;
      const openedAt = performance.now();
      const { leaving } = connection;
      leaving.onPeerLeaving = (leave) => this.onPeerLeaving(connection, leave, openedAt);
      // It may have come with the first bytes.
      if (leaving.peerLeave !== undefined) this.onPeerLeaving(connection, leaving.peerLeave, openedAt);
      if (connection.isOpen) {
        const { current } = this;
        this.current = connection;
        if (current !== undefined) this.leave(current);
      }
      return connection;
    } catch (error) {
      const { minDelay = 100, maxDelay = 30_000 } = this.options;
      const delay = Math.min(maxDelay, minDelay * 2 ** this.failures++);
      this.notBefore = performance.now() + delay * (0.5 + Math.random() / 2);
      throw error;
    } finally {
      this.connection = this.attempting = undefined;
      given?.removeEventListener('abort', onAbort);
    }
  }

  private onPeerLeaving(connection: Connection, { reason, retryAfterMillis }: Leave, openedAt: number): void {
    const now = performance.now();
    const absence = Math.min(retryAfterMillis, this.options.maxDelay ?? 30_000);
    this.notBefore = Math.max(this.notBefore, now + absence);
    if (connection.leaving.isPeerLeaving || reason !== LeaveReason.LameDuck) return this.leave(connection);
    // It still serves. One that wants nobody to connect again now is not left before it goes.
    if (retryAfterMillis > 0 || now - openedAt < SHORTEST_LIFE_MILLIS) return;
    setTimeout(() => {
      if (this.isClosed || this.current !== connection || !connection.isOpen) return;
      this.connection ??= this.attempt();
      // It is used as long as there is no other.
      this.connection.catch(() => undefined);
    }, SPREAD_MILLIS * Math.random()).unref();
  }

  /** New messages go elsewhere; what is under way is finished there. */
  private leave(connection: Connection): void {
    if (this.current === connection) this.current = undefined;
    if (this.left.has(connection)) return;
    this.left.add(connection);
    void connection.closed.then(() => this.left.delete(connection));
    connection.leaving.follow();
  }

  /** Like `Connection.call`. Its time limit and its signal hold while the client connects, too. */
  async call<T = unknown>(action: string, data?: unknown, options: CallOptions = {}): Promise<T> {
    const id = this.ids.next();
    const since = performance.now();
    const send = async (attempt: number, outcome: Outcome): Promise<T> => {
      const connection = await this.reach(action, options, since, outcome);
      return connection.call<T>(action, data, { ...options, since, resent: { id, attempt } });
    };
    try {
      return await send(0, 'not-sent');
    } catch (error) {
      if (isRepeatable(error) && isReusable(options)) return send(1, error.outcome);
      throw error;
    }
  }

  /** Like `Connection.request`. It is not sent again. */
  async request(action: string, data?: unknown, options: RequestOptions = {}): Promise<Request> {
    const since = performance.now();
    const connection = await this.reach(action, options, since, 'not-sent');
    return connection.request(action, data, { ...options, since });
  }

  /** Like `Connection.notify`. */
  async notify(action: string, data?: unknown, options: NotifyOptions = {}): Promise<void> {
    const id = this.ids.next();
    const since = performance.now();
    const send = async (attempt: number, outcome: Outcome): Promise<void> => {
      const connection = await this.reach(action, { signal: options.signal, timeout: null }, since, outcome);
      return connection.notify(action, data, { ...options, resent: { id, attempt } });
    };
    try {
      await send(0, 'not-sent');
    } catch (error) {
      if (!isRepeatable(error) || !isReusable(options)) throw error;
      await send(1, error.outcome);
    }
  }

  /**
   * The connection for a message whose caller waits since then, and no longer than it wants to. `outcome` is that of the
   * message if there is none.
   */
  private async reach(action: string, options: RequestOptions, since: number, outcome: Outcome): Promise<Connection> {
    const { current } = this;
    if (current !== undefined && isUsable(current)) return current;
    const { signal, within, timeout = this.options.timeout } = options;
    const fail = (reason: CallReason): CallError => new CallError(action, reason, outcome);
    const cancelled = (): CallError => fail({ kind: 'cancelled', cause: signal?.reason });
    if (signal?.aborted === true) throw cancelled();
    const millis = timeout === undefined ? DEFAULT_TIMEOUT : timeout;
    const deadline = Math.min(millis === null ? Number.POSITIVE_INFINITY : since + millis, within?.deadlineAt ?? Number.POSITIVE_INFINITY);
    const left = deadline - performance.now();
    const timedOut = (): CallError => fail({ kind: 'timeout', millis: millis ?? 0 });
    if (left <= 0) throw timedOut();
    let timer: NodeJS.Timeout | undefined;
    let onAbort: (() => void) | undefined;
    const givenUp = new Promise<never>((_, reject) => {
      if (left <= LONGEST_TIMER) timer = setTimeout(() => reject(timedOut()), left);
      onAbort = () => reject(cancelled());
      signal?.addEventListener('abort', onAbort, { once: true });
    });
    try {
      return await Promise.race([this.connected(), givenUp]);
    } catch (error) {
      if (error instanceof CallError) throw error;
      const message = error instanceof Error ? error.message : String(error);
      throw fail({ kind: 'closed', reason: { kind: 'peer', message } });
    } finally {
      clearTimeout(timer);
      if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Ends its connections in order, and makes no other. */
  async close(grace?: number): Promise<void> {
    this.isClosed = true;
    this.attempting?.abort('the client is closed');
    if (this.current !== undefined) this.leave(this.current);
    await Promise.all([...this.left].map((connection) => connection.close(grace)));
  }
}

function sleep(millis: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(new ConnectError({ kind: 'cancelled', cause: signal.reason }));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    }, Math.min(millis, LONGEST_TIMER));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** Whether a message is to be sent over it, rather than over another one. */
function isUsable(connection: Connection): boolean {
  return connection.isOpen && !connection.sender.isWornOut;
}

/** A source is read once, so that what it was read for cannot be sent again. */
function isReusable(options: NotifyOptions): boolean {
  return options.stream === undefined && options.files === undefined;
}

function isRepeatable(error: unknown): error is CallError {
  if (!(error instanceof CallError) || error.reason.kind !== 'closed') return false;
  return error.outcome === 'not-sent' || error.outcome === 'not-executed';
}

/** The value of a reply. Throws a `CallError` for one that is an error. */
export function replyValue<T = unknown>(action: string, reply: Reply): T {
  return valueOf(action, reply) as T;
}

/** The types of Node leave out that TLS has `allowHalfOpen` as well. */
function tlsOptions(target: { readonly host?: string }, tls: TlsOptions | undefined): TlsOptions {
  const options: TlsOptions & { allowHalfOpen: boolean } = {
    ...target,
    // Node names the server (SNI) only if it is told to. An address is no name.
    servername: target.host === undefined || isIP(target.host) !== 0 ? undefined : target.host,
    ALPNProtocols: [ALPN],
    ...tls,
    allowHalfOpen: true,
  };
  return options;
}
