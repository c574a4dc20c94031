import assert from 'node:assert/strict';
import test from 'node:test';

import { CallError, type CallReason, Code, ServiceError, fastReply, respond } from 'sockety-runtime';
import { type Action, type ErrorVariants, Failure, aliased, bigU64, call, errorOf, handlers, key, lazy, literal, nonzero, oneOf, optional, perhaps, received, strict, struct, tagged, text, u64, u8 } from 'sockety-runtime/generated';

import { BOTH, pair } from './support.js';

const errors: ErrorVariants = [
  { name: 'Gone', code: 16, message: 'it is gone', hasDetails: false, value: 'Gone', check: literal('Gone') },
  { name: 'Full', code: 17, message: 'it is full', hasDetails: true, check: struct({ Full: struct({ keys: u8 }) }) },
];
const actions = {
  get: {
    name: 'store.get',
    aliases: ['store.read'],
    parameters: [
      { kind: 'payload', name: 'key', aliases: ['name'], check: text },
      { kind: 'payload', name: 'level', check: optional(u8) },
    ],
    returns: [{ kind: 'payload', check: u8 }],
    errors,
  },
  files: { name: 'store.files', parameters: [], returns: [{ kind: 'file' }, { kind: 'files' }] },
} satisfies Record<string, Action>;

async function reasonOf(call: Promise<unknown>): Promise<CallReason> {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof CallError, String(error));
    return error.reason;
  }
  assert.fail('it has not failed');
}

for (const { name, options } of BOTH) {
  test(`values that a peer sends are those of the declared types: ${name}`, async (t) => {
    let reply: () => unknown = () => 1;
    const raw = { 'store.get': () => reply(), 'store.files': () => reply() };
    const { client } = await pair(t, { handlers: raw, ...options }, options);
    const get = (): Promise<unknown> => call(client, actions.get, ['a']);
    assert.equal(await get(), 1);
    for (const wrong of [256, 'a', null, [1], { a: 1 }]) {
      reply = () => respond({ data: wrong });
      assert.equal((await reasonOf(get())).kind, 'content', String(wrong));
    }
    // An error with a code alone, and one with details.
    reply = () => fastReply(16);
    const gone = await reasonOf(get());
    assert.ok(gone.kind === 'service' && gone.name === 'Gone' && gone.error === 'Gone');
    reply = () => {
      throw new ServiceError('Full', 'no room', { Full: { keys: 5 } });
    };
    const full = await reasonOf(get());
    assert.ok(full.kind === 'service' && full.message === 'no room');
    assert.deepEqual(full.error, { Full: { keys: 5 } });
    // One of a later version, with a name or details that are not known.
    for (const [name, details] of [['Slow', { Slow: {} }], ['Full', { Full: { keys: 'many' } }], ['Gone', 'Gone']] as const) {
      reply = () => {
        throw new ServiceError(name, 'new', details);
      };
      const reason = await reasonOf(get());
      assert.ok(reason.kind === 'remote' && reason.message === `${name}: new`, name);
    }
    reply = () => fastReply(18);
    assert.deepEqual(await reasonOf(get()), { kind: 'refused', code: 18, retryAfter: undefined });

    const file = { name: 'a', content: new Uint8Array(3) };
    reply = () => respond({ files: [file, file, file] });
    const [first, rest] = await call<[{ size: number }, { size: number }[]]>(client, actions.files, []);
    assert.deepEqual([first.size, rest.length], [3, 2]);
    for (const wrong of [undefined, respond({ files: [] }), 7]) {
      reply = () => wrong;
      assert.equal((await reasonOf(call(client, actions.files, []))).kind, 'content');
    }
  });

  test(`a service gets arguments of the declared types alone: ${name}`, async (t) => {
    const got: unknown[] = [];
    const service = {
      get(name: string, level: number | undefined) {
        got.push([name, level]);
        if (name === 'gone') throw new Failure('Gone', errors);
        if (name === 'full') throw new Failure({ Full: { keys: 1 } }, errors);
        if (name === 'odd') throw new Failure('Odd', errors);
        return 5;
      },
      files: () => [{ name: 'a', content: new Uint8Array(1) }, []],
    };
    const failed: unknown[] = [];
    const onHandlerError = (error: unknown): number => failed.push(error);
    const { client } = await pair(t, { handlers: handlers(actions, service), onHandlerError, ...options }, options);
    assert.equal(await client.call('store.get', { key: 'a' }), 5);
    assert.equal(await client.call('store.read', { name: 'b', level: 2 }), 5);
    assert.deepEqual(got.splice(0), [['a', undefined], ['b', 2]]);
    for (const wrong of [undefined, null, 'a', {}, { key: 1 }, { key: 'a', level: 'b' }, ['a', 1]]) {
      assert.deepEqual(await reasonOf(client.call('store.get', wrong)), { kind: 'refused', code: Code.BadRequest, retryAfter: undefined });
    }
    assert.deepEqual(got, []);
    assert.deepEqual(await reasonOf(client.call('store.get', { key: 'gone' })), { kind: 'refused', code: 16, retryAfter: undefined });
    const full = await reasonOf(client.call('store.get', { key: 'full' }));
    assert.ok(full.kind === 'service' && full.name === 'Full' && full.message === 'it is full');
    assert.equal((await reasonOf(client.call('store.get', { key: 'odd' }))).kind, 'remote');
    assert.equal(failed.length, 1);
    const error = await call(client, actions.get, ['full']).catch((error: unknown) => errorOf(error, errors));
    assert.deepEqual(error, { Full: { keys: 1 } });
    assert.equal(errorOf(new Error('another'), errors), undefined);
  });
}

test('a service has all methods', () => {
  assert.throws(() => handlers(actions, { get: () => 1 }), /the service has no method "files"/);
});

test('keys are integers of their type', () => {
  const accepts = (of: typeof u64, name: string): boolean => key(of)(name);
  assert.ok(accepts(u64, '18446744073709551615') && accepts(u64, '0'));
  for (const wrong of ['18446744073709551616', '-1', '1.5', '', 'a', '1'.repeat(30)]) assert.ok(!accepts(u64, wrong), wrong);
  assert.ok(key(u8)('255') && !key(u8)('256'));
  assert.ok(key(nonzero(u8))('1') && !key(nonzero(u8))('0'));
});

test('flattened entries that may be there get the form of their type', () => {
  const of = struct({ name: text }, perhaps(struct({ at: bigU64 })));
  assert.deepEqual(received(of, { name: 'a', at: 5 }), { value: { name: 'a', at: 5n } });
  assert.deepEqual(received(of, { name: 'a' }), { value: { name: 'a' } });
  assert.deepEqual(received(of, { name: 'a', at: 'b' }), { value: { name: 'a', at: 'b' } });
});

test('other entries are refused where serde refuses them', () => {
  const extent = struct({ length: u8 });
  const closed = strict(struct({ a: aliased(bigU64, 'first'), b: optional(u8) }, lazy(() => extent)));
  assert.deepEqual(received(closed, { first: 1, length: 2 }), { value: { a: 1n, length: 2 } });
  assert.deepEqual(received(closed, { a: 1, b: undefined, c: undefined, length: 2 })?.value, { a: 1n, b: undefined, c: undefined, length: 2 });
  for (const wrong of [{ a: 1, length: 2, c: 3 }, { a: 1, first: 1, length: 2 }, { a: 1 }, null]) {
    assert.equal(received(closed, wrong), undefined, JSON.stringify(wrong));
  }
  // Among the entries of another type, it refuses none.
  const around = struct({ name: text }, lazy(() => closed));
  assert.deepEqual(received(around, { name: 'n', first: 1, length: 2, c: 3 }), { value: { name: 'n', a: 1n, length: 2, c: 3 } });
  // Its tag is not one of them.
  const kinds = oneOf(tagged('kind', literal('A', 'a'), lazy(() => closed)), strict(struct({ kind: literal('B') })));
  assert.deepEqual(received(kinds, { kind: 'a', first: 1, length: 2 }), { value: { kind: 'A', a: 1n, length: 2 } });
  for (const wrong of [{ kind: 'A', a: 1, length: 2, c: 3 }, { kind: 'B', a: 1 }, { a: 1, length: 2 }, {}, []]) {
    assert.equal(received(kinds, wrong), undefined, JSON.stringify(wrong));
  }
  const nested = tagged('outer', literal('K'), kinds);
  assert.ok(nested({ outer: 'K', kind: 'B' }) && !nested({ outer: 'K', kind: 'B', c: 1 }));
  const name = { outer: 'K', kind: 'a', name: 'n', first: 1, length: 2 };
  assert.deepEqual(received(struct({ name: text }, nested), name), { value: { name: 'n', outer: 'K', kind: 'A', a: 1n, length: 2 } });
});
