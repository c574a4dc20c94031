import { Chunks } from './chunks.js';
import { ContentError, type LimitError, type ProtocolError } from './errors.js';
import { STREAM } from './extension/flow.js';

/** What a connection learns of the readers of content. */
export interface Readers {
  onTaken(number: number, part: number, bytes: number): void;
  onWaits(number: number, part: number): void;
  onStop(number: number, part: number): void;
}

/** Bytes that arrive, for one reader. */
export abstract class IncomingPart implements AsyncIterable<Uint8Array> {
  private readonly chunks = new Chunks();
  private isOver = false;
  private isDiscarded = false;
  private error: ContentError | undefined;
  private wake: (() => void) | undefined;

  /** @internal Bytes that nobody has taken. */
  unread = 0;

  /** @internal */
  constructor(
    private readonly readers: Readers,
    private readonly number: number,
    private readonly part: number,
  ) {}

  /** @internal Whether a reader waits for bytes. */
  get isAwaited(): boolean {
    return this.wake !== undefined;
  }

  /** @internal Returns whether the bytes are kept. */
  push(bytes: Uint8Array): boolean {
    if (this.isDiscarded || this.error !== undefined) return false;
    this.chunks.push(bytes);
    this.unread += bytes.length;
    this.notify();
    return true;
  }

  /** @internal */
  end(): void {
    this.isOver = true;
    this.notify();
  }

  /** @internal What was not read is lost. */
  fail(error: ContentError): void {
    if (this.isOver && this.error === undefined && this.unread === 0) return;
    if (this.isOver && !this.isDiscarded && error.reason.kind !== 'slow') return;
    this.error ??= error;
    this.isOver = true;
    this.clear();
    this.notify();
  }

  /** @internal */
  failAfterRest(error: ContentError): void {
    this.error ??= error;
    this.isOver = true;
    this.notify();
  }

  private clear(): void {
    this.chunks.clear();
    this.unread = 0;
  }

  private notify(): void {
    const wake = this.wake;
    this.wake = undefined;
    wake?.();
  }

  /** The next chunk; `undefined` at the end. Throws a `ContentError` if there is no regular end. */
  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      const chunk = this.chunks.shift();
      if (chunk !== undefined) {
        this.unread -= chunk.length;
        this.readers.onTaken(this.number, this.part, chunk.length);
        return chunk;
      }
      if (this.error !== undefined) throw this.error;
      if (this.isOver || this.isDiscarded) return undefined;
      if (this.wake !== undefined) throw new TypeError('another reader waits already');
      const wait = new Promise<void>((resolve) => {
        this.wake = resolve;
      });
      this.readers.onWaits(this.number, this.part);
      await wait;
    }
  }

  /** Reads all that is left into memory. Fails with a `RangeError` if there is more than `limit`. */
  async bytes(limit = 64 * 1024 * 1024): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for (let chunk = await this.read(); chunk !== undefined; chunk = await this.read()) {
      size += chunk.length;
      if (size > limit) {
        this.discard();
        throw new RangeError(`content of ${size} bytes or more exceeds the limit of ${limit}`);
      }
      chunks.push(chunk);
    }
    return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, size);
  }

  /** Nobody will read the rest: its sender is asked to stop, and what still comes is dropped. */
  discard(): void {
    if (this.isDiscarded) return;
    this.isDiscarded = true;
    this.clear();
    this.readers.onStop(this.number, this.part);
    this.notify();
  }

  /** Chunks as they arrive. Leaving the loop early discards the rest. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (let chunk = await this.read(); chunk !== undefined; chunk = await this.read()) yield chunk;
    } finally {
      if (!this.isOver || this.unread > 0) this.discard();
    }
  }
}

/** The stream of a message. */
export class IncomingStream extends IncomingPart {
  /** @internal */
  constructor(readers: Readers, number: number) {
    super(readers, number, STREAM);
  }
}

/** A file of a message. */
export class IncomingFile extends IncomingPart {
  /** @internal */
  constructor(
    readers: Readers,
    number: number,
    /** Its place among the files of its message. */
    readonly index: number,
    /** As the peer says: check it before it becomes a path. */
    readonly name: string,
    /** In bytes. A file that is shorter fails when it is read to its end. */
    readonly size: number,
  ) {
    super(readers, number, index);
  }
}

/** Why content of a message that was refused is not there. */
export function refusedContent(error: LimitError | ProtocolError): ContentError {
  return new ContentError({ kind: 'refused', message: error.message });
}
