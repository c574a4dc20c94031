import { type Server as NetServer, type Socket, createServer as createTcp } from 'node:net';
import { type TlsOptions, createServer as createTls } from 'node:tls';

import { ALPN } from './client.js';
import { Connection } from './connection.js';
import { LeaveReason } from './extension/leave.js';
import { type ConnectionOptions, type ResolvedOptions, resolve } from './options.js';

/** Where a server listens. */
export type ListenAddress = { readonly port: number; readonly host?: string } | { readonly path: string };

/** How a server behaves. */
export interface ServerOptions extends ConnectionOptions {
  /** Settings of TLS: `cert` and `key`. Without them, connections are not encrypted. */
  readonly tls?: TlsOptions;
  /** Connections at a time; others are closed at once. Default 1,000. */
  readonly maxConnections?: number;
  /** Called with each connection when both sides have said what they accept. */
  readonly onConnection?: (connection: Connection) => void;
}

/** A server, which serves the same handlers on each connection. */
export class Server {
  /** Connections whose headers were exchanged, or are being exchanged. */
  readonly connections = new Set<Connection>();
  private readonly sockets = new Set<Socket>();
  private readonly resolved: ResolvedOptions;
  private readonly net: NetServer;
  private isClosing = false;

  constructor(private readonly options: ServerOptions = {}) {
    this.resolved = resolve(options);
    const { tls } = options;
    if (tls === undefined) {
      this.net = createTcp({ allowHalfOpen: true, noDelay: true }, this.accept);
    } else {
      const server = createTls(
        {
          ALPNProtocols: [ALPN],
          handshakeTimeout: this.resolved.connectTimeout,
          ...tls,
          allowHalfOpen: true,
        } as TlsOptions,
        this.accept,
      );
      server.on('tlsClientError', () => undefined);
      server.on('connection', this.track);
      this.net = server;
    }
    this.net.maxConnections = options.maxConnections ?? 1000;
  }

  /** Begins to accept connections. */
  listen(address: ListenAddress): Promise<void> {
    return new Promise((resolve, reject) => {
      this.net.once('error', reject);
      this.net.listen('path' in address ? address : { host: '127.0.0.1', ...address }, () => {
        this.net.off('error', reject);
        this.net.on('error', () => undefined);
        resolve();
      });
    });
  }

  /** The port on which it listens. */
  get port(): number {
    const address = this.net.address();
    if (address === null || typeof address === 'string') throw new Error('the server listens on no port');
    return address.port;
  }

  private readonly track = (socket: Socket): void => {
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
  };

  private readonly accept = (socket: Socket): void => {
    this.track(socket);
    if (this.isClosing) {
      socket.destroy();
      return;
    }
    const connection = new Connection(socket, this.resolved, true);
    this.connections.add(connection);
    void connection.closed.then(() => this.connections.delete(connection));
    const { onConnection } = this.options;
    if (onConnection !== undefined) {
      connection.opened.then(
        () => onConnection(connection),
        () => undefined,
      );
    }
  };

  /** Accepts no more connections, and ends each in order, within `grace` milliseconds. */
  async close(grace = 10_000): Promise<void> {
    this.isClosing = true;
    const closed = new Promise<void>((resolve) => {
      this.net.close(() => resolve());
    });
    for (const connection of this.connections) connection.leaving.leave(LeaveReason.Shutdown, grace);
    await Promise.all([...this.connections].map((connection) => connection.close(grace)));
    const rest = setTimeout(() => {
      for (const socket of this.sockets) socket.destroy();
    }, 1500);
    await closed;
    clearTimeout(rest);
  }
}

/** Starts a server. */
export async function listen(address: ListenAddress, options: ServerOptions = {}): Promise<Server> {
  const server = new Server(options);
  await server.listen(address);
  return server;
}
