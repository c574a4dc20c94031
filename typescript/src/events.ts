import type { Connection } from './connection.js';
import type { LimitError, ProtocolError } from './errors.js';
import { type FlowEntry, STREAM } from './extension/flow.js';
import type { Leave } from './extension/leave.js';
import type { Metadata } from './extension/metadata.js';
import type { Settings } from './extension/settings.js';
import type { Id } from './ids.js';
import type { Arrival } from './message.js';
import type { Head, Identity, Sink } from './sink.js';

/** From events of the decoder to what handles them. */
export class Events implements Sink<Arrival> {
  constructor(private readonly connection: Connection) {}
  onHeader(channels: number, isExtended: boolean): void {
    this.connection.onHeader(channels, isExtended);
  }
  onWhole(head: Head, payload: Uint8Array): void {
    this.connection.arrivals.onWhole(head, payload);
  }
  onHead(head: Head): Arrival {
    return this.connection.arrivals.onHead(head);
  }
  onFileHeader(target: Arrival, index: number, size: number, name: string): void {
    this.connection.arrivals.onFileHeader(target, index, size, name);
  }
  onData(target: Arrival, bytes: Uint8Array): void {
    this.connection.arrivals.onData(target, bytes);
  }
  onStream(target: Arrival, bytes: Uint8Array): void {
    this.connection.arrivals.onPart(target, STREAM, bytes);
  }
  onStreamEnd(target: Arrival): void {
    this.connection.arrivals.onPartEnd(target, STREAM, 0);
  }
  onFile(target: Arrival, index: number, bytes: Uint8Array): void {
    this.connection.arrivals.onPart(target, index, bytes);
  }
  onFileEnd(target: Arrival, index: number, missing: number): void {
    this.connection.arrivals.onPartEnd(target, index, missing);
  }
  onEnd(target: Arrival): void {
    this.connection.arrivals.onWholeContent(target);
  }
  onAbort(target: Arrival): void {
    this.connection.arrivals.onAbort(target);
  }
  onRefused(identity: Identity, error: LimitError | ProtocolError, target: Arrival | undefined): void {
    this.connection.arrivals.onRefused(identity, error, target);
  }
  onDropped(bytes: number, needsCredit: boolean): void {
    this.connection.arrivals.onDropped(bytes, needsCredit);
  }
  onFastReply(id: Id, code: number): void {
    this.connection.arrivals.onFastReply(id, code);
  }
  onHeartbeat(): void {
    this.connection.reading.onUseless();
  }
  onGoAway(): void {
    this.connection.leaving.onGoAway();
  }
  onUseless(): void {
    this.connection.reading.onUseless();
  }
  onSettings(settings: Settings): void {
    this.connection.onSettings(settings);
  }
  onMetadata(metadata: Metadata): void {
    this.connection.arrivals.setMetadata(metadata);
  }
  onFlow(entries: FlowEntry[]): void {
    this.connection.credit.onFlow(entries);
  }
  onCancel(numbers: number[]): void {
    this.connection.serving.onCancel(numbers);
  }
  onLeave(leave: Leave): void {
    this.connection.leaving.onLeave(leave);
  }
  onDone(): void {
    this.connection.leaving.onDone();
  }
  onPing(bytes: Uint8Array): void {
    this.connection.pings.onPing(bytes);
  }
  onPong(bytes: Uint8Array): void {
    this.connection.pings.onPong(bytes);
  }
  onStatus(target: Arrival, code: number, error: Uint8Array): void {
    target.setStatus(code, error);
  }
}
