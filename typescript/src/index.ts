export type { Address } from './address.js';
export { ALPN, Client, type ConnectOptions, type ReconnectOptions, connect, replyValue } from './client.js';
export { Code, MAX_CODE } from './codes.js';
export type { Connection } from './connection.js';
export {
  CallError,
  type CallReason,
  type CloseReason,
  ConnectError,
  ContentError,
  LimitError,
  type Outcome,
  ProtocolError,
  Refusal,
  ServiceError,
  StreamError,
  type StreamReason,
  isCallError,
} from './errors.js';
export { type Leave, LeaveReason } from './extension/leave.js';
export type { MetadataEntry, Trace } from './extension/metadata.js';
export { type FileSource, type Source, fileFromPath } from './files.js';
export type { IncomingFile, IncomingPart, IncomingStream } from './intake.js';
export type { Limits } from './limits.js';
export {
  FastReply,
  type Handler,
  type Handlers,
  type IncomingMessage,
  type MessageContent,
  type MetadataInit,
  type Reply,
  Respond,
  type Response,
  fastReply,
  respond,
} from './message.js';
export { DecodeError, type Int64, Msgpack, type MsgpackBounds } from './msgpack.js';
export type { ConnectionOptions } from './options.js';
export type { CallOptions, NotifyOptions, Request, RequestOptions } from './request.js';
export { type ListenAddress, Server, type ServerOptions, listen } from './server.js';
