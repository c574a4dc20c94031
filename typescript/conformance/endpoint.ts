/**
 * The program that `sockety-conformance` checks: the service of `examples/interop`, whose documentation says what its
 * actions take and answer.
 *
 *     node build/conformance/endpoint.js server [--port N] [--tls CERT KEY] [--defaults] [--clocks N] [--extension]
 *     node build/conformance/endpoint.js client PORT [--tls ROOTS] [--defaults] [--clocks N] [--extension]
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

import {
  Code,
  type ConnectionOptions,
  ConnectError,
  type Handlers,
  type IncomingFile,
  type IncomingMessage,
  type IncomingPart,
  type Limits,
  Msgpack,
  Refusal,
  type Reply,
  connect,
  fastReply,
  listen,
  respond,
} from 'sockety-runtime';

interface Digest {
  bytes: number;
  sha256: string;
}

async function digestOf(part: AsyncIterable<Uint8Array> | undefined): Promise<Digest> {
  const hash = createHash('sha256');
  let bytes = 0;
  if (part !== undefined) {
    for await (const chunk of part) {
      hash.update(chunk);
      bytes += chunk.length;
    }
  }
  return { bytes, sha256: hash.digest('hex') };
}

function digestOfBytes(bytes: Uint8Array): Digest {
  return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

async function digestsOf(files: readonly IncomingFile[]): Promise<object[]> {
  const all: object[] = [];
  for (const file of files) {
    const { bytes, sha256 } = await digestOf(file);
    all.push({ name: file.name, size: bytes, sha256 });
  }
  return all;
}

/** Byte i is i mod 251. */
function* content(size: number): Generator<Uint8Array> {
  const piece = 64 * 1024;
  for (let at = 0; at < size; at += piece) {
    const bytes = new Uint8Array(Math.min(piece, size - at));
    for (let place = 0; place < bytes.length; place++) bytes[place] = (at + place) % 251;
    yield bytes;
  }
}

const notes: Uint8Array[] = [];

function array(items: readonly Uint8Array[]): Uint8Array {
  const { length } = items;
  const head = length < 16 ? [0x90 | length] : length < 65_536 ? [0xdc, length >> 8, length & 255] : undefined;
  return Buffer.concat([Uint8Array.from(head ?? [0xdd, 0, length >> 16, (length >> 8) & 255, length & 255]), ...items]);
}

const BOUNDS = new Msgpack({ values: 1_000_000, depth: 64 });

/** Throws a `DecodeError` for a payload that is not one value. */
function checked(message: IncomingMessage): Uint8Array {
  BOUNDS.check(message.payload);
  return message.payload;
}

interface Wanted {
  name: string;
  size: number;
}

function isWanted(value: unknown): value is Wanted {
  if (typeof value !== 'object' || value === null) return false;
  const { name, size } = value as Partial<Wanted>;
  return typeof name === 'string' && typeof size === 'number' && size >= 0 && Number.isSafeInteger(size);
}

interface Relay {
  action: string;
  replies: number;
  answer?: number | null;
  stream?: number | null;
}

async function relay(message: IncomingMessage): Promise<unknown> {
  const { action, replies, answer, stream } = message.data<Relay>();
  const request = message.request(action, undefined, typeof stream === 'number' ? { stream: content(stream) } : {});
  const told: object[] = [];
  try {
    if (replies === 0) request.cancel();
    while (told.length < replies) told.push(await tell(await request.next(), answer));
    request.cancel();
  } catch (error) {
    told.push({ files: [], error: String(error) });
    request.cancel();
  }
  return told;
}

async function tell(reply: Reply, answer: number | null | undefined): Promise<object> {
  if (reply.kind === 'code') return { code: reply.code, files: [] };
  const { response } = reply;
  const [files, stream] = await both(digestsOf(response.files), digestOf(response.stream));
  if (typeof answer === 'number') response.reply(answer);
  const data = digestOfBytes(response.payload);
  return response.stream === undefined ? { data, files } : { data, files, stream };
}

/** Waits for both, also if one fails. */
async function both<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  const [a, b] = await Promise.allSettled([first, second]);
  if (a.status === 'rejected') throw a.reason;
  if (b.status === 'rejected') throw b.reason;
  return [a.value, b.value];
}

function drop(part: IncomingPart | undefined): void {
  part?.discard();
}

const handlers: Handlers = {
  ping: () => undefined,
  echo: (message) => respond({ payload: checked(message) }),
  raw: (message) => respond({ payload: message.payload }),
  code: (message) => {
    const code = message.data();
    if (typeof code !== 'number' || !Number.isInteger(code) || code < 0 || code > 4095) throw new Refusal(Code.BadRequest);
    return fastReply(code);
  },
  upload: (message) => {
    drop(message.stream);
    return digestsOf(message.files);
  },
  download: (message) => {
    const wanted = message.data();
    if (!Array.isArray(wanted) || !wanted.every(isWanted)) throw new Refusal(Code.BadRequest);
    const total = wanted.reduce((sum, { size }) => sum + size, 0);
    if (total > 2 ** 48 - 1 || wanted.some(({ name }) => Buffer.byteLength(name) > 65_535)) {
      throw new Refusal(Code.BadRequest);
    }
    return respond({ files: wanted.map(({ name, size }) => ({ name, size, content: content(size) })) });
  },
  'stream-sum': (message) => digestOf(message.stream),
  'stream-echo': (message) => respond({ stream: message.stream ?? [] }),
  everything: async (message) => {
    const [files, stream] = await both(digestsOf(message.files), digestOf(message.stream));
    return { data: digestOfBytes(message.payload), files, stream };
  },
  note: (message) => {
    notes.push(Uint8Array.from(checked(message)));
  },
  notes: () => respond({ payload: array(notes) }),
  close: (message) => {
    setImmediate(() => void message.connection.close());
  },
  hold: async (message) => {
    const millis = message.data<number>();
    if (typeof millis !== 'number') throw new Refusal(Code.BadRequest);
    const { signal } = message;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(resolve, millis);
      signal.addEventListener('abort', () => {
        clearTimeout(timer);
        reject(signal.reason as Error);
      });
    });
  },
  relay,
};

/** The limits of the wire, except for payloads and files. */
const WIDE: Partial<Limits> = {
  channels: 4096,
  actionBytes: 65_535,
  headerBytes: 2 ** 31,
  headerPieces: 2 ** 31,
  heldHeaderBytes: 2 ** 31,
  payload: 64 * 1024 * 1024,
  files: 1024,
  fileNameBytes: 65_535,
  metadataBytes: 65_536,
  requests: 4096,
  msgpackValues: 1_000_000,
  msgpackDepth: 64,
};

interface Arguments {
  port: number;
  tls: string[];
  options: ConnectionOptions;
}

function parse(words: string[], port: number, tlsFiles: number): Arguments {
  const tls: string[] = [];
  let clocks = 1;
  let isExtended = false;
  let limits: Partial<Limits> | undefined = WIDE;
  while (words.length > 0) {
    const word = words.shift();
    if (word === '--port') port = Number(words.shift());
    else if (word === '--tls') tls.push(...words.splice(0, tlsFiles));
    else if (word === '--clocks') clocks = Number(words.shift());
    else if (word === '--defaults') limits = undefined;
    else if (word === '--extension') isExtended = true;
    else if (word !== '--serve') throw new Error(`unknown option ${word}`);
  }
  const seconds = (value: number): number => Math.max(3000, (value * 1000) / clocks);
  const options: ConnectionOptions = {
    handlers,
    extension: isExtended ? 'auto' : 'off',
    limits,
    heartbeat: seconds(20),
    idleTimeout: seconds(90),
    headerTimeout: seconds(15),
    progressTimeout: seconds(60),
    writeTimeout: seconds(30),
    onHandlerError: (error, action) => {
      if (!(error instanceof DOMException)) console.error(action, error);
    },
  };
  return { port, tls, options };
}

const [mode, ...words] = process.argv.slice(2);
if (mode === 'server') {
  const { port, tls, options } = parse(words, 0, 2);
  const keys = tls.length === 2 ? { cert: readFileSync(tls[0]), key: readFileSync(tls[1]) } : undefined;
  const server = await listen({ port }, { ...options, tls: keys });
  console.log(`PORT ${server.port}`);
} else if (mode === 'client') {
  const { port, tls, options } = parse(words.slice(1), Number(words[0]), 1);
  const roots = tls.length === 1 ? { ca: readFileSync(tls[0]) } : undefined;
  for (;;) {
    try {
      const connection = await connect({ host: '127.0.0.1', port }, { ...options, tls: roots });
      // A connection keeps its process alive only while its socket is open.
      await connection.closed;
    } catch (error) {
      // The other side may begin with invalid bytes, for a test.
      if (error instanceof ConnectError && error.reason.kind === 'unreachable') {
        if ('code' in error.reason.error && error.reason.error.code === 'ECONNREFUSED') break;
      }
    }
  }
} else {
  console.error('usage: endpoint server|client PORT [options]');
  process.exitCode = 2;
}
