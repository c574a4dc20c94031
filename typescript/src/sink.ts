import type { LimitError, ProtocolError } from './errors.js';
import type { FlowEntry } from './extension/flow.js';
import type { Leave } from './extension/leave.js';
import type { Metadata } from './extension/metadata.js';
import type { Settings } from './extension/settings.js';
import type { Id } from './ids.js';

/** A header of a message or response, without its files. */
export interface Head {
  readonly channel: number;
  /** The number of the message (`ext.number`). */
  readonly number: number;
  /** The id that a response answers; a message has none. */
  readonly parent: Id | undefined;
  readonly id: Id;
  readonly action: string;
  readonly expectsReply: boolean;
  readonly hasStream: boolean;
  readonly payloadSize: number;
  readonly fileCount: number;
  readonly filesTotal: number;
}

/** Who a refused header came from, as far as it was read. */
export type Identity = Pick<Head, 'number' | 'parent' | 'id' | 'action' | 'expectsReply' | 'hasStream' | 'fileCount'>;

/** What a decoder tells. `T` is what the sink keeps for each message that is arriving. */
export interface Sink<T> {
  onHeader(channels: number, isExtended: boolean): void;
  /** A message that is whole: it has neither files nor a stream. */
  onWhole(head: Head, payload: Uint8Array): void;
  /** A message whose content follows. */
  onHead(head: Head): T;
  onFileHeader(target: T, index: number, size: number, name: string): void;
  onData(target: T, bytes: Uint8Array): void;
  onStream(target: T, bytes: Uint8Array): void;
  onStreamEnd(target: T): void;
  onFile(target: T, index: number, bytes: Uint8Array): void;
  /** `missing` are bytes that were announced and do not follow. */
  onFileEnd(target: T, index: number, missing: number): void;
  onEnd(target: T): void;
  onAbort(target: T): void;
  /** A message that is not taken. What comes of it is dropped. */
  onRefused(identity: Identity, error: LimitError | ProtocolError, target: T | undefined): void;
  /** Content of a message that is not taken. */
  onDropped(bytes: number, needsCredit: boolean): void;
  onFastReply(id: Id, code: number): void;
  onHeartbeat(): void;
  onGoAway(): void;
  /** Something harmless that nobody needs. */
  onUseless(): void;
  onSettings(settings: Settings): void;
  onMetadata(metadata: Metadata): void;
  onFlow(entries: FlowEntry[]): void;
  /** Numbers of this direction's messages. */
  onCancel(numbers: number[]): void;
  onLeave(leave: Leave): void;
  onDone(): void;
  onPing(bytes: Uint8Array): void;
  onPong(bytes: Uint8Array): void;
  onStatus(target: T, code: number, error: Uint8Array): void;
}
