/** Written by sockety-typescript from the schema of 'Nothing'. Changes belong there. */
import * as sockety from 'sockety-runtime/generated';

/** A service with nothing. */
export interface Nothing {
}

/** Calls `Nothing` through a connection, or a client that connects again. */
export class NothingClient implements Nothing {
  constructor(_peer: sockety.Peer) {}
}

/** What a service `Nothing` does. */
export interface NothingHandlers {
}

/** Handlers for the options of a server, or of a connection. */
export function nothingHandlers(service: NothingHandlers): sockety.Handlers {
  return sockety.handlers(nothingActions, service);
}

/** Calls of `Nothing` to be sent later. */
export const nothingDrafts = {};

const nothingActions = {} satisfies Record<string, sockety.Action>;
