/** Written by sockety-typescript from the schema of 'Visitor'. Changes belong there. */
import * as sockety from 'sockety-runtime/generated';

/** What a client does for the store, over the same connection. */
export interface Visitor {
  /** The name with which changes are announced. */
  name(options?: sockety.Options): Promise<string>;
}

/** Calls `Visitor` through a connection, or a client that connects again. */
export class VisitorClient implements Visitor {
  readonly #peer: sockety.Peer;

  constructor(peer: sockety.Peer) {
    this.#peer = peer;
  }

  name(options?: sockety.Options): Promise<string> {
    return sockety.call(this.#peer, visitorActions.name, [], options);
  }
}

/** What a service `Visitor` does. */
export interface VisitorHandlers {
  /** The name with which changes are announced. */
  name(message: sockety.IncomingMessage): sockety.Result<string>;
}

/** Handlers for the options of a server, or of a connection. */
export function visitorHandlers(service: VisitorHandlers): sockety.Handlers {
  return sockety.handlers(visitorActions, service);
}

/** Calls of `Visitor` to be sent later. */
export const visitorDrafts = {
  name: (): sockety.Draft<string> =>
    sockety.draft(visitorActions.name, []),
};

const visitorActions = {
  name: {
    name: 'visitor.name',
    timeout: 2000,
    parameters: [],
    returns: [{ kind: 'payload', check: sockety.text }],
  },
} satisfies Record<string, sockety.Action>;
