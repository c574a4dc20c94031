import { isUtf8 } from 'node:buffer';

import { ProtocolError } from '../errors.js';
import { U48_MAX } from '../limits.js';
import { readUint, writeUint } from '../wire.js';

/** Why a side leaves a connection. */
export const LeaveReason = {
  Shutdown: 0,
  Age: 1,
  Idle: 2,
  Protocol: 3,
  Limit: 4,
  Overloaded: 5,
  Unauthorized: 6,
  Internal: 7,
  LameDuck: 8,
} as const;

/** What a side says before it ends a connection (`ext.leave`). */
export interface Leave {
  /** How many messages of the other side were taken; `undefined` while that is open. */
  readonly taken: number | undefined;
  readonly reason: number;
  /** For how long its sender goes on, in milliseconds. */
  readonly graceMillis: number;
  readonly retryAfterMillis: number;
  readonly text: string;
}

export function decodeLeave(content: Buffer): Leave {
  const text = content.subarray(15);
  if (content.length < 15 || text.length > 200 || !isUtf8(text)) {
    throw new ProtocolError('ext.content.exact', 'the content of a Leave packet is malformed');
  }
  const taken = readUint(content, 0, 6);
  return {
    taken: taken === U48_MAX ? undefined : taken,
    reason: content[6] <= LeaveReason.LameDuck ? content[6] : LeaveReason.Shutdown,
    graceMillis: readUint(content, 7, 4),
    retryAfterMillis: readUint(content, 11, 4),
    text: text.toString('utf8'),
  };
}

export function encodeLeave(leave: Leave): Uint8Array {
  let text = leave.text;
  while (Buffer.byteLength(text) > 200) text = [...text].slice(0, -1).join('');
  const content = Buffer.alloc(16 + Buffer.byteLength(text));
  content[0] = 2;
  writeUint(content, 1, 6, leave.taken ?? U48_MAX);
  content[7] = leave.reason;
  writeUint(content, 8, 4, leave.graceMillis);
  writeUint(content, 12, 4, leave.retryAfterMillis);
  content.write(text, 16, 'utf8');
  return content;
}
