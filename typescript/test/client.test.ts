import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { type AddressInfo, connect as connectTcp, createServer } from 'node:net';
import test from 'node:test';

import { CallError, Client, ConnectError, type Connection, type Handlers, type IncomingMessage, connect, listen } from 'sockety-runtime';

import { type RawPeer, rawServer, until } from './support.js';

const handlers: Handlers = {
  nothing: () => undefined,
  left: (message) => message.timeLeft ?? null,
  swallow: async (message) => {
    await message.stream?.bytes();
  },
};

async function reasonOf(call: Promise<unknown>): Promise<CallError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof CallError) return error;
    throw error;
  }
  throw new Error('the call has not failed');
}

test('a time limit and a signal hold while a client connects', async (t) => {
  const port = await rawServer(t, (peer) => void peer.rest().then(() => peer.socket.end()));
  const client = new Client({ host: '127.0.0.1', port });
  t.after(() => client.close(0));
  const timedOut = await reasonOf(client.call('x', null, { timeout: 20 }));
  assert.deepEqual(timedOut.reason, { kind: 'timeout', millis: 20 });
  assert.equal(timedOut.outcome, 'not-sent');
  const request = await reasonOf(client.request('x', null, { timeout: 20 }));
  assert.equal(request.reason.kind, 'timeout');
  const within = { deadlineAt: performance.now() + 20 } as unknown as IncomingMessage;
  assert.equal((await reasonOf(client.call('x', null, { within }))).reason.kind, 'timeout');

  const controller = new AbortController();
  const { signal } = controller;
  const all = [client.call('x', null, { signal }), client.request('x', null, { signal }), client.notify('x', null, { signal })];
  setTimeout(() => controller.abort('enough'), 20);
  for (const each of await Promise.all([...all.map(reasonOf), reasonOf(client.notify('x', null, { signal }))])) {
    assert.deepEqual(each.reason, { kind: 'cancelled', cause: 'enough' });
    assert.equal(each.outcome, 'not-sent');
  }
});

test('a time limit holds while a client waits before it connects again', async (t) => {
  const server = await listen({ port: 0 });
  const { port } = server;
  await server.close();
  const client = new Client({ host: '127.0.0.1', port }, { minDelay: 30_000 });
  t.after(() => client.close(0));
  assert.deepEqual((await reasonOf(client.call('x', null, { timeout: 20 }))).reason, { kind: 'timeout', millis: 20 });
});

test('what a client takes to connect is part of the time of a call', async (t) => {
  const server = await listen({ port: 0 }, { handlers });
  const late = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    setTimeout(() => socket.pipe(connectTcp(server.port, '127.0.0.1')).pipe(socket), 150);
  });
  await new Promise<void>((resolve) => late.listen(0, '127.0.0.1', resolve));
  const client = new Client({ host: '127.0.0.1', port: (late.address() as AddressInfo).port });
  t.after(async () => {
    await client.close(0);
    await server.close(0);
    late.close();
  });
  const left = await client.call<number>('left', null, { timeout: 5000 });
  assert.ok(left > 0 && left < 4900, `${left} ms are left`);
});

test('with TLS, the server is told by which name it was reached', async (t) => {
  const hellos: string[] = [];
  const server = createServer((socket) => {
    socket.once('data', (hello: Buffer) => {
      hellos.push(hello.toString('latin1'));
      socket.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  t.after(() => server.close());
  const { address, port } = server.address() as AddressInfo;
  await assert.rejects(connect(`tls://localhost:${port}`), ConnectError);
  await assert.rejects(connect({ host: 'localhost', port }, { tls: { servername: 'other.example' } }), ConnectError);
  await assert.rejects(connect({ host: address, port, tls: true }), ConnectError);
  assert.equal(hellos.length, 3);
  assert.ok(hellos[0].includes('\0\x09localhost'));
  assert.ok(hellos[1].includes('\0\x0dother.example') && !hellos[1].includes('localhost'));
  assert.ok(!hellos[2].includes(address));
});

/** The side of a server with the extension. Calls of action `x` without a value come, and are answered with code 0. */
class Scripted {
  constructor(readonly peer: RawPeer) {}

  async open(): Promise<void> {
    this.peer.write(0xe2, 0xee, 0, 0xf0, 1, 0);
    assert.equal((await this.peer.read(13)).toString('hex'), 'e2ee00f008000b307500000000');
  }

  /** The id of a call. */
  async call(): Promise<Buffer> {
    return (await this.peer.read(21)).subarray(3, 19);
  }

  answer(id: Buffer): void {
    this.peer.write(0x30, id);
  }

  leave(reason: number, grace: number, retryAfter: number): void {
    const content = Buffer.alloc(16, 0xff);
    content[0] = 2;
    content[7] = reason;
    content.writeUInt32LE(grace, 8);
    content.writeUInt32LE(retryAfter, 12);
    this.peer.write(0xf0, 16, content);
  }

  async expect(hex: string): Promise<void> {
    assert.equal((await this.peer.read(hex.length / 2)).toString('hex'), hex);
  }

  /** Ends the connection after the client has left. */
  async end(): Promise<void> {
    this.peer.write(0xf0, 1, 3);
    await this.peer.rest();
    this.peer.socket.end();
  }
}

/** The Leave of a client that ends its connection when all is done. */
const LEAVE = 'f01002ffffffffffff00ffffffff00000000';
const DONE = 'f00103';
const LAME_DUCK = 8;

test('a client stays with a server that leaves until its calls are answered', async (t) => {
  const peers: Scripted[] = [];
  const port = await rawServer(t, (peer) => peers.push(new Scripted(peer)));
  const client = new Client({ host: '127.0.0.1', port });
  t.after(() => client.close(0));
  const call = client.call('x');
  await until(() => peers.length === 1, 'the client connects');
  const [server] = peers;
  await server.open();
  const id = await server.call();
  server.leave(0, 60_000, 0);
  await server.expect(DONE);
  // Nothing more comes before the answer. Another call goes elsewhere.
  const other = client.call('x');
  await until(() => peers.length === 2, 'the client connects again');
  await peers[1].open();
  peers[1].answer(await peers[1].call());
  assert.equal(await other, null);
  server.answer(id);
  assert.equal(await call, null);
  await server.expect(LEAVE);
  await server.end();
  const closed = client.close();
  await peers[1].peer.read(18);
  await peers[1].end();
  await closed;
});

test('without the extension, a client stays until its calls are answered, too', async (t) => {
  const peers: RawPeer[] = [];
  const port = await rawServer(t, (peer) => peers.push(peer));
  const client = new Client({ host: '127.0.0.1', port }, { extension: 'off' });
  t.after(() => client.close(0));
  const call = client.call('x');
  await until(() => peers.length === 1, 'the client connects');
  const [peer] = peers;
  peer.write(0xe0);
  assert.equal((await peer.read(3)).toString('hex'), 'e20001');
  const message = await peer.read(21);
  peer.write(0xb0);
  await new Promise((resolve) => setTimeout(resolve, 20));
  peer.write(0x30, message.subarray(3, 19));
  assert.equal(await call, null);
  assert.equal((await peer.rest()).toString('hex'), 'b0');
  peer.socket.end();
});

test('a client that closes ends the connections that it has left, too', async (t) => {
  const peers: Scripted[] = [];
  const port = await rawServer(t, (peer) => peers.push(new Scripted(peer)));
  const client = new Client({ host: '127.0.0.1', port });
  const call = reasonOf(client.call('x'));
  await until(() => peers.length === 1, 'the client connects');
  await peers[0].open();
  await peers[0].call();
  peers[0].leave(0, 60_000, 0);
  await peers[0].expect(DONE);
  await client.close(0);
  assert.equal((await call).outcome, 'unknown');
  await peers[0].peer.rest();
  peers[0].peer.socket.end();
});

test('a server that announces its end is left when there is another connection', async (t) => {
  const peers: Scripted[] = [];
  const port = await rawServer(t, (peer) => peers.push(new Scripted(peer)));
  const client = new Client({ host: '127.0.0.1', port });
  t.after(() => client.close(0));
  const first = client.call('x');
  await until(() => peers.length === 1, 'the client connects');
  const [old] = peers;
  await old.open();
  old.answer(await old.call());
  await first;
  // One that was a lame duck from the beginning is not replaced.
  await new Promise((resolve) => setTimeout(resolve, 1050));
  old.leave(LAME_DUCK, 60_000, 0);
  await until(() => peers.length === 2, 'the client connects again');
  const second = client.call('x');
  const id = await old.call();
  await peers[1].open();
  // This one is a lame duck from the beginning: there is none to replace it.
  peers[1].leave(LAME_DUCK, 60_000, 0);
  const third = (async () => {
    await until(() => client['current'] !== undefined && client['left'].size === 1, 'the old connection is left');
    return client.call('x');
  })();
  peers[1].answer(await peers[1].call());
  await third;
  old.answer(id);
  await second;
  await old.expect(LEAVE);
  await old.end();
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.equal(peers.length, 2);
  peers[1].peer.socket.destroy();
});

test('a server that wants nobody to connect again is not left before it goes', async (t) => {
  const peers: Scripted[] = [];
  const port = await rawServer(t, (peer) => peers.push(new Scripted(peer)));
  const client = new Client({ host: '127.0.0.1', port });
  t.after(() => client.close(0));
  for (let count = 0; count < 3; count++) {
    const call = client.call('x');
    await until(() => peers.length === 1, 'the client connects');
    if (count === 0) await peers[0].open();
    peers[0].answer(await peers[0].call());
    await call;
    peers[0].leave(LAME_DUCK, 60_000, 60_000);
  }
  assert.equal(peers.length, 1);
  peers[0].peer.socket.destroy();
});

test('a client whose time limits are above those of timers', async (t) => {
  const server = await listen({ port: 0 }, { handlers });
  const { port } = server;
  await server.close();
  const client = new Client({ host: '127.0.0.1', port }, { minDelay: 2 ** 32, maxDelay: 2 ** 33 });
  t.after(() => client.close(0));
  const call = reasonOf(client.call('nothing', null, { timeout: 2 ** 32 }));
  const gone = await Promise.race([call, new Promise((resolve) => setTimeout(resolve, 50))]);
  assert.equal(gone, undefined);
  await client.close();
  assert.equal((await call).reason.kind, 'closed');
});

/** An upload that is cancelled when it has begun, and after that what was to be done meanwhile. */
async function cancelled(peer: Client | Connection, meanwhile: () => void = () => undefined): Promise<void> {
  const controller = new AbortController();
  const { signal } = controller;
  async function* stream(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(10);
    setTimeout(() => {
      meanwhile();
      setTimeout(() => controller.abort(), 10);
    }, 10);
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
  }
  const { reason } = await reasonOf(peer.call('swallow', null, { stream: stream(), signal }));
  assert.equal(reason.kind, 'cancelled');
}

test('a connection whose only channel is lost takes no message any more', async (t) => {
  const server = await listen({ port: 0 }, { handlers, extension: 'off', limits: { channels: 1 } });
  const address = { host: '127.0.0.1', port: server.port };
  const connection = await connect(address, { extension: 'off' });
  const client = new Client(address, { extension: 'off' });
  t.after(async () => {
    await client.close(0);
    connection.destroy();
    await server.close(0);
  });
  const first = await client.connected();
  let waiting: Promise<unknown> | undefined;
  await cancelled(client, () => (waiting = client.call('nothing', null, { timeout: 5000 })));
  assert.equal(await waiting, null);
  assert.equal(await client.call('nothing', null, { timeout: 5000 }), null);
  assert.notEqual(await client.connected(), first);

  await cancelled(connection, () => (waiting = reasonOf(connection.call('nothing', null, { timeout: 5000 }))));
  assert.equal(connection.isOpen, false);
  for (const error of [await waiting, await reasonOf(connection.call('nothing', null, { timeout: 5000 }))]) {
    assert.ok(error instanceof CallError);
    assert.equal(error.reason.kind, 'closed');
    assert.equal(error.outcome, 'not-sent');
  }
  await Promise.all([connection.closed, first.closed]);
});

test('a client leaves a connection that has lost half of its channels', async (t) => {
  const server = await listen({ port: 0 }, { handlers, extension: 'off', limits: { channels: 4 } });
  const client = new Client({ host: '127.0.0.1', port: server.port }, { extension: 'off' });
  t.after(async () => {
    await client.close(0);
    await server.close(0);
  });
  const first = await client.connected();
  await cancelled(client);
  assert.equal(await client.connected(), first);
  await cancelled(client);
  assert.equal(await client.call('nothing'), null);
  assert.notEqual(await client.connected(), first);
  await first.closed;
});

test('the signal of a client gives up connecting, also while it waits, and has no listener afterwards', async (t) => {
  const port = await rawServer(t, (peer) => void peer.rest().then(() => peer.socket.end()));
  const controller = new AbortController();
  const { signal } = controller;
  const client = new Client({ host: '127.0.0.1', port }, { signal });
  const call = reasonOf(client.call('x'));
  await until(() => getEventListeners(signal, 'abort').length === 1, 'the client connects');
  controller.abort('enough');
  const { reason, outcome } = await call;
  assert.equal(reason.kind, 'closed');
  assert.equal(outcome, 'not-sent');
  await assert.rejects(client.connected(), (error: unknown) => {
    return error instanceof ConnectError && error.reason.kind === 'cancelled' && error.reason.cause === 'enough';
  });
  assert.equal(getEventListeners(signal, 'abort').length, 0);
  await client.close();

  const server = await listen({ port: 0 }, { handlers });
  const other = new AbortController();
  const again = new Client({ host: '127.0.0.1', port: server.port }, { signal: other.signal, minDelay: 1, maxDelay: 1 });
  const address = { host: '127.0.0.1', port: server.port };
  await again.call('nothing');
  await server.close();
  // It is refused, waits, and is refused once more.
  await reasonOf(again.call('nothing'));
  const reopened = await listen(address, { handlers });
  await again.call('nothing');
  assert.equal(getEventListeners(other.signal, 'abort').length, 0);
  // What is open goes on.
  other.abort();
  await again.call('nothing');
  await again.close();
  await reopened.close();
});
