import assert from 'node:assert/strict';
import test from 'node:test';

import { ContentError, DecodeError, Msgpack, Refusal, ServiceError, StreamError } from 'sockety-runtime';
import {
  type Action,
  type ErrorVariants,
  Failure,
  type ItemStream,
  aliased,
  bigDuration,
  bigU64,
  call,
  errorOf,
  handlers,
  lazy,
  list,
  literal,
  map,
  nonzero,
  oneOf,
  option,
  optional,
  received,
  struct,
  text,
  tuple,
  u8,
} from 'sockety-runtime/generated';

import { BOTH, pair } from './support.js';

const errors: ErrorVariants = [
  { name: 'Gone', code: 16, message: 'it is gone', hasDetails: false, value: 'Gone', check: literal('Gone') },
  { name: 'Full', code: 17, message: 'it is full', hasDetails: true, check: struct({ Full: struct({ keys: u8 }) }) },
];
const actions = {
  items: { name: 'items', parameters: [{ kind: 'items', check: u8, errors }], returns: [{ kind: 'items', check: u8, errors }] },
  bytes: { name: 'bytes', parameters: [{ kind: 'bytes' }], returns: [{ kind: 'bytes' }], errors },
} satisfies Record<string, Action>;

async function* ending<T>(items: T[], error?: unknown): AsyncGenerator<T> {
  yield* items;
  if (error !== undefined) throw error;
}

async function drained<T>(items: AsyncIterable<T>): Promise<{ all: T[]; error?: unknown }> {
  const all: T[] = [];
  try {
    for await (const item of items) all.push(item);
    return { all };
  } catch (error) {
    return { all, error };
  }
}

for (const { name, options } of BOTH) {
  const isExtended = options.extension === 'required';

  test(`a stream of values ends with an error of the service, in either direction: ${name}`, async (t) => {
    const seen: unknown[] = [];
    const service = {
      async items(items: ItemStream<number>) {
        const { all, error } = await drained(items);
        seen.push(all, errorOf(error, errors));
        return ending(all, error === undefined ? undefined : new Failure(errorOf(error, errors), errors));
      },
      bytes: () => [],
    };
    const { client } = await pair(t, { handlers: handlers(actions, service), ...options }, options);
    for (const error of [undefined, 'Gone', { Full: { keys: 5 } }]) {
      const failure = error === undefined ? undefined : new Failure(error, errors);
      const items = await call<ItemStream<number, unknown>>(client, actions.items, [ending([1, 2, 3], failure)]);
      const end = await drained(items);
      assert.deepEqual(end.all, [1, 2, 3]);
      assert.deepEqual(errorOf(end.error, errors), error);
      assert.equal(items.error, end.error);
      assert.deepEqual(seen.splice(0), [[1, 2, 3], error]);
    }
  });

  test(`errors of later versions, and problems, end a stream too: ${name}`, async (t) => {
    let source: AsyncIterable<unknown> = ending([]);
    const service = { items: () => source, bytes: () => [] };
    const onHandlerError = (): undefined => undefined;
    const { client } = await pair(t, { handlers: handlers(actions, service), onHandlerError, ...options }, options);
    const reasonOf = async (): Promise<StreamError['reason']> => {
      const { error } = await drained(await call<ItemStream<number>>(client, actions.items, [[]]));
      assert.ok(error instanceof StreamError, String(error));
      assert.equal(errorOf(error, errors), undefined);
      return error.reason;
    };
    source = ending([], new ServiceError('Later', 'of version 2', { Later: 1 }));
    assert.deepEqual(await reasonOf(), { kind: 'remote', message: 'Later: of version 2' });
    source = ending([], new ServiceError('Full', 'no room', { Full: { keys: 'many' } }));
    assert.equal((await reasonOf()).kind, 'remote');
    source = ending([256]);
    const wrong = await reasonOf();
    assert.ok(wrong.kind === 'content' && wrong.error instanceof DecodeError);
    source = ending([], new Error('a fault'));
    const broken = await reasonOf();
    assert.ok(broken.kind === 'content' && broken.error instanceof ContentError);
  });

  test(`a stream of bytes ends with an error of the service if the peer has the extension: ${name}`, async (t) => {
    let source: () => unknown = () => [];
    const service = { items: () => [], bytes: () => source() };
    const { client } = await pair(t, { handlers: handlers(actions, service), ...options }, options);
    const chunks = [new Uint8Array(100_000), new Uint8Array(1)];
    const end = async (): Promise<{ size: number; error: unknown }> => {
      const { all, error } = await drained(await call<AsyncIterable<Uint8Array>>(client, actions.bytes, [[]]));
      return { size: all.reduce((sum, chunk) => sum + chunk.length, 0), error };
    };
    for (const error of ['Gone', { Full: { keys: 5 } }]) {
      source = () => ending(chunks, new Failure(error, errors));
      const { size, error: ended } = await end();
      assert.ok(ended instanceof ContentError, String(ended));
      if (isExtended) {
        assert.equal(size, 100_001);
        assert.deepEqual(errorOf(ended, errors), error);
      } else {
        assert.equal(ended.reason.kind, 'aborted');
      }
    }
    // A stream that is passed on is ended as it was. A code of another service is no error of this one.
    source = () => ending(chunks, new ContentError({ kind: 'ended', code: 16, error: new Uint8Array() }));
    assert.deepEqual(errorOf((await end()).error, errors), isExtended ? 'Gone' : undefined);
    for (const refusal of [18, 0, 5000, 0.5]) {
      source = async function* () {
        yield* chunks;
        throw new Refusal(refusal);
      };
      const { error } = await end();
      assert.ok(error instanceof ContentError && errorOf(error, errors) === undefined);
      assert.equal(error.reason.kind, isExtended ? 'ended' : 'aborted');
    }
    // An error that is too long for the packet travels as its code.
    source = () => ending(chunks, new ServiceError('Full', 'x'.repeat(5000), {}, 17));
    const { error } = await end();
    if (isExtended) assert.ok(error instanceof ContentError && error.reason.kind === 'ended' && error.reason.error.length === 0);
  });
}

test('an error in a stream is recognized, whatever its pieces', async () => {
  const msgpack = new Msgpack();
  const bytes: Uint8Array[] = [];
  for await (const chunk of msgpack.encodeStream(ending<unknown>([1, undefined, 'a'], new ServiceError('E', 'text', { a: 1 })))) bytes.push(chunk);
  const all = Buffer.concat(bytes);
  for (let piece = 1; piece <= all.length; piece++) {
    const pieces = Array.from({ length: Math.ceil(all.length / piece) }, (_, place) => all.subarray(place * piece, (place + 1) * piece));
    const { all: values, error } = await drained(msgpack.decodeStream(ending(pieces)));
    assert.deepEqual(values, [1, undefined, 'a']);
    assert.ok(error instanceof ServiceError && error.name === 'E' && error.message === 'text');
    assert.deepEqual(error.error, { a: 1 });
  }
  // What is cut off inside of it is no error of the service.
  for (let length = all.length - 20; length < all.length; length++) {
    const { error } = await drained(msgpack.decodeStream(ending([all.subarray(0, length)])));
    assert.ok(error === undefined || error instanceof DecodeError, String(error));
  }
});

test('an item of a stream is copied a few times at most, whatever its pieces', async () => {
  const msgpack = new Msgpack();
  const { set } = Uint8Array.prototype;
  for (const item of [new Uint8Array(20_000), Array.from({ length: 20_000 }, (_, place) => place % 100)]) {
    const bytes = msgpack.encode(item);
    async function* single(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < bytes.length; at++) yield bytes.subarray(at, at + 1);
    }
    let copied = 0;
    Uint8Array.prototype.set = function (from, at) {
      copied += from.length;
      set.call(this, from, at);
    };
    try {
      const { all, error } = await drained(msgpack.decodeStream(single()));
      assert.equal(error, undefined);
      assert.equal((all[0] as { length: number }).length, item.length);
    } finally {
      Uint8Array.prototype.set = set;
    }
    assert.ok(copied >= bytes.length && copied < 5 * bytes.length, `${copied} bytes`);
  }
});

test('values are brought into the form of their type, and stay as they are themselves', () => {
  const of = struct(
    {
      to: aliased(bigU64, 'target', 'at'),
      kind: aliased(optional(option(oneOf(literal('Fast', 'quick'), struct({ Slow: aliased(struct({ days: bigU64 }), 'lazy') })))), 'how'),
      after: optional(bigDuration),
    },
    struct({ pairs: optional(map(literal('a', 'b'), list(tuple(text, nonzero(bigU64))))) }),
  );
  const value = { at: 5, how: { lazy: { days: 1 } }, after: { secs: 1, nanos: 2 }, pairs: { b: [['x', 7]] }, more: 1 };
  const before = structuredClone(value);
  const own = { to: 5n, kind: { Slow: { days: 1n } }, after: { secs: 1n, nanos: 2 }, pairs: { a: [['x', 7n]] }, more: 1 };
  assert.deepEqual(received(of, value)?.value, own);
  assert.deepEqual(value, before);
  assert.ok(of(own) && !of(value));
  assert.deepEqual(received(of, { to: 1, kind: 'quick' })?.value, { to: 1n, kind: 'Fast' });
  for (const wrong of [{ to: -1 }, { to: 0.5 }, { to: 2 ** 60 }, { target: '1' }, { to: 1, kind: 'Quick' }, { to: 1, pairs: { a: [['x', 0]] } }, 1, null, []]) {
    assert.equal(received(of, wrong), undefined, JSON.stringify(wrong));
  }
  // Its own name goes before another one.
  assert.deepEqual(received(of, { to: 1, at: 2 })?.value, { to: 1n, at: 2 });
});

test('variants without a tag are not tried for ever', () => {
  const some: ReturnType<typeof lazy> = oneOf(list(lazy(() => some)), list(lazy(() => some)), bigU64);
  let value: unknown = 'no number';
  for (let depth = 0; depth < 100; depth++) value = [value];
  assert.equal(received(some, value), undefined);
  assert.deepEqual(received(some, [[1], 2])?.value, [[1n], 2n]);
});
