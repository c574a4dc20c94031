import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';

import { ContentError, type FileSource, type Handlers, fileFromPath, isCallError, respond } from 'sockety-runtime';

import { BOTH, chunks, content, pair, until } from './support.js';

const SIZE = 3_000_000;

const handlers: Handlers = {
  upload: async (message) => {
    const all: object[] = [];
    for (const file of message.files) {
      const bytes = await file.bytes();
      assert.equal(Buffer.compare(bytes, content(file.size)), 0, file.name);
      all.push({ name: file.name, size: file.size });
    }
    return all;
  },
  download: (message) => {
    const sizes = message.data<number[]>();
    return respond({ data: 'files', files: sizes.map((size, place) => ({ name: `f${place}`, size, content: chunks(size, 10_000) })) });
  },
  sum: async (message) => {
    let sum = 0;
    let place = 0;
    for await (const chunk of message.stream ?? []) {
      assert.equal(Buffer.compare(chunk, content(chunk.length, place)), 0);
      place += chunk.length;
      sum += chunk.length;
    }
    return sum;
  },
  echo: (message) => respond({ stream: message.stream ?? [] }),
  everything: async (message) => {
    // The stream first, though files come before it.
    let stream = 0;
    for await (const chunk of message.stream ?? []) stream += chunk.length;
    const files: number[] = [];
    for (const file of message.files) files.push((await file.bytes()).length);
    return { data: message.data(), files, stream };
  },
  head: async (message) => {
    const first = await message.stream?.read();
    return first?.length ?? 0;
  },
  ignored: () => 'done',
};

for (const { name, options } of BOTH) {
  test(`${name}: files of every size, also empty ones`, async (t) => {
    const { client } = await pair(t, { handlers, ...options }, options);
    const sizes = [0, 1, 0, 70_000, 500_000, 0];
    const files = sizes.map((size, place) => ({ name: `ä${place}`, size, content: chunks(size, 9_999) }));
    const found = await client.call('upload', null, { files });
    assert.deepEqual(found, sizes.map((size, place) => ({ name: `ä${place}`, size })));
    const memory = await client.call('upload', null, { files: [{ name: 'm', content: content(300_000) }] });
    assert.deepEqual(memory, [{ name: 'm', size: 300_000 }]);
    const response = await client.request('download', sizes).response();
    assert.equal(response.data(), 'files');
    for (const [place, file] of response.files.entries()) {
      assert.equal(file.size, sizes[place]);
      assert.equal(Buffer.compare(await file.bytes(), content(sizes[place])), 0);
    }
  });

  test(`${name}: a file of the file system`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'sockety-'));
    t.after(() => rm(folder, { recursive: true }));
    const path = join(folder, 'large.bin');
    await writeFile(path, content(SIZE));
    const { client } = await pair(t, { handlers, ...options }, options);
    assert.deepEqual(await client.call('upload', null, { files: [await fileFromPath(path)] }), [{ name: 'large.bin', size: SIZE }]);
  });

  test(`${name}: streams in both directions`, async (t) => {
    const { client } = await pair(t, { handlers, ...options }, options);
    assert.equal(await client.call('sum', null, { stream: chunks(SIZE, 12_345) }), SIZE);
    assert.equal(await client.call('sum', null, { stream: [] }), 0);
    const response = await client.request('echo', null, { stream: chunks(SIZE, 12_345) }).response();
    let place = 0;
    for await (const chunk of response.stream ?? []) {
      assert.equal(Buffer.compare(chunk, content(chunk.length, place)), 0);
      place += chunk.length;
    }
    assert.equal(place, SIZE);
  });

  test(`${name}: payload, files and stream together`, async (t) => {
    const { client } = await pair(t, { handlers, ...options }, options);
    const files = [{ name: 'a', content: content(400_000) }, { name: 'b', content: content(0) }];
    const found = await client.call('everything', { x: 1 }, { files, stream: chunks(700_000, 5_000) });
    assert.deepEqual(found, { data: { x: 1 }, files: [400_000, 0], stream: 700_000 });
  });

  test(`${name}: many transfers at the same time`, async (t) => {
    const { client } = await pair(t, { handlers, ...options }, options);
    const all = Array.from({ length: 300 }, (_, place) => client.call('sum', null, { stream: chunks(1000 * place, 777) }));
    assert.deepEqual(await Promise.all(all), Array.from({ length: 300 }, (_, place) => 1000 * place));
  });

  test(`${name}: a slow reader holds its sender back`, async (t) => {
    let release: (() => void) | undefined;
    const slow: Handlers = {
      slow: async (message) => {
        await new Promise<void>((resolve) => {
          release = resolve;
        });
        let sum = 0;
        for await (const chunk of message.stream ?? []) sum += chunk.length;
        return sum;
      },
      ping: () => undefined,
    };
    const limits = { messageWindow: 64 * 1024, connectionWindow: 1024 * 1024 };
    const { client } = await pair(t, { handlers: slow, ...options, limits }, options);
    let sent = 0;
    const total = 64 * 1024 * 1024;
    const call = client.call('slow', null, { stream: chunks(total, 64 * 1024, (at) => (sent = at)), timeout: null });
    await until(() => release !== undefined, 'the handler begins');
    let before = -1;
    while (before !== sent) {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    // What the socket's buffers of both sides hold is not ours: with credit nothing is there.
    const most = name === 'extended' ? 512 * 1024 : 32 * 1024 * 1024;
    assert.ok(sent < most, `${sent} bytes were taken from the source`);
    if (name === 'extended') assert.equal(await client.call('ping'), null);
    release?.();
    assert.equal(await call, total);
  });

  test(`${name}: a reader that leaves early`, async (t) => {
    const { client } = await pair(t, { handlers, ...options }, options);
    let sent = 0;
    const endless = chunks(32 * 1024 * 1024, 32 * 1024, (at) => (sent = at));
    const first = await client.call<number>('head', null, { stream: endless });
    assert.ok(first > 0);
    if (name === 'extended') {
      // The stop ends the stream long before its end.
      assert.equal(await client.call('ignored', null, { stream: chunks(SIZE, 1000) }), 'done');
      assert.ok(sent < 31 * 1024 * 1024, `${sent} bytes were sent`);
    }
    assert.equal(await client.call('ignored'), 'done');
  });

  test(`${name}: a source that fails aborts its message`, async (t) => {
    const seen: unknown[] = [];
    const watching: Handlers = {
      ...handlers,
      sum: async (message) => {
        try {
          return await (handlers.sum(message) as Promise<number>);
        } catch (error) {
          seen.push(error);
          throw error;
        }
      },
    };
    const { client } = await pair(t, { handlers: watching, ...options }, options);
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield content(1000);
      throw new TypeError('the disk is broken');
    }
    await assert.rejects(client.call('sum', null, { stream: failing() }), (error: unknown) => {
      assert.ok(isCallError(error) && error.reason.kind === 'content');
      assert.match(error.reason.error.message, /the disk is broken/);
      return true;
    });
    await until(() => seen[0] instanceof ContentError, 'the handler learns of it');
    const short = [{ name: 'short', size: 100, content: [content(50)] }];
    await assert.rejects(client.call('upload', null, { files: short }), /its content failed/);
    const long = [{ name: 'long', size: 100, content: [content(150)] }];
    await assert.rejects(client.call('upload', null, { files: long }), /its content failed/);
    assert.equal(await client.call('ignored'), 'done');
  });

  test(`${name}: a call with content that is cancelled`, async (t) => {
    const { client } = await pair(t, { handlers, ...options }, options);
    const controller = new AbortController();
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (let place = 0; ; place += 1000) {
        yield content(1000, place);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }
    const call = client.call('sum', null, { stream: endless(), signal: controller.signal });
    setTimeout(() => controller.abort(), 30);
    await assert.rejects(call, (error: unknown) => isCallError(error) && error.reason.kind === 'cancelled');
    assert.equal(await client.call('sum', null, { stream: chunks(5000, 100) }), 5000);
  });
}

for (const { name, options } of BOTH) {
  test(`${name}: a source that cancels its message, or ends its connection`, async (t) => {
    const { client } = await pair(t, { handlers, ...options }, options);
    const controller = new AbortController();
    let ended = 0;
    function* source(end: () => void): Generator<Uint8Array> {
      try {
        yield content(10);
        end();
        yield content(10);
      } finally {
        ended++;
      }
    }
    const cancelled = client.call('sum', null, { stream: source(() => controller.abort()), signal: controller.signal });
    await assert.rejects(cancelled, (error: unknown) => isCallError(error) && error.reason.kind === 'cancelled');
    await until(() => ended === 1, 'the source is ended');
    const closed = client.call('sum', null, { stream: source(() => client.destroy()) });
    await assert.rejects(closed, (error: unknown) => isCallError(error) && error.reason.kind === 'closed');
    assert.deepEqual(await client.closed, { kind: 'closed' });
    await until(() => ended === 2, 'the source is ended');
  });
}

for (const { name, options } of BOTH) {
  test(`${name}: a source is ended that has more than its file, or no bytes`, async (t) => {
    const { client } = await pair(t, { handlers, ...options }, options);
    const ended: string[] = [];
    async function* grown(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield content(10);
      } finally {
        ended.push('grown');
      }
    }
    function* text(): Generator<Uint8Array> {
      try {
        for (;;) yield 'text' as unknown as Uint8Array;
      } finally {
        ended.push('text');
      }
    }
    for (const source of [grown(), text()]) {
      const call = client.call('upload', null, { files: [{ name: 'f', size: 25, content: source }] });
      await assert.rejects(call, (error: unknown) => isCallError(error) && error.reason.kind === 'content');
    }
    await until(() => ended.length === 2, 'the sources are ended');
    assert.deepEqual(ended, ['grown', 'text']);
  });
}

test('content of a connection that ends fails', async (t) => {
  let failure: unknown;
  const waiting: Handlers = {
    wait: async (message) => {
      try {
        for await (const chunk of message.stream ?? []) assert.ok(chunk.length > 0);
      } catch (error) {
        failure = error;
      }
    },
  };
  const { client } = await pair(t, { handlers: waiting });
  async function* endless(): AsyncGenerator<Uint8Array> {
    yield content(10);
    await new Promise(() => undefined);
  }
  const call = client.call('wait', null, { stream: endless() }).catch((error: unknown) => error);
  await new Promise((resolve) => setTimeout(resolve, 50));
  client.destroy();
  assert.ok(isCallError(await call));
  await until(() => failure instanceof ContentError, 'the reader learns of it');
});

test('files of the wrong size are refused before anything is sent', async (t) => {
  const { client } = await pair(t, { handlers });
  const failure = async (file: FileSource): Promise<string> => {
    const error: unknown = await client.call('upload', null, { files: [file] }).catch((problem: unknown) => problem);
    assert.ok(isCallError(error) && error.outcome === 'not-sent');
    return String(error.cause);
  };
  assert.match(await failure({ name: 'x', content: [] }), /file "x" needs a size/);
  assert.match(await failure({ name: 'x', size: 3, content: content(2) }), /file "x" has 2 bytes instead of 3/);
});
