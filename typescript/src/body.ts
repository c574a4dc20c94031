import { ProtocolError } from './errors.js';
import type { Head } from './sink.js';

/** What is still to come of a message. */
export class Body<T> {
  payload: number;
  isStreaming: boolean;
  isRefused = false;
  target: T | undefined;

  constructor(
    readonly head: Head,
    readonly files: Files | undefined,
  ) {
    this.payload = head.payloadSize;
    this.isStreaming = head.hasStream;
  }
}

/** What is still to come of each file; -1 after its end. */
export class Files {
  headers = 0;
  ended = 0;
  private sum = 0;
  private readonly left: number[] = [];

  constructor(
    readonly count: number,
    private readonly total: number,
    /** Of too many files, only numbers are kept (`limits.files`). */
    private readonly isKept: boolean,
  ) {}

  onHeader(size: number): number {
    this.sum += size;
    if (this.isKept) this.left.push(size);
    return this.headers++;
  }

  /** Returns whether the file has that many bytes left. */
  onContent(index: number, size: number): boolean {
    if (!this.isKept) return true;
    const left = this.left[index];
    if (left < 0) throw new ProtocolError('content.file.once', `content of file ${index} after its end`);
    this.left[index] = Math.max(0, left - size);
    return size <= left;
  }

  /** Returns how many bytes are missing. */
  onEnd(index: number): number {
    const left = this.isKept ? this.left[index] : 0;
    if (left < 0 || this.ended >= this.headers) {
      throw new ProtocolError('content.file.once', `file ${index} ends again`);
    }
    if (this.isKept) this.left[index] = -1;
    this.ended++;
    return left;
  }

  // head.files.sum
  mismatch(): ProtocolError | undefined {
    const isWrong = this.sum > this.total || (this.headers === this.count && this.sum < this.total);
    if (!isWrong) return undefined;
    return new ProtocolError('head.files.sum', `the size of all files is ${this.total}, and their sum ${this.sum}`);
  }
}
