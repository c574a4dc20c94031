import type { Connection } from './connection.js';
import type { LimitError, ProtocolError } from './errors.js';
import { type FlowEntry, STREAM } from './extension/flow.js';
import type { Leave } from './extension/leave.js';
import type { Metadata } from './extension/metadata.js';
import type { Settings } from './extension/settings.js';
import type { Arrival } from './message.js';
import type { Head, Identity, Sink } from './sink.js';

/** From events of the decoder to the connection. */
export class Events implements Sink<Arrival> {
  constructor(private readonly connection: Connection) {}
  onHeader(channels: number, isExtended: boolean): void {
    this.connection.onHeader(channels, isExtended);
  }
  onWhole(head: Head, payload: Uint8Array): void {
    this.connection.onWhole(head, payload);
  }
  onHead(head: Head): Arrival {
    return this.connection.onHead(head);
  }
  onFileHeader(target: Arrival, index: number, size: number, name: string): void {
    this.connection.onFileHeader(target, index, size, name);
  }
  onData(target: Arrival, bytes: Uint8Array): void {
    this.connection.onData(target, bytes);
  }
  onStream(target: Arrival, bytes: Uint8Array): void {
    this.connection.onPart(target, STREAM, bytes);
  }
  onStreamEnd(target: Arrival): void {
    this.connection.onPartEnd(target, STREAM, 0);
  }
  onFile(target: Arrival, index: number, bytes: Uint8Array): void {
    this.connection.onPart(target, index, bytes);
  }
  onFileEnd(target: Arrival, index: number, missing: number): void {
    this.connection.onPartEnd(target, index, missing);
  }
  onEnd(target: Arrival): void {
    this.connection.onWholeContent(target);
  }
  onAbort(target: Arrival): void {
    this.connection.onAbort(target);
  }
  onRefused(identity: Identity, error: LimitError | ProtocolError, target: Arrival | undefined): void {
    this.connection.onRefused(identity, error, target);
  }
  onDropped(bytes: number, needsCredit: boolean): void {
    this.connection.onDropped(bytes, needsCredit);
  }
  onFastReply(id: string, code: number): void {
    this.connection.onFastReply(id, code);
  }
  onHeartbeat(): void {
    this.connection.onUseless();
  }
  onGoAway(): void {
    this.connection.onGoAway();
  }
  onUseless(): void {
    this.connection.onUseless();
  }
  onSettings(settings: Settings): void {
    this.connection.onSettings(settings);
  }
  onMetadata(metadata: Metadata): void {
    this.connection.setMetadata(metadata);
  }
  onFlow(entries: FlowEntry[]): void {
    this.connection.onFlow(entries);
  }
  onCancel(numbers: number[]): void {
    this.connection.onCancel(numbers);
  }
  onLeave(leave: Leave): void {
    this.connection.onLeave(leave);
  }
  onDone(): void {
    this.connection.onDone();
  }
  onPing(bytes: Uint8Array): void {
    this.connection.onPing(bytes);
  }
  onPong(bytes: Uint8Array): void {
    this.connection.onPong(bytes);
  }
  onStatus(target: Arrival, code: number, error: Uint8Array): void {
    target.setStatus(code, error);
  }
}
