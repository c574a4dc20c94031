/** Written by sockety-typescript from the schema of 'Words'. Changes belong there. */
import * as sockety from 'sockety-runtime/generated';

/** Names that mean something else in TypeScript. */
export interface Date2 {
  'it\'s "odd"': number;
  '1': number;
  class: number;
}

/** The service `Words`. */
export interface Words {
  constructor2(new2: number, options?: sockety.Options): Promise<void>;
  delete2(class2: Date2, options2: number, message2: number, options?: sockety.Options): Promise<Date2>;
  then2(textOfIt: string, options?: sockety.Options): Promise<void>;
}

/** Calls `Words` through a connection, or a client that connects again. */
export class WordsClient implements Words {
  readonly #peer: sockety.Peer;

  constructor(peer: sockety.Peer) {
    this.#peer = peer;
  }

  constructor2(new2: number, options?: sockety.Options): Promise<void> {
    return sockety.call(this.#peer, wordsActions.constructor2, [new2], options);
  }

  delete2(class2: Date2, options2: number, message2: number, options?: sockety.Options): Promise<Date2> {
    return sockety.call(this.#peer, wordsActions.delete2, [class2, options2, message2], options);
  }

  then2(textOfIt: string, options?: sockety.Options): Promise<void> {
    return sockety.call(this.#peer, wordsActions.then2, [textOfIt], options);
  }
}

/** What a service `Words` does. */
export interface WordsHandlers {
  constructor2(new2: number, message: sockety.IncomingMessage): sockety.Result<void>;
  delete2(class2: Date2, options2: number, message2: number, message: sockety.IncomingMessage): sockety.Result<Date2>;
  then2(textOfIt: string, message: sockety.IncomingMessage): sockety.Result<void>;
}

/** Handlers for the options of a server, or of a connection. */
export function wordsHandlers(service: WordsHandlers): sockety.Handlers {
  return sockety.handlers(wordsActions, service);
}

/** Calls of `Words` to be sent later. */
export const wordsDrafts = {
  constructor2: (new2: number): sockety.Draft<void> =>
    sockety.draft(wordsActions.constructor2, [new2]),
  delete2: (class2: Date2, options2: number, message2: number): sockety.Draft<Date2> =>
    sockety.draft(wordsActions.delete2, [class2, options2, message2]),
  then2: (textOfIt: string): sockety.Draft<void> =>
    sockety.draft(wordsActions.then2, [textOfIt]),
};

/** Whether a value is of the type `Date2`. */
export const isDate2: sockety.Check<Date2> = sockety.struct({ 'it\'s "odd"': sockety.u8, '1': sockety.u8, class: sockety.u8 });

const wordsActions = {
  constructor2: {
    name: 'js.constructor',
    parameters: [{ kind: 'payload', name: 'new', check: sockety.u8 }],
    returns: [],
  },
  delete2: {
    name: 'js.delete',
    parameters: [
      { kind: 'payload', name: 'class', check: isDate2 },
      { kind: 'payload', name: 'options', check: sockety.u8 },
      { kind: 'payload', name: 'message', check: sockety.u8 },
    ],
    returns: [{ kind: 'payload', check: isDate2 }],
  },
  then2: {
    name: 'js.then',
    parameters: [{ kind: 'payload', name: 'text_of_it', check: sockety.text }],
    returns: [],
  },
} satisfies Record<string, sockety.Action>;
