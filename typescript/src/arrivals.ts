import { Code } from './codes.js';
import type { Connection } from './connection.js';
import { type CallReason, ContentError, LimitError, ProtocolError } from './errors.js';
import { STREAM } from './extension/flow.js';
import type { Metadata } from './extension/metadata.js';
import { Bucket, type Id } from './ids.js';
import { IncomingFile, refusedContent } from './intake.js';
import { type Arrival, FastReply, IncomingMessage, Response } from './message.js';
import type { Head, Identity } from './sink.js';

/** Messages and responses that arrive: their payloads and content, and what is refused of them. */
export class Arrivals {
  readonly arriving = new Set<Arrival>();
  private metadata: Metadata | undefined;
  private heldPayload = 0;
  private readonly refusals = new Bucket(4096, 512);

  constructor(private readonly connection: Connection) {}

  /** Metadata of the packet that follows. */
  setMetadata(metadata: Metadata): void {
    this.metadata = metadata;
  }

  private takeMetadata(): Metadata | undefined {
    const { metadata } = this;
    this.metadata = undefined;
    return metadata;
  }

  onWhole(head: Head, payload: Uint8Array): void {
    const { connection } = this;
    const metadata = this.metadata === undefined ? undefined : this.takeMetadata();
    if (head.parent !== undefined) {
      const pending = connection.calls.pending.get(head.parent);
      if (pending === undefined) return;
      const response = new Response(connection, head, metadata, connection.credit.readers);
      response.setPayload(payload);
      response.isBegun = response.isWhole = true;
      pending.onReply({ kind: 'response', response });
      return;
    }
    if (head.number >= connection.leaving.taken) return;
    const message = new IncomingMessage(connection, head, metadata, connection.credit.readers);
    message.setPayload(payload);
    message.isWhole = true;
    connection.serving.dispatch(message);
  }

  onHead(head: Head): Arrival {
    const { connection } = this;
    const metadata = this.metadata === undefined ? undefined : this.takeMetadata();
    if (connection.isExtended) connection.credit.receiving.begin(head.number, head.hasStream, head.fileCount, head.filesTotal);
    let arrival: Arrival;
    if (head.parent !== undefined) {
      arrival = new Response(connection, head, metadata, connection.credit.readers);
      const pending = connection.calls.pending.get(head.parent);
      if (pending === undefined) this.dropContent(arrival);
      else pending.hasReply = true;
    } else {
      const message = new IncomingMessage(connection, head, metadata, connection.credit.readers);
      if (head.number >= connection.leaving.taken) this.dropContent(message);
      else connection.serving.setDeadline(message);
      if (head.expectsReply) connection.serving.incoming.set(head.number, message);
      arrival = message;
    }
    this.arriving.add(arrival);
    arrival.touched = connection.reading.readAt;
    if (head.payloadSize === 0 && head.fileCount === 0) this.beginArrival(arrival);
    return arrival;
  }

  /** Nobody will read the content of a message any more. With the extension, one that is refused is stopped as a whole. */
  dropContent(arrival: Arrival, isRefused = true): void {
    const { connection } = this;
    if (arrival.isDiscarded) return;
    this.heldPayload -= arrival.heldPayload;
    arrival.dropPayload();
    if (!arrival.head.hasStream && arrival.head.fileCount === 0) return;
    if (connection.isExtended && isRefused && !arrival.isWhole) {
      connection.credit.receiving.stopMessage(arrival.head.number);
      connection.credit.isDue();
    }
    for (const file of arrival.files) file.discard();
    arrival.stream?.discard();
    if (connection.reading.pausedAt > 0) connection.reading.checkUnread();
  }

  onFileHeader(arrival: Arrival, index: number, size: number, name: string): void {
    const file = new IncomingFile(this.connection.credit.readers, arrival.head.number, index, name, size);
    arrival.addFile(file);
    if (arrival.isDiscarded) file.discard();
    if (arrival.files.length === arrival.head.fileCount && arrival.payloadLeft === 0) this.beginArrival(arrival);
  }

  onData(arrival: Arrival, bytes: Uint8Array): void {
    arrival.touched = this.connection.reading.readAt;
    if (arrival.isDiscarded) return;
    const before = arrival.heldPayload;
    arrival.addPayload(bytes);
    this.heldPayload += arrival.heldPayload - before;
    const limit = this.connection.options.limits.heldPayloadBytes;
    if (this.heldPayload > limit) {
      this.refuseArrival(arrival, new LimitError('bytes of incomplete payloads', this.heldPayload, limit), Code.TooLarge);
      return;
    }
    if (arrival.payloadLeft === 0 && arrival.files.length === arrival.head.fileCount) this.beginArrival(arrival);
  }

  onPart(arrival: Arrival, part: number, bytes: Uint8Array): void {
    const { connection } = this;
    arrival.touched = connection.reading.readAt;
    if (connection.isExtended) {
      const isKept = connection.credit.receiving.received(arrival.head.number, part, bytes.length);
      connection.credit.isDue();
      if (!isKept) return;
    }
    const target = part === STREAM ? arrival.stream : arrival.files[part];
    target?.push(bytes);
  }

  onPartEnd(arrival: Arrival, part: number, missing: number): void {
    const { connection } = this;
    arrival.touched = connection.reading.readAt;
    if (connection.isExtended) {
      connection.credit.receiving.end(arrival.head.number, part);
      connection.credit.isDue();
    }
    if (part === STREAM) arrival.endStream();
    else if (missing > 0) arrival.files[part].failAfterRest(new ContentError({ kind: 'short', missing }));
    else arrival.files[part].end();
  }

  onWholeContent(arrival: Arrival): void {
    arrival.isWhole = true;
    if (arrival.unread === 0) this.arriving.delete(arrival);
    this.connection.serving.settle(arrival);
  }

  onAbort(arrival: Arrival): void {
    const { connection } = this;
    this.arriving.delete(arrival);
    this.heldPayload -= arrival.heldPayload;
    arrival.dropPayload();
    arrival.isWhole = true;
    if (connection.isExtended) {
      connection.credit.receiving.over(arrival.head.number);
      connection.credit.isDue();
    }
    arrival.abortContent();
    if (arrival instanceof Response) {
      if (!arrival.isBegun) this.failPending(arrival, new ContentError({ kind: 'aborted' }));
    } else if (arrival instanceof IncomingMessage) {
      if (!arrival.isBegun) {
        // ext.cancel.answer
        if (connection.isExtended && !arrival.isAnswered) connection.serving.sendFastReply(arrival, new FastReply(Code.NotBegun));
        connection.serving.end(arrival);
      } else {
        arrival.isEndedEarly = arrival.isRunning;
        arrival.cancel(new ContentError({ kind: 'aborted' }));
      }
      connection.serving.settle(arrival);
    }
  }

  private failPending(response: Response, error: Error): void {
    this.connection.calls.answered(response)?.fail({ kind: 'content', error }, 'executed');
  }

  onRefused(identity: Identity, error: LimitError | ProtocolError, arrival: Arrival | undefined): void {
    const { connection } = this;
    if (arrival === undefined) this.takeMetadata();
    if (this.refusals.add()) {
      throw new ProtocolError('limits.abuse', `too many messages are refused, the last as ${error.message}`);
    }
    if (connection.isExtended && (identity.hasStream || identity.fileCount > 0)) {
      connection.credit.stops.push({ kind: 'stop', number: identity.number % 2 ** 32, part: undefined });
      connection.credit.receiving.over(identity.number);
      connection.writing.schedule();
    }
    if (arrival !== undefined) {
      this.arriving.delete(arrival);
      this.heldPayload -= arrival.heldPayload;
      arrival.dropPayload();
      arrival.isWhole = true;
      arrival.failContent(refusedContent(error));
    }
    if (identity.parent !== undefined) {
      if (arrival === undefined || !arrival.isBegun) {
        const reason: CallReason = error instanceof LimitError ? { kind: 'limit', error } : { kind: 'content', error };
        connection.calls.pending.get(identity.parent)?.fail(reason, 'executed');
      }
      return;
    }
    if (arrival?.isBegun === true) {
      connection.serving.settle(arrival);
      return;
    }
    if (arrival !== undefined) connection.serving.incoming.delete(identity.number);
    if (identity.expectsReply && arrival?.isAnswered !== true && identity.number < connection.leaving.taken) {
      connection.sender.encoder.fastReply(identity.id, error instanceof LimitError ? Code.TooLarge : Code.BadHeader);
      connection.writing.schedule();
    }
  }

  /** Gives up a message that is arriving. */
  refuseArrival(arrival: Arrival, error: LimitError | ProtocolError, code: number): void {
    const { connection } = this;
    connection.decoder.drop(arrival.head);
    this.arriving.delete(arrival);
    this.heldPayload -= arrival.heldPayload;
    arrival.dropPayload();
    arrival.isWhole = true;
    arrival.failContent(code === Code.SlowConsumer ? new ContentError({ kind: 'slow' }) : refusedContent(error));
    if (connection.isExtended) connection.credit.receiving.over(arrival.head.number);
    if (arrival instanceof Response) {
      if (!arrival.isBegun) this.failPending(arrival, error);
    } else if (arrival instanceof IncomingMessage) {
      if (!arrival.isBegun) {
        if (!arrival.isAnswered) connection.serving.sendFastReply(arrival, new FastReply(code));
        connection.serving.end(arrival);
      }
      connection.serving.settle(arrival);
    }
    if (connection.reading.pausedAt > 0) connection.reading.checkUnread();
  }

  onDropped(bytes: number, needsCredit: boolean): void {
    const { connection } = this;
    if (connection.isExtended && needsCredit) {
      connection.credit.receiving.dropped(bytes);
      connection.credit.isDue();
    }
  }

  onFastReply(id: Id, code: number): void {
    const metadata = this.metadata === undefined ? undefined : this.takeMetadata();
    this.connection.calls.pending.get(id)?.onReply({ kind: 'code', code, retryAfter: metadata?.retryAfter });
  }

  private beginArrival(arrival: Arrival): void {
    const { connection } = this;
    arrival.isBegun = true;
    if (arrival.isDiscarded) return connection.serving.settle(arrival);
    if (arrival instanceof Response) {
      const pending = connection.calls.answered(arrival);
      if (pending === undefined) this.dropContent(arrival);
      else pending.onReply({ kind: 'response', response: arrival });
    } else {
      connection.serving.dispatch(arrival as IncomingMessage);
    }
  }
}
