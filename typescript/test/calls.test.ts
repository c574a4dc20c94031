import assert from 'node:assert/strict';
import test from 'node:test';

import {
  CallError,
  Client,
  Code,
  ConnectError,
  type Handlers,
  LimitError,
  Refusal,
  ServiceError,
  connect,
  fastReply,
  isCallError,
  listen,
  respond,
} from 'sockety-runtime';

import { LARGE } from '#dist/msgpack.js';

import { BOTH, pair, raw, rawServer, until } from './support.js';

type TransferError = { Insufficient: { missing: number } } | 'Locked';

const handlers: Handlers = {
  echo: (message) => message.data(),
  nothing: () => undefined,
  late: async (message) => {
    await new Promise((resolve) => setTimeout(resolve, 10));
    return message.data();
  },
  code: () => fastReply(1234),
  refused: () => {
    throw new Refusal(Code.Unauthorized);
  },
  broken: () => {
    throw new TypeError('a fault');
  },
  poor: () => {
    throw new ServiceError<TransferError>('Insufficient', 'too little', { Insufficient: { missing: 3 } });
  },
  thrice: async (message) => {
    for (const place of [1, 2, 3]) await message.respond({ data: place });
  },
  forever: (message) => new Promise((_, reject) => {
    message.signal.addEventListener('abort', () => reject(message.signal.reason as Error));
  }),
  back: async (message) => [await message.call('ask', 'server'), await message.call('ask', 'again')],
  left: (message) => message.timeLeft ?? null,
  meta: (message) =>
    Object.fromEntries([...message.metadata].map(([name, { value }]) => [name, Buffer.from(value).toString()])),
};

async function reasonOf(call: Promise<unknown>): Promise<CallError> {
  try {
    await call;
  } catch (error) {
    if (isCallError(error)) return error;
    throw error;
  }
  throw new Error('the call has not failed');
}

for (const { name, options } of BOTH) {
  test(`${name}: calls return values`, async (t) => {
    const { client } = await pair(t, { handlers, ...options }, options);
    assert.equal(client.isExtensionActive, name === 'extended');
    const value = { text: 'ä', list: [1, 2.5, null, true], big: 2n ** 64n - 1n, bytes: Uint8Array.of(1, 2) };
    const echoed = await client.call<typeof value>('echo', value);
    assert.deepEqual({ ...echoed, bytes: [...echoed.bytes] }, { ...value, bytes: [1, 2] });
    assert.equal(await client.call('nothing'), null);
    assert.equal(await client.call('late', 7), 7);
    const all = await Promise.all(Array.from({ length: 2000 }, (_, place) => client.call('echo', place)));
    assert.deepEqual(all, Array.from({ length: 2000 }, (_, place) => place));
  });

  test(`${name}: a large payload`, async (t) => {
    const { client } = await pair(t, { handlers, ...options }, options);
    const bytes = new Uint8Array(3 * 1024 * 1024).fill(7);
    const back = await client.call<Uint8Array>('echo', bytes);
    assert.equal(Buffer.compare(back, bytes), 0);
    for (const size of [LARGE - 1, LARGE, LARGE + 1]) {
      const some = bytes.subarray(0, size);
      assert.equal(Buffer.compare(await client.call<Uint8Array>('echo', some), some), 0);
      const inside = await client.call<{ some: Uint8Array; text: string }>('echo', { some, text: 'ä' });
      assert.ok(Buffer.compare(inside.some, some) === 0 && inside.text === 'ä');
    }
  });

  test(`${name}: errors are told apart`, async (t) => {
    const seen: unknown[] = [];
    const server = { handlers, ...options, onHandlerError: (error: unknown) => seen.push(error) };
    const { client } = await pair(t, server, options);
    const poor = await reasonOf(client.call('poor'));
    assert.deepEqual(poor.reason, {
      kind: 'service',
      name: 'Insufficient',
      message: 'too little',
      error: { Insufficient: { missing: 3 } },
    });
    assert.equal(poor.outcome, 'executed');
    assert.equal(poor.message, 'poor: Insufficient: too little');
    const code = await reasonOf(client.call('code'));
    assert.ok(code.reason.kind === 'refused' && code.reason.code === 1234);
    const refused = await reasonOf(client.call('refused'));
    assert.ok(refused.reason.kind === 'refused' && refused.reason.code === Code.Unauthorized);
    const unknown = await reasonOf(client.call('no-such-action'));
    assert.ok(unknown.reason.kind === 'refused' && unknown.reason.code === Code.NotImplemented);
    assert.equal(unknown.outcome, 'not-executed');
    assert.equal(seen.length, 0);
    const broken = await reasonOf(client.call('broken'));
    assert.equal(broken.reason.kind, 'remote');
    assert.match(String(seen[0]), /a fault/);
  });

  test(`${name}: several responses to one request`, async (t) => {
    const { client } = await pair(t, { handlers, ...options }, options);
    const request = client.request('thrice');
    const values: unknown[] = [];
    for await (const reply of request) {
      assert.equal(reply.kind, 'response');
      if (reply.kind === 'response') values.push(reply.response.data());
      if (values.length === 3) break;
    }
    assert.deepEqual(values, [1, 2, 3]);
  });

  test(`${name}: one-way messages arrive in order and are not answered`, async (t) => {
    const seen: unknown[] = [];
    const note: Handlers = {
      ...handlers,
      note: (message) => {
        assert.equal(message.expectsReply, false);
        seen.push(message.data());
        return 'not sent';
      },
    };
    const { client } = await pair(t, { handlers: note, ...options }, options);
    for (let place = 0; place < 100; place++) void client.notify('note', place);
    await client.call('nothing');
    assert.deepEqual(seen, Array.from({ length: 100 }, (_, place) => place));
  });

  test(`${name}: the server calls the client on the same connection`, async (t) => {
    const ask: Handlers = { ask: (message) => `client answers ${String(message.data())}` };
    const { client } = await pair(t, { handlers, ...options }, { ...options, handlers: ask });
    assert.deepEqual(await client.call('back'), ['client answers server', 'client answers again']);
  });

  test(`${name}: a timeout`, async (t) => {
    let signal: AbortSignal | undefined;
    const forever: Handlers = {
      ...handlers,
      forever: (message) => {
        signal = message.signal;
        return new Promise(() => undefined);
      },
    };
    const { client } = await pair(t, { handlers: forever, ...options }, options);
    const error = await reasonOf(client.call('forever', null, { timeout: 30 }));
    assert.deepEqual(error.reason, { kind: 'timeout', millis: 30 });
    assert.equal(error.outcome, 'unknown');
    if (name === 'extended') await until(() => signal?.aborted === true, 'the handler learns of it');
    assert.equal(await client.call('nothing'), null);
  });

  test(`${name}: a call that its caller cancels`, async (t) => {
    let signal: AbortSignal | undefined;
    const forever: Handlers = {
      ...handlers,
      forever: (message) => {
        signal = message.signal;
        return new Promise(() => undefined);
      },
    };
    const { client } = await pair(t, { handlers: forever, ...options }, options);
    const controller = new AbortController();
    const call = client.call('forever', null, { signal: controller.signal });
    await until(() => signal !== undefined, 'the handler begins');
    controller.abort('enough');
    const error = await reasonOf(call);
    assert.deepEqual(error.reason, { kind: 'cancelled', cause: 'enough' });
    if (name === 'extended') await until(() => signal?.aborted === true, 'the handler learns of it');
    const before = await reasonOf(client.call('nothing', null, { signal: controller.signal }));
    assert.equal(before.outcome, 'not-sent');
    assert.equal(await client.call('nothing'), null);
  });

  test(`${name}: calls fail when their connection ends`, async (t) => {
    const { client, server } = await pair(t, { handlers, ...options }, options);
    const call = reasonOf(client.call('forever'));
    await client.call('nothing');
    for (const connection of server.connections) connection.destroy();
    const error = await call;
    assert.equal(error.reason.kind, 'closed');
    assert.equal(error.outcome, 'unknown');
    const late = await reasonOf(client.call('nothing'));
    assert.equal(late.reason.kind, 'closed');
    assert.equal(late.outcome, 'not-sent');
    assert.notEqual((await client.closed).kind, 'closed');
  });

  test(`${name}: a server that closes finishes what is under way`, async (t) => {
    const { client, server } = await pair(t, { handlers, ...options }, options);
    const call = client.call('late', 'finished');
    await client.call('nothing');
    await server.close();
    assert.equal(await call, 'finished');
    await client.closed;
    await assert.rejects(connect({ host: '127.0.0.1', port: await freePort() }), ConnectError);
  });

  test(`${name}: a client that closes finishes what is under way`, async (t) => {
    const { client } = await pair(t, { handlers, ...options }, options);
    const call = client.call('late', 'finished');
    await client.close();
    assert.equal(await call, 'finished');
    assert.deepEqual(await client.closed, { kind: 'closed' });
  });

  test(`${name}: a connection that is closed again ends as soon as that says`, async (t) => {
    const { client } = await pair(t, { handlers, ...options }, options);
    const call = reasonOf(client.call('forever'));
    const patient = client.close(60_000);
    await client.close(0);
    await patient;
    assert.equal((await call).reason.kind, 'closed');
  });

  test(`${name}: a client connects again`, async (t) => {
    const server = await listen({ port: 0 }, { handlers, ...options });
    const client = new Client({ host: '127.0.0.1', port: server.port }, { ...options, minDelay: 1 });
    t.after(async () => {
      await client.close(0);
      await server.close(0);
    });
    assert.equal(await client.call('echo', 1), 1);
    for (const connection of server.connections) connection.destroy();
    await until(() => server.connections.size === 0, 'the connection ends');
    assert.equal(await client.call('echo', 2), 2);
    const second = await client.connected();
    for (const connection of server.connections) void connection.close();
    // Without the extension, a server cannot say which messages it has taken.
    if (name === 'base') await second.closed;
    assert.equal(await client.call('echo', 3), 3);
  });
}

async function freePort(): Promise<number> {
  const server = await listen({ port: 0 });
  const { port } = server;
  await server.close();
  return port;
}

test('a deadline travels, and what is left of it is that of a callback', async (t) => {
  const left: Handlers = { left: (message) => message.timeLeft ?? null };
  const nested: Handlers = { ...handlers, nested: (message) => message.call('left') };
  const { client } = await pair(t, { handlers: nested, extension: 'required' }, { handlers: left });
  const direct = await client.call<number>('left', null, { timeout: 5000 });
  assert.ok(direct > 0 && direct <= 5000, String(direct));
  const callback = await client.call<number>('nested', null, { timeout: 4000 });
  assert.ok(callback > 0 && callback <= 4000, String(callback));
  assert.equal(await client.call('left', null, { timeout: null }), null);
  // The settings say the default of the connection.
  const standard = await client.call<number>('left');
  assert.ok(standard > 10_000 && standard <= 30_000, String(standard));
});

test('metadata arrives, also by names that were remembered', async (t) => {
  const { client } = await pair(t, { handlers, extension: 'required' });
  for (let round = 0; round < 3; round++) {
    const entries = { tenant: 'acme', authorization: `Bearer ${round}` };
    assert.deepEqual(await client.call('meta', null, { metadata: { entries } }), entries);
  }
  const wrong = await reasonOf(client.call('meta', null, { metadata: { entries: { 'A b': 'x' } } }));
  assert.match(String(wrong.cause), /invalid name of metadata: "A b"/);
  assert.equal(wrong.outcome, 'not-sent');
});

test('a message that the peer does not accept is not sent', async (t) => {
  const { client } = await pair(t, { handlers, extension: 'required', limits: { payload: 1000 } });
  await client.call('nothing');
  const error = await reasonOf(client.call('echo', new Uint8Array(2000)));
  assert.ok(error.reason.kind === 'limit' && error.reason.error instanceof LimitError);
  assert.equal(error.outcome, 'not-sent');
  assert.match(String(error.cause), /ext\.settings\.advisory: bytes of a payload of 2003 exceeds the limit of 1000/);
});

test('without the extension, a payload above the limit is refused and the connection goes on', async (t) => {
  const { client } = await pair(t, { handlers, extension: 'off', limits: { payload: 1000 } });
  const error = await reasonOf(client.call('echo', new Uint8Array(200_000)));
  assert.ok(error.reason.kind === 'refused' && error.reason.code === Code.TooLarge);
  assert.equal(error.outcome, 'not-executed');
  assert.equal(await client.call('echo', 1), 1);
});

test('more requests than are executed at a time are refused', async (t) => {
  const { client } = await pair(t, { handlers, limits: { requests: 3 } });
  const held = [1, 2, 3].map(() => client.call('forever', null, { timeout: null }).catch(() => undefined));
  await client.call('nothing').catch(() => undefined);
  const error = await reasonOf(client.call('late', 1));
  assert.ok(error.reason.kind === 'refused' && error.reason.code === Code.Overloaded);
  client.destroy();
  await Promise.all(held);
});

test('a violation names its rule and ends the connection', async (t) => {
  const { server } = await pair(t, { handlers, extension: 'off' });
  const peer = await raw(server.port);
  await until(() => server.connections.size === 2, 'the connection is there');
  const connection = [...server.connections][1];
  peer.write(0xe0, 0x1f, 0xff);
  const reason = await connection.closed;
  assert.ok(reason.kind === 'protocol');
  assert.equal(reason.error.message, 'packet.switch.range: channel 4095 of 256');
});

test('a peer that is no Sockety peer', async (t) => {
  const port = await rawServer(t, (peer) => peer.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
  await assert.rejects(connect({ host: '127.0.0.1', port }), (error: unknown) => {
    assert.ok(error instanceof ConnectError && error.reason.kind === 'handshake');
    assert.match(error.message, /header\.form/);
    return true;
  });
});

for (const { name, options } of BOTH) {
  test(`${name}: time limits above those of timers, and none`, async (t) => {
    const unlimited = { timeout: Number.POSITIVE_INFINITY, connectTimeout: Number.POSITIVE_INFINITY };
    const { client } = await pair(t, { handlers, ...unlimited, ...options }, { ...unlimited, ...options });
    const days = 86_400_000;
    assert.equal(await client.call('late', 1), 1);
    assert.equal(await client.call('late', 2, { timeout: 30 * days }), 2);
    assert.equal(await client.call('late', 3, { timeout: Number.POSITIVE_INFINITY }), 3);
    if (name === 'base') return;
    assert.equal(await client.call('left', null, { timeout: Number.POSITIVE_INFINITY }), null);
    const left = await client.call<number>('left', null, { timeout: 30 * days });
    assert.ok(left > 29 * days && left <= 30 * days, `${left} ms are left`);
  });
}

test('a peer that says nothing', async (t) => {
  const port = await rawServer(t, () => undefined);
  await assert.rejects(connect({ host: '127.0.0.1', port }, { connectTimeout: 50 }), /not connected within 50 ms/);
});

test('addresses', async () => {
  for (const address of ['', 'host', 'host:99999', 'http://host:1', 'a b:1']) {
    await assert.rejects(connect(address), (error: unknown) => error instanceof ConnectError && error.reason.kind === 'address');
  }
  const server = await listen({ port: 0 }, { handlers });
  const client = await connect(`tcp://127.0.0.1:${server.port}`);
  assert.equal(await client.call('echo', 1), 1);
  await client.close();
  await server.close();
});

test('a request can have a response that is answered', async (t) => {
  const ask: Handlers = {
    start: async (message) => {
      const request = message.respondWithRequest({ data: 'and you?' });
      const reply = await request.next();
      assert.deepEqual(reply, { kind: 'code', code: 99, retryAfter: undefined });
    },
    raw: (message) => respond({ payload: message.payload }),
  };
  const failures: unknown[] = [];
  const { client } = await pair(t, { handlers: ask, onHandlerError: (error) => failures.push(error) });
  const response = await client.request('start').response();
  assert.equal(response.data(), 'and you?');
  assert.equal(response.expectsReply, true);
  response.reply(99);
  const raw = await client.request('raw', undefined, { payload: Uint8Array.of(1, 2, 3) }).response();
  assert.deepEqual([...raw.payload], [1, 2, 3]);
  assert.deepEqual(failures, []);
});

test('a request ends with the one reply that is taken, and with a code', async (t) => {
  const { client } = await pair(t, { handlers });
  const request = client.request('thrice');
  assert.equal(await request.value(), 1);
  const late = await reasonOf(request.next());
  assert.deepEqual(late.reason, { kind: 'cancelled', cause: 'the request is over' });
  const coded = client.request('code');
  const [first, second] = await Promise.allSettled([coded.next(), coded.next()]);
  assert.ok(first.status === 'fulfilled' && first.value.kind === 'code' && first.value.code === 1234);
  assert.ok(second.status === 'rejected' && isCallError(second.reason));
  // Nothing is left that the end would have to wait for.
  await client.close();
});

test('a request whose replies nobody takes holds a bounded number of bytes', async (t) => {
  let ended = 0;
  const many: Handlers = {
    many: async (message) => {
      for (let count = 0; count < message.data<number>(); count++) await message.respond({ payload: PAYLOAD });
      ended++;
    },
  };
  const { client } = await pair(t, { handlers: many }, { limits: { heldPayloadBytes: 25_000 } });
  const request = client.request('many', 10);
  // The last of them takes it above the limit.
  await until(() => ended === 1, 'all were sent');
  await client.ping();
  for (let count = 0; count < 3; count++) assert.equal((await request.next()).kind, 'response');
  const error = await reasonOf(request.next());
  assert.equal(error.reason.kind, 'cancelled');
  assert.match(String(error.cause), /RangeError: replies with 30000 bytes wait: maximum is 25000/);
  assert.equal(error.outcome, 'executed');
  // Taken ones do not count, nor does a single one that waits.
  const taken = client.request('many', 10);
  for (const reply of await Promise.all(Array.from({ length: 10 }, () => taken.next()))) assert.equal(reply.kind, 'response');
  const single = await pair(t, { handlers: many }, { limits: { heldPayloadBytes: 5000 } });
  const one = single.client.request('many', 1);
  await single.client.ping();
  assert.equal((await one.response()).payload.length, 10_000);
});

test('a refusal with a code that there is not is an error of its handler', async (t) => {
  const errors: unknown[] = [];
  const wrong: Handlers = {
    ...handlers,
    wrong: async (message) => {
      await Promise.resolve();
      throw new Refusal(message.data<number>());
    },
  };
  const options = { handlers: wrong, limits: { requests: 1 }, onHandlerError: (error: unknown) => errors.push(error) };
  const { client } = await pair(t, options);
  for (const code of [5000, -1, 1.5]) {
    assert.equal((await reasonOf(client.call('wrong', code))).reason.kind, 'remote');
  }
  assert.deepEqual(
    errors.map(String),
    [5000, -1, 1.5].map((code) => `RangeError: invalid fast reply code ${code}: maximum is 4095`),
  );
  // Its place is free again.
  assert.equal(await client.call('late', 1), 1);
});

test('an answer that cannot be sent is an error of its handler', async (t) => {
  const failures: unknown[] = [];
  const large: Handlers = {
    large: () => new Uint8Array(2000),
    later: async () => new Uint8Array(2000),
    respond: () => respond({ payload: new Uint8Array(2000) }),
    symbol: () => Symbol('no value'),
    nothing: () => undefined,
  };
  const server = { handlers: large, onHandlerError: (error: unknown) => failures.push(error) };
  const { client } = await pair(t, server, { limits: { payload: 1000 } });
  for (const action of ['large', 'later', 'respond', 'symbol']) {
    const error = await reasonOf(client.call(action));
    assert.equal(error.reason.kind, 'remote', action);
  }
  assert.equal(failures.length, 4);
  assert.equal(await client.call('nothing'), null);
});

test('the time to the peer and back', async (t) => {
  const { client } = await pair(t, { handlers, extension: 'required' });
  assert.ok((await client.ping()) >= 0);
});

test('both sides call each other with more than all buffers hold', async (t) => {
  const big: Handlers = { ...handlers, burst: (message) => Promise.all(Array.from({ length: 300 }, () => message.call('echo', PAYLOAD))).then((all) => all.length) };
  const limits = { requests: 2000 };
  const { client } = await pair(t, { handlers: big, limits }, { handlers: big, limits });
  const burst = client.call('burst');
  const all = await Promise.all(Array.from({ length: 300 }, () => client.call<Uint8Array>('echo', PAYLOAD)));
  assert.ok(all.every(({ length }) => length === PAYLOAD.length));
  assert.equal(await burst, 300);
});

const PAYLOAD = new Uint8Array(10_000);

test('a message that is sent again has the same id, and says how often it was sent', async (t) => {
  const ids: string[] = [];
  const port = await rawServer(t, (peer) => {
    void (async () => {
      peer.write(0xe2, 0xee, 0, 0xf0, 1, 0);
      // Its header, and settings with its deadline.
      assert.equal((await peer.read(13)).toString('hex'), 'e2ee00f008000b307500000000');
      if (ids.length === 1) assert.equal((await peer.read(4)).toString('hex'), 'f1020501');
      const message = await peer.read(21);
      ids.push(message.toString('latin1', 3, 19));
      if (ids.length === 1) peer.write(0xf0, 16, 2, new Uint8Array(15));
      else peer.write(0x30, ids[1]);
    })();
  });
  const client = new Client({ host: '127.0.0.1', port });
  t.after(() => client.close(0));
  assert.equal(await client.call('x'), null);
  assert.equal(ids.length, 2);
  assert.equal(ids[0], ids[1]);
});
