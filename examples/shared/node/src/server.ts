// The server: a store in memory, like the one in Rust.
import { EventEmitter } from 'node:events';

import { listen } from 'sockety-runtime';

import { type Change, LoadFailure, StoreFailure, type StoreHandlers, WatchFailure, storeHandlers } from './store.js';
import { VisitorClient } from './visitor.js';

/** The largest number of keys. */
const KEYS = 1000;
/** Number of changes that can wait for a slow watcher. Beyond that, it misses some. */
const WAITING = 256;

const values = new Map<string, string>();
const changes = new EventEmitter<{ change: [Change] }>().setMaxListeners(0);

/** Stores a value and announces it. Returns whether there was room. */
function put(key: string, value: string, by: string | null): boolean {
  if (values.get(key) === value) return true;
  if (!values.has(key) && values.size === KEYS) return false;
  values.set(key, value);
  changes.emit('change', { key, value, by });
  return true;
}

const store: StoreHandlers = {
  get(key) {
    const value = values.get(key);
    if (value === undefined) throw new StoreFailure('NoSuchKey');
    return value;
  },

  async put(key, value, message) {
    // A client for what the caller serves to us. A caller without `Visitor` can store values too.
    const name = await new VisitorClient(message).name().catch(() => null);
    if (!put(key, value, name?.slice(0, 40) ?? null)) throw new StoreFailure({ Full: { keys: KEYS } });
  },

  async load(lines) {
    const bytes = await lines.bytes(1024 * 1024);
    let text;
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch {
      throw new LoadFailure('NoText');
    }
    let line = 0;
    for (const [, key, value] of text.matchAll(/^(?:(.*?)=(.*)|.+)$/gm)) {
      line++;
      if (key === undefined || value === undefined) throw new LoadFailure({ NoValue: { line } });
      if (!put(key, value, null)) throw new LoadFailure({ Full: { line } });
    }
    return line;
  },

  dump() {
    const lines = [...values].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `${key}=${value}\n`);
    return { name: 'store.txt', content: Buffer.from(lines.join('')) };
  },

  watch(prefix, listening, message) {
    const waiting: Change[] = [];
    let missed = 0;
    let isOver = false;
    let wake = (): void => undefined;
    const onChange = (change: Change): void => {
      if (!change.key.startsWith(prefix)) return;
      if (waiting.length === WAITING) missed++;
      else waiting.push(change);
      wake();
    };
    const stop = (): void => {
      isOver = true;
      changes.off('change', onChange);
      wake();
    };
    changes.on('change', onChange);
    message.signal.addEventListener('abort', stop);
    void (async () => {
      // The caller sends nothing. It ends the stream when it has seen enough, or its connection ends.
      for await (const _ of listening);
    })().catch(() => undefined).finally(stop);

    return (async function* () {
      try {
        for (;;) {
          const change = waiting.shift();
          if (change !== undefined) yield change;
          // Ends the stream for the watcher, which gets the error as such.
          else if (missed > 0) throw new WatchFailure({ Missed: { changes: missed } });
          else if (isOver) return;
          else await new Promise<void>((resolve) => (wake = resolve));
        }
      } finally {
        stop();
      }
    })();
  },
};

const [address = '127.0.0.1:0'] = process.argv.slice(2);
const at = address.lastIndexOf(':');
const server = await listen(
  { host: address.slice(0, at), port: Number(address.slice(at + 1)) },
  { handlers: storeHandlers(store) },
);
console.log(`listening on ${address.slice(0, at)}:${server.port}`);
process.once('SIGINT', () => void server.close());
