import assert from 'node:assert/strict';
import { type AddressInfo, connect as connectTcp, createServer } from 'node:net';
import test from 'node:test';

import { CallError, Client, ConnectError, type Handlers, type IncomingMessage, connect, listen } from 'sockety-runtime';

import { rawServer } from './support.js';

const handlers: Handlers = {
  nothing: () => undefined,
  left: (message) => message.timeLeft ?? null,
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
