import { Code } from './codes.js';
import { Encoder, type OutgoingHead } from './encoder.js';
import { ContentError, LimitError } from './errors.js';
import { STREAM } from './extension/flow.js';
import { type Metadata, MetadataWriter, NO_METADATA } from './extension/metadata.js';
import { Sending } from './extension/sending.js';
import type { Settings } from './extension/settings.js';
import { Fifo } from './fifo.js';
import type { SizedFile, Source } from './files.js';
import type { Id } from './ids.js';
import { U48_MAX } from './limits.js';
import { type StreamEnd, endOf } from './stream-end.js';
import { EMPTY } from './wire.js';

/** What is queued of a part before its source is asked for more, and the most of one packet. */
const PART_BYTES = 64 * 1024;
/** Content is cut into packets while less than this waits. */
const CONTENT_BYTES = 128 * 1024;
/** With this many bytes of answers that wait, nothing more is read. */
const ANSWER_BYTES = 4 * 1024 * 1024;
/** What responses may hold that wait for credit, in bytes, and how long the peer may take nothing of one that does. */
const BLOCKED_BYTES = 8 * 1024 * 1024;
const STALL_MILLIS = 60_000;
/** Above this, messages wait before they are encoded. */
const QUEUE_BYTES = 1024 * 1024;
/** What one Data packet can have (`content.data.single`). */
const MAX_PAYLOAD = 0xffff_ffff;

function answerBytes(outgoing: Outgoing): number {
  return outgoing.parent === undefined ? 0 : outgoing.payloadSize + 64;
}

const NO_PARTS: OutgoingPart[] = [];
/** Why a message is aborted that its caller has given up. */
export const CANCELLED = new Error('the message was cancelled');

/** A message or response that is sent. */
export class Outgoing implements OutgoingHead {
  /** Its number once it has begun, otherwise -1. */
  number = -1;
  /** Where it begins, in bytes since the beginning of the connection. */
  position = -1;
  channel = 0;
  state: 'queued' | 'open' | 'done' | 'failed' = 'queued';
  /** Called when all of it was queued for the socket, or with why not. */
  onDone: ((error?: Error) => void) | undefined;
  /** Why it has failed. */
  error: Error | undefined;
  parts: OutgoingPart[] = NO_PARTS;
  openParts = 0;
  /** The first file that has not ended. */
  next = 0;
  isActive = false;
  /** Bytes of its content that were sent, now and when it was last looked at, and since when it has not moved. */
  moved = 0;
  movedBefore = -1;
  stalledAt = 0;

  constructor(
    readonly parent: Id | undefined,
    readonly id: Id,
    readonly action: string,
    readonly expectsReply: boolean,
    private readonly payload: Uint8Array,
    /** The rest of the payload. */
    private readonly payloadRest: Uint8Array,
    readonly files: readonly SizedFile[],
    readonly stream: Source | undefined,
    readonly metadata: Metadata | undefined,
    /** When its deadline is, by `performance.now()`; `null`: it has none; `undefined`: that of the settings. */
    readonly deadline: number | null | undefined,
  ) {}

  get payloadSize(): number {
    return this.payload.length + this.payloadRest.length;
  }

  writePayload(encoder: Encoder): void {
    encoder.data(this.payload, this.payloadRest);
  }

  get hasStream(): boolean {
    return this.stream !== undefined;
  }

  get hasContent(): boolean {
    return this.stream !== undefined || this.files.length > 0;
  }
}

/** A file or the stream of a message that is sent. */
class OutgoingPart {
  sent = 0;
  hasEnded = false;
  /** The source has ended. */
  isOver = false;
  error: Error | undefined;
  /** How the stream ends, with the error that the source has thrown. */
  ending: { readonly status: StreamEnd; readonly error: Error } | undefined;
  queue: Uint8Array[] = [];
  queued = 0;
  private iterator: AsyncIterator<Uint8Array> | Iterator<Uint8Array> | undefined;
  private isPulling = false;
  /** The iterator has said that it has ended, or has thrown: it needs no `return`. */
  private isExhausted = false;

  constructor(
    private readonly sender: Sender,
    private readonly message: Outgoing,
    readonly index: number,
    readonly size: number | undefined,
    private source: Uint8Array | Source | undefined,
  ) {}

  /** Asks the source for more, as long as there is room. */
  pull(): void {
    if (this.isPulling || this.isOver || this.queued >= PART_BYTES) return;
    if (this.iterator === undefined) {
      const source = this.source;
      this.source = undefined;
      if (source === undefined || source instanceof Uint8Array) {
        if (source !== undefined) this.add(source);
        this.isOver = true;
        return;
      }
      try {
        this.iterator =
          Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
      } catch (error) {
        this.fail(error);
        return;
      }
    }
    this.isPulling = true;
    void this.run(this.iterator);
  }

  private async run(iterator: AsyncIterator<Uint8Array> | Iterator<Uint8Array>): Promise<void> {
    try {
      while (this.queued < PART_BYTES && !this.isOver) {
        let next: IteratorResult<Uint8Array>;
        try {
          next = await iterator.next();
        } catch (error) {
          this.isExhausted = true;
          throw error;
        }
        this.isExhausted = next.done === true;
        if (this.hasEnded) break;
        if (next.done === true) {
          this.isOver = true;
          break;
        }
        this.add(next.value);
        this.sender.wake(this.message);
      }
    } catch (error) {
      this.fail(error);
    }
    this.isPulling = false;
    this.sender.wake(this.message);
  }

  private add(chunk: Uint8Array): void {
    if (!(chunk instanceof Uint8Array)) throw new TypeError('a chunk of content is no Uint8Array');
    if (chunk.length === 0) return;
    this.queue.push(chunk);
    this.queued += chunk.length;
    if (this.size !== undefined && this.sent + this.queued > this.size) {
      throw new ContentError({ kind: 'source', message: `file ${this.index} is larger than its size of ${this.size}` });
    }
  }

  private fail(error: unknown): void {
    const status = this.index === STREAM && error instanceof Error ? endOf(error) : undefined;
    if (status !== undefined) {
      this.ending = { status, error: error as Error };
      this.isOver = true;
      return;
    }
    this.error = error instanceof Error ? error : new ContentError({ kind: 'source', message: String(error) });
    this.isOver = true;
  }

  /** Nothing more is needed of the source. */
  close(): void {
    this.hasEnded = true;
    this.queue = [];
    this.queued = 0;
    const iterator = this.iterator;
    this.iterator = this.source = undefined;
    if (iterator !== undefined && !this.isExhausted) {
      // Its failure concerns nobody any more. A generator that runs at this moment throws at once.
      void Promise.resolve()
        .then(() => iterator.return?.())
        .catch(() => undefined);
    }
    this.isOver = true;
  }
}

/** Everything that a connection sends: messages wait for room and for channels, content for credit. */
export class Sender {
  readonly encoder = new Encoder();
  readonly credit = new Sending();
  private readonly metadata = new MetadataWriter();
  private isReady = false;
  isExtended = false;
  /** What the peer accepts, once it has said so. */
  settings: Settings | undefined;
  /** Actions with no more characters, and payloads with no more bytes, need no closer look. */
  private shortAction = Math.floor(0xffff / 3);
  private acceptedPayload = MAX_PAYLOAD;
  /** The channels of the peer, and those of them that are in use. */
  private channels = 0;
  private readonly free: number[] = [];
  private opened = 1;
  /** Channels that a known reader would block for ever (`content.abort.retire`). */
  retired = 0;
  private isZeroBusy = false;
  private readonly small = new Fifo<Outgoing>();
  /** Bytes of responses in it. */
  private answerBytes = 0;
  private readonly large = new Fifo<Outgoing>();
  private active: Outgoing[] = [];
  private readonly open = new Map<number, Outgoing>();
  private readonly blocked = new Set<Outgoing>();
  /** Content that was sent, in bytes, and parts that have begun. */
  contentBytes = 0;
  begunParts = 0;

  constructor(
    /** Something is to be written. */
    private readonly onWork: () => void,
  ) {}

  /** The peer's connection header was read. */
  start(channels: number, isExtended: boolean): void {
    this.isReady = true;
    this.isExtended = isExtended;
    // ext.settings.before
    this.channels = isExtended ? 16 : channels;
    this.onWork();
  }

  onSettings(settings: Settings): void {
    this.settings = settings;
    // A character has three bytes at most.
    this.shortAction = Math.floor(Math.min(settings.actionBytes, settings.headerBytes - 40, 0xffff) / 3);
    this.acceptedPayload = Math.min(settings.payload, MAX_PAYLOAD);
    this.channels = settings.channels;
    this.credit.open(settings.messageWindow, settings.connectionWindow);
    this.unblock();
    this.onWork();
  }

  /** Whether anything is left to send. */
  get isIdle(): boolean {
    return this.small.length === 0 && this.large.length === 0 && this.open.size === 0 && this.encoder.queued === 0;
  }

  /** Whether too many answers wait to cause more. Requests of this side do not count: their answers are to be read. */
  get isFull(): boolean {
    return this.encoder.queued >= ANSWER_BYTES || this.answerBytes >= ANSWER_BYTES;
  }

  /** Whether messages of ours wait that have not begun. */
  get hasQueuedMessages(): boolean {
    const isMessage = (outgoing: Outgoing): boolean => outgoing.parent === undefined && outgoing.state === 'queued';
    return [...this.small].some(isMessage) || [...this.large].some(isMessage);
  }

  /** Whether so many of the channels are lost that another connection is better. */
  get isWornOut(): boolean {
    return this.retired > 0 && this.retired >= this.channels / 2;
  }

  /** Whether no channel is left for content. With one channel, that is one for anything. */
  get isExhausted(): boolean {
    return this.retired > 0 && this.retired >= Math.max(1, this.channels - 1);
  }

  /** Sends a message, now if possible. Throws a `LimitError` for one that cannot be sent. */
  submit(outgoing: Outgoing): void {
    this.check(outgoing);
    if (!outgoing.hasContent) {
      if (this.isReady && this.small.length === 0 && !this.isZeroBusy && this.encoder.queued < QUEUE_BYTES) {
        this.begin(outgoing);
        this.onWork();
      } else {
        this.small.push(outgoing);
        this.answerBytes += answerBytes(outgoing);
      }
      return;
    }
    this.large.push(outgoing);
    // At once if it can: with what is read next, the peer may refer to it.
    if (this.large.length === 1) this.dequeue();
    this.onWork();
  }

  /** What the protocol can express, and what the peer accepts (`ext.settings.advisory`). */
  private check(outgoing: Outgoing): void {
    // Nearly all are far below all limits.
    const { action, payloadSize, files } = outgoing;
    if (files.length === 0 && action.length <= this.shortAction && payloadSize <= this.acceptedPayload) return;
    this.checkEach(outgoing);
  }

  private checkEach(outgoing: Outgoing): void {
    const settings = this.settings;
    const limit = (what: string, size: number, most: number, rule = 'ext.settings.advisory'): void => {
      if (size > most) throw new LimitError(what, size, most, rule);
    };
    const action = Buffer.byteLength(outgoing.action);
    limit('bytes of an action', action, 0xffff, 'head.action');
    limit('bytes of a payload', outgoing.payloadSize, MAX_PAYLOAD, 'head.payload');
    if (outgoing.files.length > 0) {
      limit('files of a message', outgoing.files.length, 0xff_ffff, 'head.files.count');
      let total = 0;
      for (const file of outgoing.files) {
        total += file.size;
        limit("bytes of a file's name", Buffer.byteLength(file.name), 0xffff, 'head.file');
      }
      limit('bytes of all files', total, U48_MAX, 'head.files.total');
    }
    if (settings === undefined) return;
    limit('bytes of an action', action, settings.actionBytes);
    limit('bytes of a payload', outgoing.payloadSize, settings.payload);
    limit('files of a message', outgoing.files.length, settings.files);
    if (action + 40 > settings.headerBytes || outgoing.files.length > 0) {
      limit('bytes of a header', Encoder.headLength(outgoing), Math.max(settings.headerBytes, 64));
    }
  }

  /** Answers with a code; with the extension, after it was said when to try again. */
  fastReply(id: Id, code: number, retryAfter?: number | null): void {
    if (retryAfter !== undefined && this.isExtended) {
      const content = this.metadata.encode({ retryAfter, entries: NO_METADATA.entries }, undefined, 1024);
      if (content instanceof Uint8Array) this.encoder.metadata(content);
    }
    this.encoder.fastReply(id, code);
  }

  private begin(outgoing: Outgoing): void {
    const { encoder } = this;
    if (this.isExtended && (outgoing.metadata !== undefined || outgoing.deadline !== undefined)) {
      const deadline =
        typeof outgoing.deadline === 'number' ? Math.max(1, outgoing.deadline - performance.now()) : outgoing.deadline;
      const limit = this.settings?.metadataBytes ?? 1024;
      const metadata = outgoing.metadata ?? NO_METADATA;
      const content = this.metadata.encode(metadata, deadline, limit);
      if (content === 'too large') {
        this.finish(outgoing, new LimitError('bytes of metadata', limit + 1, limit, 'ext.meta.bound'));
        return;
      }
      if (content !== undefined) {
        outgoing.position = encoder.position;
        encoder.metadata(content);
      }
    }
    if (outgoing.position < 0) outgoing.position = encoder.position;
    encoder.switchTo(outgoing.channel);
    outgoing.number = encoder.head(outgoing);
    outgoing.writePayload(encoder);
    if (!outgoing.hasContent) {
      this.finish(outgoing);
      return;
    }
    outgoing.state = 'open';
    this.begunParts += outgoing.files.length + (outgoing.hasStream ? 1 : 0);
    if (this.isExtended) this.credit.begin(outgoing.number, outgoing.hasStream, outgoing.files.length);
    const parts: OutgoingPart[] = (outgoing.parts = []);
    if (outgoing.hasStream) parts.push(new OutgoingPart(this, outgoing, STREAM, undefined, outgoing.stream));
    outgoing.files.forEach((file, index) => {
      parts.push(new OutgoingPart(this, outgoing, index, file.size, file.size === 0 ? undefined : file.content));
    });
    outgoing.openParts = parts.length;
    this.open.set(outgoing.number, outgoing);
    this.wake(outgoing);
  }

  private finish(outgoing: Outgoing, error?: Error): void {
    outgoing.state = error === undefined ? 'done' : 'failed';
    outgoing.error = error;
    const onDone = outgoing.onDone;
    outgoing.onDone = undefined;
    onDone?.(error);
  }

  /** Begins what has waited for room or a channel. */
  private dequeue(): void {
    if (!this.isReady) return;
    while (this.small.length > 0 && !this.isZeroBusy && this.encoder.queued < QUEUE_BYTES) {
      const outgoing = this.small.shift() as Outgoing;
      this.answerBytes -= answerBytes(outgoing);
      this.begin(outgoing);
    }
    while (this.large.length > 0 && this.encoder.queued < QUEUE_BYTES) {
      const channel = this.takeChannel();
      if (channel === undefined) return;
      const outgoing = this.large.shift() as Outgoing;
      outgoing.channel = channel;
      this.begin(outgoing);
      if (outgoing.state === 'failed') this.freeChannel(channel);
    }
  }

  /** Messages with content have channels of their own, as far as there are any besides 0. */
  private takeChannel(): number | undefined {
    if (this.channels === 1) {
      if (this.isZeroBusy || this.small.length > 0) return undefined;
      this.isZeroBusy = true;
      return 0;
    }
    const free = this.free.pop();
    if (free !== undefined) return free;
    return this.opened < this.channels ? this.opened++ : undefined;
  }

  private freeChannel(channel: number): void {
    if (channel === 0) this.isZeroBusy = false;
    else this.free.push(channel);
  }

  /** A part has something to send, or credit. */
  wake(outgoing: Outgoing): void {
    if (outgoing.isActive || outgoing.state !== 'open') return;
    outgoing.isActive = true;
    this.blocked.delete(outgoing);
    this.active.push(outgoing);
    this.onWork();
  }

  /** Writes what there is room for. */
  pump(): void {
    this.dequeue();
    const { encoder } = this;
    let rounds = this.active.length;
    while (this.active.length > 0 && encoder.queued < CONTENT_BYTES) {
      const outgoing = this.active.shift() as Outgoing;
      outgoing.isActive = false;
      if (outgoing.state !== 'open') continue;
      if (this.turn(outgoing)) {
        outgoing.isActive = true;
        this.active.push(outgoing);
      }
      if (--rounds <= 0) {
        this.dequeue();
        rounds = this.active.length;
      }
    }
  }

  /** One packet of the stream, and one of the files. Returns whether there may be more at once. */
  private turn(outgoing: Outgoing): boolean {
    const { parts } = outgoing;
    const hasStream = outgoing.hasStream;
    let isProgress = false;
    if (hasStream && !parts[0].hasEnded) isProgress = this.send(outgoing, parts[0]);
    if (outgoing.state !== 'open') return false;
    const first = hasStream ? 1 : 0;
    while (outgoing.next + first < parts.length && parts[outgoing.next + first].hasEnded) outgoing.next++;
    for (let place = outgoing.next + first; place < parts.length; place++) {
      const part = parts[place];
      if (part.hasEnded) continue;
      const hasSent = this.send(outgoing, part);
      if (outgoing.state !== 'open') return false;
      if (hasSent) {
        isProgress = true;
        break;
      }
      // ext.credit.any-part: only credit makes a later file overtake, and nobody else waits for the source.
      if (!this.isExtended || this.credit.credit(outgoing.number, part.index) > 0) break;
    }
    if (outgoing.state === 'open' && outgoing.openParts === 0) {
      this.complete(outgoing);
      return false;
    }
    return isProgress;
  }

  /** Sends a packet of a part, or its end. Returns whether it did. */
  private send(outgoing: Outgoing, part: OutgoingPart): boolean {
    const { encoder } = this;
    let credit = Number.POSITIVE_INFINITY;
    if (this.isExtended) {
      credit = this.credit.credit(outgoing.number, part.index);
      const isEmpty = part.queued === 0 && (part.size === 0 || part.isOver);
      if (credit === 0 && !isEmpty) {
        this.blocked.add(outgoing);
        return false;
      }
    }
    part.pull();
    if (part.error !== undefined) {
      this.fail(outgoing, part);
      return true;
    }
    const size = Math.min(part.queued, credit, PART_BYTES);
    if (size > 0) {
      encoder.switchTo(outgoing.channel);
      if (part.index === STREAM) encoder.stream(size);
      else encoder.file(part.index, size);
      let left = size;
      while (left > 0) {
        const chunk = part.queue[0];
        if (chunk.length <= left) {
          part.queue.shift();
          left -= chunk.length;
          encoder.content(chunk);
        } else {
          encoder.content(chunk.subarray(0, left));
          part.queue[0] = chunk.subarray(left);
          left = 0;
        }
      }
      part.queued -= size;
      part.sent += size;
      outgoing.moved += size;
      this.contentBytes += size;
      if (this.isExtended) this.credit.sent(outgoing.number, part.index, size);
      part.pull();
      if (part.error !== undefined) {
        this.fail(outgoing, part);
        return true;
      }
    }
    const isWhole = part.size !== undefined && part.sent === part.size;
    if (part.queued === 0 && (part.isOver || isWhole)) {
      if (part.size !== undefined && part.sent < part.size) {
        const message = `file ${part.index} has ${part.sent} bytes instead of ${part.size}`;
        part.error = new ContentError({ kind: 'source', message });
        this.fail(outgoing, part);
        return true;
      }
      this.end(outgoing, part);
      return true;
    }
    return size > 0;
  }

  private end(outgoing: Outgoing, part: OutgoingPart): void {
    const { ending } = part;
    if (ending !== undefined && !this.isExtended) {
      // ext.status.base
      this.abort(outgoing, ending.error);
      return;
    }
    part.close();
    outgoing.openParts--;
    this.encoder.switchTo(outgoing.channel);
    if (ending !== undefined) this.encoder.status(ending.status.code, ending.status.error);
    if (part.index === STREAM) this.encoder.streamEnd();
    else this.encoder.fileEnd(part.index);
    if (this.isExtended) this.credit.end(outgoing.number, part.index);
  }

  private complete(outgoing: Outgoing): void {
    this.open.delete(outgoing.number);
    this.blocked.delete(outgoing);
    if (this.isExtended) this.credit.over(outgoing.number);
    this.freeChannel(outgoing.channel);
    this.finish(outgoing);
  }

  /** A source has failed: the message is aborted, with the extension after it was said why. */
  private fail(outgoing: Outgoing, part: OutgoingPart): void {
    this.abort(outgoing, part.error as Error, Code.InternalError);
  }

  /** Drops a message. */
  abort(outgoing: Outgoing, error: Error, code: number = Code.Cancelled): void {
    if (outgoing.state === 'queued') {
      for (const queue of [this.small, this.large]) {
        if (queue.remove(outgoing) && queue === this.small) this.answerBytes -= answerBytes(outgoing);
      }
      this.finish(outgoing, error);
      return;
    }
    if (outgoing.state !== 'open') return;
    const { encoder } = this;
    encoder.switchTo(outgoing.channel);
    if (this.isExtended) encoder.status(code, EMPTY);
    encoder.abort();
    for (const part of outgoing.parts) part.close();
    this.open.delete(outgoing.number);
    this.blocked.delete(outgoing);
    if (this.isExtended) {
      // ext.abort.free
      this.credit.over(outgoing.number);
      this.freeChannel(outgoing.channel);
    } else {
      this.retired++;
    }
    this.finish(outgoing, error);
    this.onWork();
  }

  /** Credit for a part. It goes before others (`ext.credit.named`). */
  grant(number: number): void {
    const outgoing = this.open.get(number);
    if (outgoing === undefined || outgoing.isActive) return;
    outgoing.isActive = true;
    this.blocked.delete(outgoing);
    this.active.unshift(outgoing);
    this.onWork();
  }

  /** Credit for the connection. */
  unblock(): void {
    for (const outgoing of this.blocked) this.wake(outgoing);
  }

  /**
   * The response to give up, if responses that wait for credit hold too much: that of which the peer has taken nothing
   * for longest (`ext.credit.stall`). `now` is the time in milliseconds.
   */
  stalled(now: number): Outgoing | undefined {
    let bytes = 0;
    let longest: Outgoing | undefined;
    for (const outgoing of this.blocked) {
      if (outgoing.parent === undefined) continue;
      const waiting = outgoing.parts.reduce((sum, part) => sum + part.queued, 0);
      if (outgoing.moved !== outgoing.movedBefore || waiting === 0) {
        outgoing.movedBefore = outgoing.moved;
        outgoing.stalledAt = now;
      }
      bytes += waiting;
      if (longest === undefined || outgoing.stalledAt < longest.stalledAt) longest = outgoing;
    }
    if (longest === undefined || bytes <= BLOCKED_BYTES || now - longest.stalledAt < STALL_MILLIS) return undefined;
    return longest;
  }

  /** Drops what waits for credit. */
  abandonBlocked(): void {
    for (const outgoing of [...this.blocked]) {
      if (!outgoing.isActive) this.abort(outgoing, new ContentError({ kind: 'aborted' }));
    }
  }

  /** The peer does not want a part, or a message, any more. */
  stop(number: number, part: number | undefined): void {
    const outgoing = this.open.get(number);
    if (outgoing === undefined) return;
    if (part === undefined) {
      this.abort(outgoing, new ContentError({ kind: 'refused', message: 'the receiver has stopped the message' }));
      return;
    }
    const found = outgoing.parts.find((each) => each.index === part);
    if (found === undefined || found.hasEnded) return;
    this.end(outgoing, found);
    if (outgoing.openParts === 0) this.complete(outgoing);
    else this.wake(outgoing);
    this.onWork();
  }

  /** Messages of ours that have not begun, and never will. */
  takeQueuedMessages(): Outgoing[] {
    const taken: Outgoing[] = [];
    for (const queue of [this.small, this.large]) {
      for (const outgoing of queue) {
        if (outgoing.parent === undefined) taken.push(outgoing);
      }
    }
    return taken;
  }

  /** The connection is over. */
  close(error: Error): void {
    const all = [...this.small, ...this.large, ...this.open.values()];
    this.small.clear();
    this.large.clear();
    this.active.length = 0;
    this.open.clear();
    this.blocked.clear();
    for (const outgoing of all) {
      for (const part of outgoing.parts) part.close();
      this.finish(outgoing, error);
    }
  }
}
