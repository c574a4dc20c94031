import { type Socket, connect as connectTcp, createServer } from 'node:net';

import { type ConnectOptions, type Connection, type Server, type ServerOptions, connect, listen } from 'sockety-runtime';

/** A server and a connection to it, which are closed when the test is over. */
export async function pair(
  test: { after: (end: () => Promise<void>) => void },
  server: ServerOptions,
  client: ConnectOptions = {},
): Promise<{ server: Server; client: Connection }> {
  const listening = await listen({ port: 0 }, server);
  const connection = await connect({ host: '127.0.0.1', port: listening.port }, client);
  test.after(async () => {
    connection.destroy();
    await listening.close(0);
  });
  return { server: listening, client: connection };
}

/** Each kind of connection: with the extension, and without. */
export const BOTH = [
  { name: 'base', options: { extension: 'off' } },
  { name: 'extended', options: { extension: 'required' } },
] as const;

/** A peer that exchanges bytes. */
export async function raw(port: number): Promise<RawPeer> {
  const socket = connectTcp({ host: '127.0.0.1', port, allowHalfOpen: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return new RawPeer(socket);
}

/** A server that is such a peer. */
export async function rawServer(
  test: { after: (end: () => void) => void },
  onPeer: (peer: RawPeer) => void,
): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => onPeer(new RawPeer(socket)));
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  test.after(() => {
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

export class RawPeer {
  private bytes = Buffer.alloc(0);
  private waiting: (() => void)[] = [];
  hasEnded = false;

  constructor(readonly socket: Socket) {
    socket.on('data', (bytes: Buffer) => {
      this.bytes = Buffer.concat([this.bytes, bytes]);
      this.wake();
    });
    socket.on('error', () => this.wake());
    socket.on('end', () => {
      this.hasEnded = true;
      this.wake();
    });
  }

  private wake(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const wake of waiting) wake();
  }

  write(...bytes: (number | Uint8Array | string)[]): void {
    for (const each of bytes) {
      this.socket.write(typeof each === 'number' ? Uint8Array.of(each) : typeof each === 'string' ? Buffer.from(each, 'latin1') : each);
    }
  }

  async read(size: number): Promise<Buffer> {
    while (this.bytes.length < size) {
      if (this.hasEnded || this.socket.destroyed) throw new Error(`only ${this.bytes.length} bytes of ${size} came`);
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
    const taken = this.bytes.subarray(0, size);
    this.bytes = this.bytes.subarray(size);
    return taken;
  }

  /** Everything until the peer ends the connection. */
  async rest(): Promise<Buffer> {
    while (!this.hasEnded && !this.socket.destroyed) await new Promise<void>((resolve) => this.waiting.push(resolve));
    return this.bytes;
  }
}

const PATTERN = new Uint8Array(4 * 1024 * 1024).map((_, place) => place % 251);

/** Content in which a wrong order is noticed: byte i is i mod 251. */
export function content(size: number, at = 0): Uint8Array {
  return PATTERN.subarray(at % 251, (at % 251) + size);
}

export async function* chunks(size: number, piece: number, onChunk?: (at: number) => void): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < size; at += piece) {
    onChunk?.(at);
    yield content(Math.min(piece, size - at), at);
  }
}

/** Waits until something holds. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  for (let turn = 0; turn < 2000; turn++) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`it did not happen: ${what}`);
}
