// A client of the store: one command over one connection, like the one in Rust.
import { fileFromPath, connect } from 'sockety-runtime';

import { StoreClient, loadErrorOf, storeErrorOf, watchErrorOf } from './store.js';
import { visitorHandlers } from './visitor.js';

const USAGE = `Usage: npm run client -- ADDRESS NAME get KEY
       npm run client -- ADDRESS NAME put KEY VALUE
       npm run client -- ADDRESS NAME load FILE
       npm run client -- ADDRESS NAME dump
       npm run client -- ADDRESS NAME watch PREFIX COUNT`;

/** Executes a command. Returns whether there is such a command. */
async function run(store: StoreClient, command: string[]): Promise<boolean> {
  const [action, first, second] = command;
  if (action === 'get' && first !== undefined) {
    console.log(JSON.stringify(await store.get(first)));
  } else if (action === 'put' && first !== undefined && second !== undefined) {
    await store.put(first, second);
    console.log('stored');
  } else if (action === 'load' && first !== undefined) {
    console.log(`stored ${await store.load(await fileFromPath(first))} lines`);
  } else if (action === 'dump') {
    const file = await store.dump();
    process.stdout.write(await file.bytes());
  } else if (action === 'watch' && first !== undefined && second !== undefined) {
    await watch(store, first, Number(second));
  } else {
    return false;
  }
  return true;
}

async function watch(store: StoreClient, prefix: string, count: number): Promise<void> {
  // Its end ends the stream of changes.
  let stop = (): void => undefined;
  const stopped = new Promise<void>((resolve) => (stop = resolve));
  async function* listening(): AsyncGenerator<null> {
    await stopped;
  }
  const changes = await store.watch(prefix, listening());
  console.log('watching');
  let seen = 0;
  for await (const { key, value, by } of changes) {
    console.log(`${JSON.stringify(key)} is ${JSON.stringify(value)}, says ${JSON.stringify(by ?? 'somebody')}`);
    if (++seen === count) stop();
  }
}

/** What an error of the service means; `undefined` for a failure on the way. */
function explained(error: unknown): string | undefined {
  const ofStore = storeErrorOf(error);
  if (ofStore === 'NoSuchKey') return 'no such key';
  if (ofStore !== undefined) return `not stored: there are ${ofStore.Full.keys} keys already`;
  const ofLoad = loadErrorOf(error);
  if (ofLoad === 'NoText') return 'the file is not text, or too large';
  if (ofLoad !== undefined && 'NoValue' in ofLoad) return `line ${ofLoad.NoValue.line} has no value`;
  if (ofLoad !== undefined) return `no room for line ${ofLoad.Full.line}`;
  const ofWatch = watchErrorOf(error);
  return ofWatch && `missed ${ofWatch.Missed.changes} changes`;
}

const [address, name, ...command] = process.argv.slice(2);
if (address === undefined || name === undefined) {
  console.error(USAGE);
  process.exit(2);
}
// Either side of a connection can call: this side serves `Visitor` and calls `Store`.
const connection = await connect(address, { handlers: visitorHandlers({ name: () => name }) });
try {
  if (!(await run(new StoreClient(connection), command))) {
    console.error(USAGE);
    process.exitCode = 2;
  }
} catch (error) {
  const text = explained(error);
  if (text === undefined) throw error;
  console.log(text);
} finally {
  await connection.close();
}
