import { isUtf8 } from 'node:buffer';

import { Body, Files } from './body.js';
import { LimitError, ProtocolError } from './errors.js';
import { decodeFlow } from './extension/flow.js';
import { decodeLeave } from './extension/leave.js';
import { MetadataReader } from './extension/metadata.js';
import { decodeSettings } from './extension/settings.js';
import { Id } from './ids.js';
import { type Limits, U48_MAX } from './limits.js';
import { Names } from './names.js';
import { PartialHead, Stage } from './partial-head.js';
import type { Head, Sink } from './sink.js';
import {
  EMPTY,
  FILE_COUNT_WIDTH,
  FILES_TOTAL_WIDTH,
  FILE_SIZE_WIDTH,
  OFFER,
  OFFER_CHANNELS,
  PACKET_LENGTH,
  PAYLOAD_WIDTH,
  readUint,
} from './wire.js';
const enum Reading {
  Header,
  Packet,
  Cut,
  Head,
  Content,
  Extension,
}

const enum After {
  Nothing,
  Metadata,
  MetadataAndSwitch,
  Status,
}

const enum Content {
  Data,
  Stream,
  File,
}

/** How much of a refused header is dropped before the connection ends, as a multiple of the limit. */
const ABUSE = 4;
const NO_NAMES = new Names([]);

/** From bytes to what they mean. Whatever breaks a rule throws a `ProtocolError`. */
export class Decoder<T> {
  private reading = Reading.Header;
  private readonly cut = Buffer.alloc(24);
  private cutLength = 0;
  private channels: number;
  private channel = 0;
  private readonly open: (PartialHead | Body<T> | undefined)[] = [];
  private openCount = 0;
  private left = 0;
  private content = Content.Data;
  private index = 0;
  private held = 0;
  private hasSwitched = false;
  private isGoingAway = false;

  private isActive = false;
  /** Whether the first byte of the next packet has to be examined. */
  private isSpecial = false;
  private isFirst = false;
  private after = After.Nothing;
  private extensionKind = 0;
  private extension: Buffer | undefined;
  private extensionAt = 0;
  private isDone = false;
  private taken = U48_MAX;
  private readonly metadata = new MetadataReader();

  /** How many messages and responses have begun. */
  begun = 0;
  private requests = 0;
  private cancels = 0;

  constructor(
    private readonly sink: Sink<T>,
    private readonly limits: Limits,
    private readonly isOffering: boolean,
    /** Actions that are expected. */
    private readonly names: Names = NO_NAMES,
  ) {
    this.channels = limits.channels;
  }

  /** Whether the input may end here. */
  get isBetweenMessages(): boolean {
    return this.reading === Reading.Packet && this.openCount === 0 && this.after === After.Nothing;
  }

  /** Whether a header, or the beginning of a packet, is incomplete. */
  get isInHeader(): boolean {
    if (this.reading === Reading.Header || this.reading === Reading.Cut) return true;
    if (this.reading === Reading.Extension || this.after !== After.Nothing) return true;
    if (this.openCount === 0) return false;
    return this.open.some((open) => open instanceof PartialHead);
  }

  /** When the oldest incomplete header began, by the counter that `age` increases. */
  age(): number {
    let oldest = 0;
    if (this.openCount > 0) {
      for (const open of this.open) {
        if (open instanceof PartialHead) oldest = Math.max(oldest, ++open.age);
      }
    }
    const isCut = this.reading === Reading.Cut || this.reading === Reading.Extension || this.after !== After.Nothing;
    this.cutAge = isCut ? this.cutAge + 1 : 0;
    return Math.max(oldest, this.cutAge);
  }
  private cutAge = 0;

  push(input: Buffer): void {
    let at = 0;
    const end = input.length;
    while (at < end) {
      switch (this.reading) {
        case Reading.Packet: {
          const first = input[at];
          if (this.isSpecial || first >= 0xf0) this.checkFirst(first);
          const length = PACKET_LENGTH[first];
          if (end - at < length) {
            this.cutLength = input.copy(this.cut, 0, at, end);
            this.reading = Reading.Cut;
            return;
          }
          at = this.onPacket(first, input, at, input, at + length);
          break;
        }
        case Reading.Content: {
          const size = Math.min(this.left, end - at);
          this.onContent(input.subarray(at, at + size));
          at += size;
          break;
        }
        case Reading.Head: {
          const size = Math.min(this.left, end - at);
          this.left -= size;
          this.onHeadPiece(input, at, at + size);
          at += size;
          break;
        }
        case Reading.Cut: {
          const first = this.cut[0];
          const length = PACKET_LENGTH[first];
          const size = Math.min(length - this.cutLength, end - at);
          input.copy(this.cut, this.cutLength, at, at + size);
          this.cutLength += size;
          at += size;
          if (this.cutLength < length) return;
          this.reading = Reading.Packet;
          at = this.onPacket(first, this.cut, 0, input, at);
          break;
        }
        case Reading.Extension: {
          const extension = this.extension as Buffer;
          const size = Math.min(extension.length - this.extensionAt, end - at);
          input.copy(extension, this.extensionAt, at, at + size);
          this.extensionAt += size;
          at += size;
          if (this.extensionAt < extension.length) return;
          this.reading = Reading.Packet;
          this.extension = undefined;
          this.onExtension(extension);
          break;
        }
        case Reading.Header:
          at = this.connectionHeader(input, at);
          break;
      }
    }
  }

  // header.form, header.count
  private connectionHeader(input: Buffer, at: number): number {
    this.cut[this.cutLength++] = input[at++];
    const first = this.cut[0];
    if (first >> 4 !== 0xe) {
      throw new ProtocolError('header.form', `the first byte is ${first}, which begins another protocol`);
    }
    const width = [0, 1, 2, 0][first & 3];
    if (this.cutLength < 1 + width) return at;
    let count = readUint(this.cut, 1, width);
    switch (first & 3) {
      case 0:
        count = 1;
        break;
      case 1:
        // header.count.wrapped
        if (count === 0) count = 256;
        break;
      case 2:
        if (count === 0 || count > 4096) {
          throw new ProtocolError('header.count.range', `a count of ${count} channels: 1 to 4096 are allowed`);
        }
        break;
      default:
        count = 4096;
    }
    if ((first & 0x0c) !== 0) this.sink.onUseless();
    const offers = OFFER.every((byte, place) => this.cutLength > place && this.cut[place] === byte);
    this.isActive = this.isOffering && offers;
    if (this.isActive) {
      this.isFirst = this.isSpecial = true;
      this.channels = Math.max(16, this.limits.channels);
    } else if (this.isOffering) {
      this.channels = OFFER_CHANNELS;
    }
    this.reading = Reading.Packet;
    this.sink.onHeader(count, this.isActive);
    return at;
  }

  /** What may begin a packet after Metadata or Status, at the beginning, and with the extension. */
  private checkFirst(first: number): void {
    const type = first >> 4;
    if (this.isFirst) {
      if (type !== 0xf || (first & 3) !== 0) {
        throw new ProtocolError('ext.settings.first', `the first packet begins with ${first} instead of Settings`);
      }
    }
    if (this.after === After.Status && type !== 0x8 && type !== 0x9) {
      throw new ProtocolError('ext.status', `a packet ${first} comes after Status`);
    }
    if (this.after === After.Metadata || this.after === After.MetadataAndSwitch) {
      const isOwner = type === 2 || type === 5 || type === 3 || type === 4;
      const isSwitch = type < 2 && this.after === After.Metadata;
      if (!isOwner && !isSwitch) throw new ProtocolError('ext.meta.place', `a packet ${first} comes after Metadata`);
    }
    if (type === 0xf) {
      if (!this.isActive) throw new ProtocolError('packet.unknown', `a packet begins with ${first}`);
      if ((first & 3) === 3) throw new ProtocolError('ext.packet.kind', `a packet begins with ${first}`);
    }
  }

  /** A packet whose fixed fields are at `at` in `bytes`. Its content is in `input` from `next` on. */
  private onPacket(first: number, bytes: Buffer, at: number, input: Buffer, next: number): number {
    const hasSwitched = this.hasSwitched;
    this.hasSwitched = false;
    if (this.after !== After.Nothing) {
      this.after = this.after === After.Metadata && first < 0x20 ? After.MetadataAndSwitch : After.Nothing;
      this.isSpecial = this.after !== After.Nothing;
    }
    switch (first >> 4) {
      case 0x0:
        this.onSwitch(first, hasSwitched);
        return next;
      case 0x1:
        // number.split
        this.onSwitch(((first & 15) << 8) | bytes[at + 1], hasSwitched);
        return next;
      case 0x2:
      case 0x5: {
        const size = readUint(bytes, at + 1, ((first >> 2) & 3) + 1);
        return this.onOpening(first, size, input, next);
      }
      case 0x3:
        this.sink.onFastReply(Id.read(bytes, at + 1), first & 15);
        return next;
      case 0x4:
        this.sink.onFastReply(Id.read(bytes, at + 2), ((first & 15) << 8) | bytes[at + 1]);
        return next;
      case 0x6:
        this.onContinue(readUint(bytes, at + 1, ((first >> 2) & 3) + 1));
        return next;
      case 0x7:
        this.onStream(readUint(bytes, at + 1, ((first >> 2) & 3) + 1));
        return next;
      case 0x8:
        this.onStreamEnd();
        return next;
      case 0x9:
        this.onAbort();
        return next;
      case 0xa:
        this.sink.onHeartbeat();
        return next;
      case 0xb:
        if (this.isGoingAway) this.sink.onUseless();
        this.isGoingAway = true;
        this.sink.onGoAway();
        return next;
      case 0xc: {
        const width = ((first >> 2) & 3) + 1;
        this.onFile(readUint(bytes, at + 1 + width, first & 3), readUint(bytes, at + 1, width));
        return next;
      }
      case 0xd:
        this.onFileEnd(readUint(bytes, at + 1, first & 3));
        return next;
      case 0xe:
        this.onData(readUint(bytes, at + 1, ((first >> 2) & 3) + 1));
        return next;
      default:
        return this.onExtensionSize(first, readUint(bytes, at + 1, ((first >> 2) & 3) + 1), input, next);
    }
  }

  private onSwitch(channel: number, hasSwitched: boolean): void {
    if (channel >= this.channels) {
      throw new ProtocolError('packet.switch.range', `channel ${channel} of ${this.channels}`);
    }
    if (hasSwitched || channel === this.channel) this.sink.onUseless();
    this.channel = channel;
    this.hasSwitched = true;
  }

  private onOpening(first: number, size: number, input: Buffer, at: number): number {
    const channel = this.channel;
    const isResponse = first >> 4 === 0x5;
    if (this.open[channel] !== undefined) {
      throw new ProtocolError('content.busy', `a message starts on channel ${channel}, which is not free`);
    }
    if (this.isDone && !isResponse) throw new ProtocolError('ext.leave.done', 'a message comes after Done');
    const number = this.begun++;
    const expectsReply = (first & 1) !== 0;
    const hasStream = (first & 2) !== 0;
    if (expectsReply) this.requests++;
    const end = at + size;
    if (size > 0 && end <= input.length) {
      const next = this.openAtOnce(isResponse, expectsReply, hasStream, number, input, at, end);
      if (next >= 0) return next;
    }
    if (size === 0) this.sink.onUseless();
    this.open[channel] = new PartialHead(isResponse, expectsReply, hasStream, number);
    this.openCount++;
    if (size > 0) {
      this.left = size;
      this.reading = Reading.Head;
    }
    return at;
  }

  /** A header that is all there, without files, and within the limits: nearly all are. Otherwise -1. */
  private openAtOnce(
    isResponse: boolean,
    expectsReply: boolean,
    hasStream: boolean,
    number: number,
    input: Buffer,
    at: number,
    end: number,
  ): number {
    const flags = input[at];
    const payloadWidth = PAYLOAD_WIDTH[flags >> 6];
    if ((flags & 0x31) !== 0 || (isResponse && (flags & 2) !== 0)) return -1;
    let parent: Id | undefined;
    let place = at + 1;
    if (isResponse) {
      if (place + 32 + payloadWidth !== end) return -1;
      parent = Id.read(input, place);
      place += 16;
    } else if (place + 17 > end) {
      return -1;
    }
    const id = Id.read(input, place);
    place += 16;
    let action = '';
    if (!isResponse) {
      let length = input[place++];
      if ((flags & 2) !== 0) length |= input[place++] << 8;
      if (length > this.limits.actionBytes || place + length + payloadWidth !== end) return -1;
      const known = this.names.find(input, place, length);
      if (known !== undefined) {
        action = known;
      } else {
        action = input.toString('utf8', place, place + length);
        if (action.includes('\ufffd') && !isUtf8(input.subarray(place, place + length))) return -1;
      }
      place += length;
    }
    const payloadSize = readUint(input, place, payloadWidth);
    if (payloadSize > this.limits.payload || end - at > this.limits.headerBytes) return -1;
    const head: Head = {
      channel: this.channel,
      number,
      parent,
      id,
      action,
      expectsReply,
      hasStream,
      payloadSize,
      fileCount: 0,
      filesTotal: 0,
    };
    if (!hasStream) {
      if (payloadSize === 0) {
        this.sink.onWhole(head, EMPTY);
        return end;
      }
      // content.data.exact
      const data = end < input.length ? input[end] : 0;
      const content = end + PACKET_LENGTH[data];
      if (data >> 4 === 0xe && content + payloadSize <= input.length) {
        if (readUint(input, end + 1, ((data >> 2) & 3) + 1) === payloadSize) {
          this.sink.onWhole(head, input.subarray(content, content + payloadSize));
          return content + payloadSize;
        }
      }
    }
    this.openCount++;
    const body = new Body<T>(head, undefined);
    this.open[this.channel] = body;
    body.target = this.sink.onHead(head);
    return end;
  }

  private onContinue(size: number): void {
    if (size === 0) this.sink.onUseless();
    const head = this.open[this.channel];
    if (!(head instanceof PartialHead)) {
      if (size === 0) return;
      const rule = head === undefined ? 'head.continue' : 'head.continue.ended';
      throw new ProtocolError(rule, `${size} bytes of a header on channel ${this.channel}, where none is incomplete`);
    }
    head.pieces++;
    const limit = this.limits.headerPieces;
    if (head.pieces > limit) {
      if (head.stage === Stage.Prefix || head.pieces > ABUSE * limit) {
        throw new ProtocolError('limits.abuse', `a header in ${head.pieces} packets: the limit is ${limit}`);
      }
      this.refuse(head, new LimitError('packets of a header', head.pieces, limit));
    }
    if (size > 0) {
      this.left = size;
      this.reading = Reading.Head;
    }
  }

  /** Bytes of the header on the current channel. */
  private onHeadPiece(input: Buffer, at: number, end: number): void {
    const head = this.open[this.channel] as PartialHead;
    if (this.left === 0) this.reading = Reading.Packet;
    while (at < end) {
      if (head.isComplete) {
        throw new ProtocolError('head.trailing', `${end - at + this.left} bytes after the end of a header`);
      }
      if (head.dropping > 0) {
        const dropped = Math.min(head.dropping, end - at);
        head.dropping -= dropped;
        head.bytes += dropped;
        at += dropped;
        if (head.dropping === 0 && head.stage === Stage.Files) this.settle(head);
        this.checkAbuse(head);
        continue;
      }
      const before = head.buffer.length;
      const used = head.fill(input, at, end, this.limits);
      this.held += head.buffer.length - before;
      if (this.held > this.limits.heldHeaderBytes) {
        const limit = this.limits.heldHeaderBytes;
        throw new ProtocolError('limits.held', `${this.held} bytes of incomplete headers: the limit is ${limit}`);
      }
      at += used;
      if (!head.hasPart) return;
      const part = head.take();
      this.held -= part.length;
      head.bytes += part.length;
      head.hasPart = false;
      if (head.stage === Stage.Files) this.onFilePart(head, part);
      else this.onPrefix(head, part);
      this.checkAbuse(head);
      this.settle(head);
    }
    if (head.isComplete && this.left > 0) {
      throw new ProtocolError('head.trailing', `${this.left} bytes after the end of a header`);
    }
  }

  private checkAbuse(head: PartialHead): void {
    const limit = this.limits.headerBytes;
    if (head.isRefused && head.bytes > ABUSE * limit) {
      throw new ProtocolError('limits.abuse', `a header of ${head.bytes} bytes or more: the limit is ${limit}`);
    }
  }

  private onPrefix(head: PartialHead, part: Buffer): void {
    let at = 0;
    const limits = this.limits;
    if (head.stage === Stage.Prefix) {
      head.flags = part[at++];
      if (head.isResponse) {
        head.parent = Id.read(part, at);
        at += 16;
      }
      head.id = Id.read(part, at);
      at += 16;
      let problem: ProtocolError | undefined;
      if (!head.isResponse) {
        const width = (head.flags & 2) !== 0 ? 2 : 1;
        const length = readUint(part, at, width);
        at += width;
        if (length > limits.actionBytes) {
          head.stage = Stage.Sizes;
          head.dropping = length;
          this.refuse(head, new LimitError('bytes of an action', length, limits.actionBytes));
          return;
        }
        const action = part.subarray(at, at + length);
        // text.utf8
        if (!isUtf8(action)) problem = new ProtocolError('text.utf8', 'the action is not UTF-8');
        else head.action = action.toString('utf8');
        at += length;
      }
      this.onSizes(head, part, at);
      if (problem !== undefined) this.refuse(head, problem);
    } else {
      this.onSizes(head, part, 0);
    }
    const { count, total } = head;
    if (!head.isRefused) {
      const error =
        head.bytes > limits.headerBytes
          ? new LimitError('bytes of a header', head.bytes, limits.headerBytes)
          : head.payload > limits.payload
            ? new LimitError('bytes of a payload', head.payload, limits.payload)
            : count > limits.files
              ? new LimitError('files of a message', count, limits.files)
              : count === 0 && total > 0
                ? new ProtocolError('head.files.sum', `the size of all files is ${total} instead of 0`)
                : undefined;
      if (error !== undefined) this.refuse(head, error);
    }
    const announced: Head = {
      channel: this.channel,
      number: head.number,
      parent: head.parent,
      id: head.id,
      action: head.action,
      expectsReply: head.expectsReply,
      hasStream: head.hasStream,
      payloadSize: head.payload,
      fileCount: count,
      filesTotal: total,
    };
    const body = new Body<T>(announced, count > 0 ? new Files(count, total, count <= limits.files) : undefined);
    body.isRefused = head.isRefused;
    head.body = body as Body<unknown>;
    head.stage = Stage.Files;
    if (!head.isRefused) body.target = this.sink.onHead(announced);
  }

  private onSizes(head: PartialHead, part: Buffer, at: number): void {
    const payloadWidth = PAYLOAD_WIDTH[head.flags >> 6];
    head.payload = readUint(part, at, payloadWidth);
    at += payloadWidth;
    const countWidth = FILE_COUNT_WIDTH[(head.flags >> 4) & 3];
    if (countWidth === 0) return;
    head.count = readUint(part, at, countWidth);
    head.total = readUint(part, at + countWidth, FILES_TOTAL_WIDTH[(head.flags >> 2) & 3]);
  }

  private onFilePart(head: PartialHead, part: Buffer): void {
    const limits = this.limits;
    const body = head.body as Body<T>;
    const files = body.files as Files;
    const sizeWidth = FILE_SIZE_WIDTH[(part[0] >> 2) & 3];
    const nameWidth = (part[0] & 2) !== 0 ? 2 : 1;
    const size = readUint(part, 1, sizeWidth);
    const length = readUint(part, 1 + sizeWidth, nameWidth);
    const start = 1 + sizeWidth + nameWidth;
    const isTooLong = part.length - start < length;
    if (isTooLong) head.dropping = length;
    const index = files.onHeader(size);
    if (head.isRefused) return;
    const name = part.subarray(start);
    const error =
      head.bytes > limits.headerBytes
        ? new LimitError('bytes of a header', head.bytes, limits.headerBytes)
        : size > limits.fileSize
          ? new LimitError('bytes of a file', size, limits.fileSize)
          : files.mismatch();
    if (error !== undefined) this.refuse(head, error);
    else if (isTooLong) this.refuse(head, new LimitError("bytes of a file's name", length, limits.fileNameBytes));
    else if (!isUtf8(name)) this.refuse(head, new ProtocolError('text.utf8', `the name of file ${index} is not UTF-8`));
    else this.sink.onFileHeader(body.target as T, index, size, name.toString('utf8'));
  }

  private refuse(head: PartialHead, error: LimitError | ProtocolError): void {
    if (head.isRefused) return;
    head.isRefused = true;
    const body = head.body as Body<T> | undefined;
    if (body !== undefined) body.isRefused = true;
    this.sink.onRefused(
      {
        number: head.number,
        parent: head.parent,
        id: head.id,
        action: head.action,
        expectsReply: head.expectsReply,
        hasStream: head.hasStream,
        fileCount: head.count,
      },
      error,
      body?.target,
    );
  }

  /** Makes a body of a header that is complete. */
  private settle(head: PartialHead): void {
    const body = head.body as Body<T> | undefined;
    if (head.stage !== Stage.Files || body === undefined || head.dropping > 0) return;
    if (body.files !== undefined && body.files.headers < body.files.count) return;
    head.isComplete = true;
    this.open[this.channel] = body;
    this.endIfDone(body);
  }

  private body(): Body<T> | undefined {
    const open = this.open[this.channel];
    if (open instanceof PartialHead) return open.body as Body<T> | undefined;
    return open;
  }

  private onData(size: number): void {
    if (size === 0) return this.sink.onUseless();
    const body = this.body();
    if (body === undefined || size > body.payload) {
      const rule = body !== undefined && body.head.payloadSize > 0 && body.payload > 0 ? 'content.data.exact' : 'content.data.announced';
      throw new ProtocolError(rule, `${size} bytes of payload on channel ${this.channel}, where ${body?.payload ?? 0} are to come`);
    }
    body.payload -= size;
    this.content = Content.Data;
    this.left = size;
    this.reading = Reading.Content;
  }

  private onStream(size: number): void {
    if (size === 0) return this.sink.onUseless();
    this.streaming();
    this.content = Content.Stream;
    this.left = size;
    this.reading = Reading.Content;
  }

  private streaming(): Body<T> {
    const body = this.body();
    if (body === undefined || !body.head.hasStream) {
      throw new ProtocolError('content.stream.announced', `a stream on channel ${this.channel}, where none was announced`);
    }
    if (!body.isStreaming) {
      throw new ProtocolError('content.stream.once', `a stream on channel ${this.channel} after its end`);
    }
    return body;
  }

  private onStreamEnd(): void {
    const body = this.streaming();
    body.isStreaming = false;
    if (!body.isRefused) this.sink.onStreamEnd(body.target as T);
    this.endIfDone(body);
  }

  private files(index: number): Files {
    const files = this.body()?.files;
    if (files === undefined || index >= files.count) {
      throw new ProtocolError('content.file.index', `file ${index} of ${files?.count ?? 0} on channel ${this.channel}`);
    }
    if (index >= files.headers) {
      throw new ProtocolError('content.file.header', `content of file ${index} before its header`);
    }
    return files;
  }

  private onFile(index: number, size: number): void {
    if (size === 0) return this.sink.onUseless();
    const files = this.files(index);
    const body = this.body() as Body<T>;
    if (!files.onContent(index, size) && !body.isRefused) {
      body.isRefused = true;
      const open = this.open[this.channel];
      if (open instanceof PartialHead) open.isRefused = true;
      this.sink.onRefused(body.head, new ProtocolError('content.file.size', `file ${index} is larger than announced`), body.target);
    }
    this.content = Content.File;
    this.index = index;
    this.left = size;
    this.reading = Reading.Content;
  }

  private onFileEnd(index: number): void {
    const missing = this.files(index).onEnd(index);
    const body = this.body() as Body<T>;
    if (!body.isRefused) this.sink.onFileEnd(body.target as T, index, missing);
    this.endIfDone(body);
  }

  private onContent(bytes: Buffer): void {
    const body = this.body() as Body<T>;
    this.left -= bytes.length;
    if (this.left === 0) this.reading = Reading.Packet;
    if (body.isRefused) {
      this.sink.onDropped(bytes.length, this.content !== Content.Data);
    } else if (this.content === Content.Data) {
      this.sink.onData(body.target as T, bytes);
    } else if (this.content === Content.Stream) {
      this.sink.onStream(body.target as T, bytes);
    } else {
      this.sink.onFile(body.target as T, this.index, bytes);
    }
    if (this.left === 0) this.endIfDone(body);
  }

  /** content.end */
  private endIfDone(body: Body<T>): void {
    if (this.open[this.channel] !== body) return;
    if (body.payload > 0 || body.isStreaming) return;
    if (body.files !== undefined && body.files.ended < body.files.count) return;
    if (this.reading === Reading.Content && this.left > 0) return;
    this.open[this.channel] = undefined;
    this.openCount--;
    if (!body.isRefused) this.sink.onEnd(body.target as T);
  }

  private onAbort(): void {
    const open = this.open[this.channel];
    if (open === undefined) return this.sink.onUseless();
    const body = this.body();
    if (open instanceof PartialHead) this.held -= open.buffer.length;
    this.open[this.channel] = undefined;
    this.openCount--;
    if (body === undefined || body.isRefused) this.sink.onUseless();
    else this.sink.onAbort(body.target as T);
  }

  /** Drops what still comes of the message on a channel. */
  drop(head: Head): void {
    const open = this.open[head.channel];
    const body = open instanceof PartialHead ? open.body : open;
    if (body === undefined || body.head.number !== head.number) return;
    body.isRefused = true;
    if (open instanceof PartialHead) open.isRefused = true;
  }

  private onExtensionSize(first: number, size: number, input: Buffer, at: number): number {
    const kind = first & 3;
    const limit = kind === 0 ? 8192 : kind === 2 ? 4096 : this.limits.metadataBytes;
    if (size > limit) throw new ProtocolError('ext.packet.bound', `content of ${size} bytes: the limit is ${limit}`);
    if (size === 0) {
      if (this.isFirst) throw new ProtocolError('ext.settings.first', 'the first packet is empty');
      this.sink.onUseless();
      return at;
    }
    this.extensionKind = kind;
    if (at + size <= input.length) {
      this.onExtension(input.subarray(at, at + size));
      return at + size;
    }
    this.extension = Buffer.allocUnsafe(size);
    this.extensionAt = 0;
    this.reading = Reading.Extension;
    return at;
  }

  private onExtension(content: Buffer): void {
    const isFirst = this.isFirst;
    this.isFirst = this.isSpecial = false;
    switch (this.extensionKind) {
      case 1:
        this.after = After.Metadata;
        this.isSpecial = true;
        this.sink.onMetadata(this.metadata.decode(content));
        return;
      case 2:
        this.sink.onFlow(decodeFlow(content));
        return;
      default:
        this.onControl(content, isFirst);
    }
  }

  private onControl(content: Buffer, isFirst: boolean): void {
    const kind = content[0];
    const rest = content.subarray(1);
    if (isFirst !== (kind === 0)) {
      const what = isFirst ? `the first packet is of kind ${kind} instead of Settings` : 'Settings come again';
      throw new ProtocolError('ext.settings.first', what);
    }
    switch (kind) {
      case 0:
        this.sink.onSettings(decodeSettings(rest));
        return;
      case 1:
        this.onCancel(rest);
        return;
      case 2: {
        const leave = decodeLeave(rest);
        const taken = leave.taken ?? U48_MAX;
        if (taken > this.taken) {
          throw new ProtocolError('ext.leave.taken', `${taken} messages are taken, and were ${this.taken} before`);
        }
        this.taken = taken;
        this.sink.onLeave(leave);
        return;
      }
      case 3:
        if (rest.length > 0) throw malformed('Done');
        this.isDone = true;
        this.sink.onDone();
        return;
      case 4:
      case 5:
        if (rest.length !== 8) throw malformed(kind === 4 ? 'Ping' : 'Pong');
        if (kind === 4) this.sink.onPing(Uint8Array.from(rest));
        else this.sink.onPong(Uint8Array.from(rest));
        return;
      case 6: {
        const open = this.open[this.channel];
        if (open === undefined) {
          throw new ProtocolError('ext.status', `a Status on channel ${this.channel}, where no message is in progress`);
        }
        if (rest.length < 2 || rest.length > 2 + 4096 || readUint(rest, 0, 2) > 4095) throw malformed('Status');
        this.after = After.Status;
        this.isSpecial = true;
        const body = this.body();
        if (body !== undefined && !body.isRefused) {
          this.sink.onStatus(body.target as T, readUint(rest, 0, 2), Uint8Array.from(rest.subarray(2)));
        }
        return;
      }
      default:
        if (kind >= 128) throw new ProtocolError('ext.control.unknown', `a Control packet of kind ${kind}`);
        this.sink.onUseless();
    }
  }

  private onCancel(content: Buffer): void {
    if (content.length === 0 || content.length % 4 !== 0) throw malformed('Cancel');
    const numbers: number[] = [];
    for (let at = 0; at < content.length; at += 4) numbers.push(numberBelow(content.readUInt32LE(at), this.begun));
    this.cancels += numbers.length;
    if (this.cancels > this.requests) {
      throw new ProtocolError('ext.cancel.count', `${this.cancels} cancels for ${this.requests} requests`);
    }
    this.sink.onCancel(numbers);
  }
}

/** The largest number below `count` that has these low 32 bits (`ext.number.short`). */
export function numberBelow(low: number, count: number): number {
  let number = Math.floor(count / 2 ** 32) * 2 ** 32 + low;
  if (number >= count) number -= 2 ** 32;
  if (number < 0) throw new ProtocolError('ext.number.unknown', `message ${low} has not begun`);
  return number;
}

export function malformed(packet: string): ProtocolError {
  return new ProtocolError('ext.content.exact', `the content of a ${packet} packet is malformed`);
}
