/** Written by sockety-typescript from the schema of 'Bank'. Changes belong there. */
import * as sockety from 'sockety-runtime/generated';

export type Moment = Date;

export interface Receipt {
  id: string;
  balance: number | bigint;
}

/** An order to move money. */
export interface Transfer {
  /**
   * The account that gets it.
   *
   * Of the same bank.
   */
  toAccount: number | bigint;
  cents: number | bigint;
  text?: string;
  /** When it is executed; at once if there is none. */
  at?: Moment | null;
}

export type TransferError =
  /** there is no such account */
  | 'NoAccount'
  /** the account holds less than that */
  | { Insufficient: { missing: number | bigint } }
  /** the account is locked */
  | { Locked: { until: Moment } };

export interface Update {
  account: number;
  balance: number | bigint;
}

/** Moves money. */
export interface Bank {
  /** Sends back what has changed. */
  follow(account: number, updates: sockety.Items<Update>, options?: sockety.Options): Promise<sockety.ItemStream<Update>>;
  note(text: string, level?: number | null, copies?: number, options?: sockety.NotifyOptions): Promise<void>;
  ping(options?: sockety.Options): Promise<void>;
  scan(image: sockety.Source, options?: sockety.Options): Promise<sockety.IncomingStream>;
  /** @throws CallError<TransferError> */
  statement(account: number, year?: number | null, options?: sockety.Options): Promise<[number | bigint, sockety.IncomingFile]>;
  /**
   * Moves money from the caller's account.
   *
   * @throws CallError<TransferError>
   */
  transfer(transfer: Transfer, options?: sockety.Options): Promise<Receipt>;
  /** Returns the number of bytes. */
  upload(year: number, files: readonly sockety.FileSource[], options?: sockety.Options): Promise<number | bigint>;
}

/** Calls `Bank` through a connection, or a client that connects again. */
export class BankClient implements Bank {
  readonly #peer: sockety.Peer;

  constructor(peer: sockety.Peer) {
    this.#peer = peer;
  }

  follow(account: number, updates: sockety.Items<Update>, options?: sockety.Options): Promise<sockety.ItemStream<Update>> {
    return sockety.call(this.#peer, bankActions.follow, [account, updates], options);
  }

  note(text: string, level?: number | null, copies?: number, options?: sockety.NotifyOptions): Promise<void> {
    return sockety.call(this.#peer, bankActions.note, [text, level, copies], options);
  }

  ping(options?: sockety.Options): Promise<void> {
    return sockety.call(this.#peer, bankActions.ping, [], options);
  }

  scan(image: sockety.Source, options?: sockety.Options): Promise<sockety.IncomingStream> {
    return sockety.call(this.#peer, bankActions.scan, [image], options);
  }

  statement(account: number, year?: number | null, options?: sockety.Options): Promise<[number | bigint, sockety.IncomingFile]> {
    return sockety.call(this.#peer, bankActions.statement, [account, year], options);
  }

  transfer(transfer: Transfer, options?: sockety.Options): Promise<Receipt> {
    return sockety.call(this.#peer, bankActions.transfer, [transfer], options);
  }

  upload(year: number, files: readonly sockety.FileSource[], options?: sockety.Options): Promise<number | bigint> {
    return sockety.call(this.#peer, bankActions.upload, [year, files], options);
  }
}

/** What a service `Bank` does. */
export interface BankHandlers {
  /** Sends back what has changed. */
  follow(account: number, updates: sockety.ItemStream<Update>, message: sockety.IncomingMessage): sockety.Result<sockety.Items<Update>>;
  note(text: string, level: number | null | undefined, copies: number | undefined, message: sockety.IncomingMessage): sockety.Result<void>;
  ping(message: sockety.IncomingMessage): sockety.Result<void>;
  scan(image: sockety.IncomingStream, message: sockety.IncomingMessage): sockety.Result<sockety.Source>;
  /** @throws TransferFailure */
  statement(account: number, year: number | null | undefined, message: sockety.IncomingMessage): sockety.Result<[number | bigint, sockety.FileSource]>;
  /**
   * Moves money from the caller's account.
   *
   * @throws TransferFailure
   */
  transfer(transfer: Transfer, message: sockety.IncomingMessage): sockety.Result<Receipt>;
  /** Returns the number of bytes. */
  upload(year: number, files: sockety.IncomingFile[], message: sockety.IncomingMessage): sockety.Result<number | bigint>;
}

/** Handlers for the options of a server, or of a connection. */
export function bankHandlers(service: BankHandlers): sockety.Handlers {
  return sockety.handlers(bankActions, service);
}

/** Calls of `Bank` to be sent later. */
export const bankDrafts = {
  follow: (account: number, updates: sockety.Items<Update>): sockety.Draft<sockety.ItemStream<Update>> =>
    sockety.draft(bankActions.follow, [account, updates]),
  note: (text: string, level?: number | null, copies?: number): sockety.Draft<void> =>
    sockety.draft(bankActions.note, [text, level, copies]),
  ping: (): sockety.Draft<void> =>
    sockety.draft(bankActions.ping, []),
  scan: (image: sockety.Source): sockety.Draft<sockety.IncomingStream> =>
    sockety.draft(bankActions.scan, [image]),
  statement: (account: number, year?: number | null): sockety.Draft<[number | bigint, sockety.IncomingFile]> =>
    sockety.draft(bankActions.statement, [account, year]),
  transfer: (transfer: Transfer): sockety.Draft<Receipt> =>
    sockety.draft(bankActions.transfer, [transfer]),
  upload: (year: number, files: readonly sockety.FileSource[]): sockety.Draft<number | bigint> =>
    sockety.draft(bankActions.upload, [year, files]),
};

/** Thrown by handlers, and by the sources of streams: their caller, or reader, gets the `TransferError`. */
export class TransferFailure extends sockety.Failure<TransferError> {
  constructor(error: TransferError) {
    super(error, transferErrorVariants);
  }
}

/** The `TransferError` with which a call was answered, or a stream was ended; `undefined` for any other problem. */
export function transferErrorOf(error: unknown): TransferError | undefined {
  return sockety.errorOf<TransferError>(error, transferErrorVariants);
}

/** Whether a value is of the type `Moment`. */
export const isMoment: sockety.Check<Moment> = sockety.date;

/** Whether a value is of the type `Receipt`. */
export const isReceipt: sockety.Check<Receipt> = sockety.struct({ id: sockety.text, balance: sockety.i64 });

/** Whether a value is of the type `Transfer`. */
export const isTransfer: sockety.Check<Transfer> = sockety.struct({
  toAccount: sockety.u64,
  cents: sockety.u64,
  text: sockety.optional(sockety.text),
  at: sockety.optional(sockety.option(isMoment)),
});

/** Whether a value is of the type `TransferError`. */
export const isTransferError: sockety.Check<TransferError> = sockety.oneOf(
  sockety.literal('NoAccount'),
  sockety.struct({ Insufficient: sockety.struct({ missing: sockety.u64 }) }),
  sockety.struct({ Locked: sockety.struct({ until: isMoment }) }),
);

/** Whether a value is of the type `Update`. */
export const isUpdate: sockety.Check<Update> = sockety.struct({ account: sockety.u32, balance: sockety.i64 });

const transferErrorVariants: sockety.ErrorVariants = [
  {
    name: 'NoAccount',
    code: 16,
    message: 'there is no such account',
    hasDetails: false,
    value: 'NoAccount',
    check: sockety.literal('NoAccount'),
  },
  {
    name: 'Insufficient',
    code: 17,
    message: 'the account holds less than that',
    hasDetails: true,
    check: sockety.struct({ Insufficient: sockety.struct({ missing: sockety.u64 }) }),
  },
  {
    name: 'Locked',
    code: 18,
    message: 'the account is locked',
    hasDetails: true,
    check: sockety.struct({ Locked: sockety.struct({ until: isMoment }) }),
  },
];

const bankActions = {
  follow: {
    name: 'bank.follow',
    parameters: [{ kind: 'payload', name: 'account', check: sockety.u32 }, { kind: 'items', check: isUpdate }],
    returns: [{ kind: 'items', check: isUpdate }],
  },
  note: {
    name: 'bank.note',
    isOneWay: true,
    parameters: [
      { kind: 'payload', name: 'text', aliases: ['message'], check: sockety.text },
      { kind: 'payload', name: 'level', check: sockety.optional(sockety.option(sockety.u8)) },
      { kind: 'payload', name: 'copies', check: sockety.optional(sockety.u8) },
    ],
    returns: [],
  },
  ping: {
    name: 'bank.ping',
    parameters: [],
    returns: [],
  },
  scan: {
    name: 'bank.scan',
    parameters: [{ kind: 'bytes' }],
    returns: [{ kind: 'bytes' }],
  },
  statement: {
    name: 'bank.statement',
    parameters: [
      { kind: 'payload', name: 'account', check: sockety.u32 },
      { kind: 'payload', name: 'year', check: sockety.optional(sockety.option(sockety.u16)) },
    ],
    returns: [{ kind: 'payload', check: sockety.u64 }, { kind: 'file' }],
    errors: transferErrorVariants,
  },
  transfer: {
    name: 'bank.transfer',
    aliases: ['bank.move'],
    timeout: 2000,
    parameters: [{ kind: 'payload', name: 'transfer', check: isTransfer }],
    returns: [{ kind: 'payload', check: isReceipt }],
    errors: transferErrorVariants,
  },
  upload: {
    name: 'bank.upload',
    parameters: [{ kind: 'payload', name: 'year', check: sockety.u16 }, { kind: 'files' }],
    returns: [{ kind: 'payload', check: sockety.u64 }],
  },
} satisfies Record<string, sockety.Action>;
