import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';

/** Where the bytes of a file or stream come from. A chunk must not be changed after it was handed over. */
export type Source = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** A file to send. */
export interface FileSource {
  readonly name: string;
  /** Its size in bytes, which `content` has to have exactly. Not needed for content in memory. */
  readonly size?: number;
  readonly content: Uint8Array | Source;
}

/** A file to send with its size. */
export interface SizedFile {
  readonly name: string;
  readonly size: number;
  readonly content: Uint8Array | Source;
}

/** A file of the file system, which is opened when its turn has come. */
export async function fileFromPath(path: string, name: string = basename(path)): Promise<FileSource> {
  const { size } = await stat(path);
  return { name, size, content: lazily(() => createReadStream(path)) };
}

async function* lazily(open: () => AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* open();
}

export function sized(file: FileSource): SizedFile {
  const { name, content } = file;
  if (content instanceof Uint8Array) {
    if (file.size !== undefined && file.size !== content.length) {
      throw new RangeError(`file ${JSON.stringify(name)} has ${content.length} bytes instead of ${file.size}`);
    }
    return { name, size: content.length, content };
  }
  const size = file.size;
  if (size === undefined || !Number.isSafeInteger(size) || size < 0) {
    throw new RangeError(`file ${JSON.stringify(name)} needs a size: ${String(size)} is none`);
  }
  return { name, size, content };
}
