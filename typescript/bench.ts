/**
 * Compares this package with sockety-js and with gRPC for Node.js, each with client and server in processes of their
 * own, and all in the same run: rounds of all implementations follow one another.
 *
 *     npm run build && npm run build:tests
 *     SOCKETY_JS=…/sockety-js/packages/sockety GRPC_JS=…/node_modules/@grpc/grpc-js node build/bench.js [rounds] [case…]
 *
 * What is not given is left out. Prints microseconds of processor time per operation, of client and server together:
 * the least of all rounds, because other programs only add to it.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

import { connect, listen, respond } from 'sockety-runtime';

/** An operation, many of which may run at a time. */
type Operation = () => Promise<unknown>;

interface Case {
  readonly operations: number;
  readonly parallel: number;
}

const CASES: Readonly<Record<string, Case>> = {
  'short reply': { operations: 20_000, parallel: 100 },
  response: { operations: 20_000, parallel: 100 },
  'one-way': { operations: 20_000, parallel: 100 },
  '1 MB payload': { operations: 100, parallel: 4 },
};

interface Implementation {
  /** Starts a server, and returns its port. */
  serve(): Promise<number>;
  connect(port: number): Promise<Readonly<Partial<Record<string, Operation>>>>;
}

const MEGABYTE = Buffer.alloc(1_000_000, 7);
const SMALL = Buffer.from('small payload of 32 bytes, about');
const load = createRequire(import.meta.url);

const ours = (extension: 'off' | 'required'): Implementation => ({
  async serve() {
    const handlers = {
      fast: () => undefined,
      one: () => undefined,
      echo: () => respond({ payload: SMALL }),
    };
    return (await listen({ port: 0 }, { handlers, extension })).port;
  },
  async connect(port) {
    const connection = await connect({ host: '127.0.0.1', port }, { extension });
    return {
      'short reply': () => connection.call('fast'),
      response: () => connection.request('echo').response(),
      'one-way': () => connection.notify('one'),
      '1 MB payload': () => connection.call('fast', undefined, { payload: MEGABYTE }),
    };
  },
});

interface SocketyJs {
  Draft: {
    for(action: string): { optimize(): () => object; data(data: Buffer): { optimize(): () => object } };
  };
  ResponseDraft: new () => { data(data: Buffer): { optimize(): () => object } };
  MessageHandler: new () => SocketyJsHandler;
  FastReply: { Accept: number };
  createServer(): {
    on(event: string, listener: (connection: { on(event: string, listener: unknown): void }) => void): void;
    listen(options: { port: number; host: string }, done: () => void): void;
    address(): { port: number };
    rawServer?: { address(): { port: number } };
  };
  connect(options: { host: string; port: number }): {
    ready(): Promise<{
      on(event: string, listener: () => void): void;
      send(message: object): { response(): Promise<unknown> };
      pass(message: object): Promise<unknown>;
    }>;
  };
}

interface SocketyJsHandler {
  action(name: string, handle: (message: { respond(draft: object): { sent(): Promise<void> } }) => unknown): SocketyJsHandler;
  optimize(): unknown;
}

const socketyJs = (path: string): Implementation => {
  const { Draft, ResponseDraft, MessageHandler, FastReply, createServer, connect: connectTo } = load(path) as SocketyJs;
  return {
    async serve() {
      const response = new ResponseDraft().data(SMALL).optimize()();
      const listener = new MessageHandler()
        .action('one', () => undefined)
        .action('echo', (message) => message.respond(response).sent())
        .action('fast', () => FastReply.Accept)
        .optimize();
      const server = createServer();
      server.on('error', () => undefined);
      server.on('connection', (connection) => connection.on('message', listener));
      // It does not say on which port it listens.
      const port = 20_000 + Math.floor(Math.random() * 10_000);
      await new Promise<void>((resolve) => {
        server.listen({ port, host: '127.0.0.1' }, resolve);
      });
      return port;
    },
    async connect(port) {
      const socket = await connectTo({ host: '127.0.0.1', port }).ready();
      socket.on('error', () => undefined);
      const [fast, echo, one] = ['fast', 'echo', 'one'].map((action) => Draft.for(action).optimize()());
      const large = Draft.for('fast').data(MEGABYTE).optimize()();
      return {
        'short reply': () => socket.send(fast).response(),
        response: () => socket.send(echo).response(),
        'one-way': () => socket.pass(one),
        '1 MB payload': () => socket.send(large).response(),
      };
    },
  };
};

interface Grpc {
  Server: new (options: object) => {
    addService(definition: object, implementation: object): void;
    bindAsync(address: string, credentials: unknown, done: (error: Error | null, port: number) => void): void;
  };
  ServerCredentials: { createInsecure(): unknown };
  credentials: { createInsecure(): unknown };
  makeGenericClientConstructor(definition: object, name: string): new (
    address: string,
    credentials: unknown,
    options: object,
  ) => {
    call(request: Buffer, done: (error: Error | null, answer: Buffer) => void): void;
    talk(): { write(request: Buffer): boolean; on(event: 'data', listener: (answer: Buffer) => void): void };
  };
}

const grpc = (path: string, isStreaming: boolean): Implementation => {
  const { Server, ServerCredentials, credentials, makeGenericClientConstructor } = load(path) as Grpc;
  const same = (bytes: Buffer): Buffer => bytes;
  const codec = { requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same };
  const definition = {
    call: { path: '/bench/call', requestStream: false, responseStream: false, ...codec },
    talk: { path: '/bench/talk', requestStream: true, responseStream: true, ...codec },
  };
  const limits = { 'grpc.max_receive_message_length': 4_000_000 };
  const empty = Buffer.alloc(0);
  return {
    async serve() {
      const server = new Server(limits);
      const answer = (request: Buffer): Buffer => (request.length === 1 ? SMALL : empty);
      server.addService(definition, {
        call: (call: { request: Buffer }, done: (error: null, answer: Buffer) => void) => done(null, answer(call.request)),
        talk: (stream: { on(event: 'data', listener: (request: Buffer) => void): void; write(bytes: Buffer): void }) => {
          stream.on('data', (request) => stream.write(answer(request)));
        },
      });
      return new Promise((resolve, reject) => {
        server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
          error === null ? resolve(port) : reject(error),
        );
      });
    },
    async connect(port) {
      const client = new (makeGenericClientConstructor(definition, 'bench'))(`127.0.0.1:${port}`, credentials.createInsecure(), limits);
      const stream = isStreaming ? client.talk() : undefined;
      const waiting: (() => void)[] = [];
      stream?.on('data', () => waiting.shift()?.());
      const call = (request: Buffer): Promise<unknown> =>
        new Promise((resolve, reject) => {
          if (stream !== undefined) {
            waiting.push(() => resolve(undefined));
            stream.write(request);
          } else {
            client.call(request, (error, answer) => (error === null ? resolve(answer) : reject(error)));
          }
        });
      return {
        'short reply': () => call(empty),
        response: () => call(SMALL.subarray(0, 1)),
        '1 MB payload': () => call(MEGABYTE),
      };
    },
  };
};

const { SOCKETY_JS, GRPC_JS } = process.env;
const implementations: Record<string, Implementation> = { base: ours('off'), extended: ours('required') };
if (SOCKETY_JS !== undefined) implementations['sockety-js'] = socketyJs(SOCKETY_JS);
if (GRPC_JS !== undefined) {
  implementations['gRPC unary'] = grpc(GRPC_JS, false);
  implementations['gRPC streaming'] = grpc(GRPC_JS, true);
}

async function run(operation: Operation, { operations, parallel }: Case): Promise<void> {
  let left = operations;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await operation();
  };
  await Promise.all(Array.from({ length: parallel }, worker));
}

function ask(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('message', (answer) => resolve(Number(answer)));
    const onExit = (): void => reject(new Error('the server has ended'));
    child.once('exit', onExit);
    child.once('message', () => child.off('exit', onExit));
    child.send('cpu');
  });
}

function micros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

const [mode, name, ...names] = process.argv.slice(2);
if (mode === 'serve') {
  const port = await implementations[name].serve();
  process.on('message', () => process.send?.(micros()));
  process.on('disconnect', () => process.exit());
  process.send?.(port);
} else {
  const rounds = Number(mode ?? 5);
  const peers: { name: string; child: ChildProcess; operations: Readonly<Partial<Record<string, Operation>>> }[] = [];
  for (const [key, implementation] of Object.entries(implementations)) {
    const child = fork(fileURLToPath(import.meta.url), ['serve', key]);
    const port = await new Promise<number>((resolve) => child.once('message', (first) => resolve(Number(first))));
    peers.push({ name: key, child, operations: await implementation.connect(port) });
  }
  const wanted = name === undefined ? Object.keys(CASES) : [name, ...names];
  const least = new Map<string, number>();
  for (let round = 0; round <= rounds; round++) {
    for (const key of wanted) {
      const each = CASES[key];
      for (const peer of peers) {
        const operation = peer.operations[key];
        if (operation === undefined) continue;
        // What others have left to be collected is not paid by this one.
        await run(operation, { ...each, operations: each.operations / 10 });
        const before = micros() + (await ask(peer.child));
        await run(operation, each);
        // What is not answered was read when the next message is answered.
        await peer.operations['short reply']?.();
        const cost = (micros() + (await ask(peer.child)) - before) / each.operations;
        const place = `${key}/${peer.name}`;
        // The first round warms up.
        if (round > 0) least.set(place, Math.min(cost, least.get(place) ?? Number.POSITIVE_INFINITY));
      }
    }
  }
  const ratio = (value: number, base: number): string => `${value.toFixed(1)} (${(value / base).toFixed(2)})`;
  console.log(`| µs of processor time, and ratio to base | ${peers.map((peer) => peer.name).join(' | ')} |`);
  console.log(`| --- | ${peers.map(() => '---').join(' | ')} |`);
  for (const key of wanted) {
    const base = least.get(`${key}/base`) ?? Number.NaN;
    const cells = peers.map((peer) => {
      const value = least.get(`${key}/${peer.name}`);
      return value === undefined ? '' : ratio(value, base);
    });
    console.log(`| ${key} | ${cells.join(' | ')} |`);
  }
  process.exit();
}
