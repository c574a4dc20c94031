/** What is accepted from a peer. The defaults are safe for a peer that nobody knows. */
export interface Limits {
  /** Channels that this side receives on, 1 to 4,096. Default 256. */
  readonly channels: number;
  /** Bytes of an action. Default 1,024. */
  readonly actionBytes: number;
  /** Bytes of one header, file headers included. Default 65,536. */
  readonly headerBytes: number;
  /** Packets of one header. Default 256. */
  readonly headerPieces: number;
  /** Bytes of incomplete headers on all channels. Default 1 MiB. */
  readonly heldHeaderBytes: number;
  /** Bytes of a payload. Default 4 MiB. */
  readonly payload: number;
  /**
   * Bytes of incomplete payloads on all channels, and of the replies to one request that nobody has taken, if there are
   * several. Default 64 MiB.
   */
  readonly heldPayloadBytes: number;
  /** Files of a message. Default 1,024. */
  readonly files: number;
  /** Bytes of a file's name. Default 255. */
  readonly fileNameBytes: number;
  /** Bytes of a file. Default 2^48 - 1. */
  readonly fileSize: number;
  /** Bytes of the content of a Metadata packet, 1,024 to 65,536. Default 8,192. */
  readonly metadataBytes: number;
  /** Requests that are executed at a time. Default 256. */
  readonly requests: number;
  /** Bytes of a message's files and stream that wait for their readers. Default 262,144. */
  readonly messageWindow: number;
  /**
   * What that grows to, with the extension, while readers are faster than the peer learns of it. No more than
   * `messageWindow` for none. Default 4 MiB.
   */
  readonly messageWindowMax: number;
  /** The bytes of all messages of a connection that wait for their readers. Default 8 MiB. */
  readonly connectionWindow: number;
  /** Values in one MessagePack payload. Default 100,000. */
  readonly msgpackValues: number;
  /** How deep values of a MessagePack payload may be nested. Default 128. */
  readonly msgpackDepth: number;
}

export const U48_MAX = 0xffff_ffff_ffff;

export const DEFAULT_LIMITS: Limits = {
  channels: 256,
  actionBytes: 1024,
  headerBytes: 64 * 1024,
  headerPieces: 256,
  heldHeaderBytes: 1024 * 1024,
  payload: 4 * 1024 * 1024,
  heldPayloadBytes: 64 * 1024 * 1024,
  files: 1024,
  fileNameBytes: 255,
  fileSize: U48_MAX,
  metadataBytes: 8192,
  requests: 256,
  messageWindow: 256 * 1024,
  messageWindowMax: 4 * 1024 * 1024,
  connectionWindow: 8 * 1024 * 1024,
  msgpackValues: 100_000,
  msgpackDepth: 128,
};

/** Limits with defaults for what is missing, each brought into its range. */
export function limitsWith(some: Partial<Limits> = {}): Limits {
  const limits = { ...DEFAULT_LIMITS, ...some };
  return {
    ...limits,
    channels: clamp(limits.channels, 1, 4096),
    metadataBytes: clamp(limits.metadataBytes, 1024, 65_536),
    payload: clamp(limits.payload, 0, U48_MAX),
    files: clamp(limits.files, 0, 0xff_ffff),
    messageWindow: clamp(limits.messageWindow, 4096, 2 ** 31),
    messageWindowMax: clamp(limits.messageWindowMax, 0, 2 ** 31),
    connectionWindow: clamp(limits.connectionWindow, 16_384, 2 ** 40),
  };
}

export function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(Math.floor(value), least), most);
}
