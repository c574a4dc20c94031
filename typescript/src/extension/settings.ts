import { ProtocolError } from '../errors.js';
import { type Limits, U48_MAX } from '../limits.js';
import { readUint, writeUint } from '../wire.js';

/** What a side says about itself as a receiver (`ext.settings.entries`). */
export interface Settings {
  readonly messageWindow: number;
  readonly connectionWindow: number;
  readonly channels: number;
  readonly metadataBytes: number;
  readonly payload: number;
  readonly files: number;
  readonly actionBytes: number;
  readonly headerBytes: number;
  readonly requests: number;
  readonly idleMillis: number;
  readonly deadlineMillis: number;
}

export const DEFAULT_SETTINGS: Settings = {
  messageWindow: 262_144,
  connectionWindow: 8_388_608,
  channels: 256,
  metadataBytes: 8192,
  payload: 4_194_304,
  files: 1024,
  actionBytes: 1024,
  headerBytes: 65_536,
  requests: 256,
  idleMillis: 90_000,
  deadlineMillis: 0,
};

const U32_MAX = 0xffff_ffff;

/** The names and ranges of the settings; their ids count from 1. */
const TABLE: readonly (readonly [keyof Settings, number, number])[] = [
  ['messageWindow', 4096, 2 ** 31],
  ['connectionWindow', 16_384, 2 ** 40],
  ['channels', 16, 4096],
  ['metadataBytes', 1024, 65_536],
  ['payload', 0, U48_MAX],
  ['files', 0, U32_MAX],
  ['actionBytes', 0, U32_MAX],
  ['headerBytes', 0, U32_MAX],
  ['requests', 0, U32_MAX],
  ['idleMillis', 1000, U48_MAX],
  ['deadlineMillis', 0, U32_MAX],
];

export function settingsOf(limits: Limits, idleMillis: number, deadlineMillis: number): Settings {
  return {
    messageWindow: limits.messageWindow,
    connectionWindow: limits.connectionWindow,
    channels: Math.max(16, limits.channels),
    metadataBytes: limits.metadataBytes,
    payload: limits.payload,
    files: limits.files,
    actionBytes: Math.min(limits.actionBytes, U32_MAX),
    headerBytes: Math.min(limits.headerBytes, U32_MAX),
    requests: Math.min(limits.requests, U32_MAX),
    idleMillis,
    deadlineMillis,
  };
}

export function encodeSettings(settings: Settings): Uint8Array {
  const content = new Uint8Array(1 + 7 * TABLE.length);
  let at = 1;
  TABLE.forEach(([name, least, most], place) => {
    const isNever = name === 'idleMillis' && settings[name] === 0;
    const value = isNever ? 0 : Math.min(Math.max(settings[name], least), most);
    if (value === DEFAULT_SETTINGS[name]) return;
    content[at] = place + 1;
    at = writeUint(content, at + 1, 6, value);
  });
  return content.subarray(0, at);
}

export function decodeSettings(content: Uint8Array): Settings {
  const settings: { -readonly [Name in keyof Settings]: number } = { ...DEFAULT_SETTINGS };
  if (content.length % 7 !== 0) throw new ProtocolError('ext.content.exact', 'Settings end inside an entry');
  const seen = new Set<number>();
  for (let at = 0; at < content.length; at += 7) {
    const id = content[at];
    const value = readUint(content, at + 1, 6);
    if (seen.has(id)) throw new ProtocolError('ext.settings.entries', `setting ${id} is there twice`);
    seen.add(id);
    const entry = TABLE[id - 1];
    if (entry === undefined) continue;
    const [name, least, most] = entry;
    const isNever = name === 'idleMillis' && value === 0;
    if (!isNever && (value < least || value > most)) {
      throw new ProtocolError('ext.settings.entries', `setting ${id} is ${value}: ${least} to ${most} are allowed`);
    }
    settings[name] = value;
  }
  return settings;
}
