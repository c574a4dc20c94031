/** Codes of fast replies that have a meaning of their own. 16 to 3,839 are a service's. */
export const Code = {
  Accept: 0,
  Reject: 1,
  NotImplemented: 2,
  Unauthorized: 3,
  BadRequest: 4,
  InternalError: 5,
  Overloaded: 3840,
  GoingAway: 3841,
  TooLarge: 3842,
  DeadlineExceeded: 3843,
  Cancelled: 3844,
  SlowConsumer: 3845,
  BadHeader: 3846,
  NotBegun: 3847,
} as const;

/** The largest code of a fast reply. */
export const MAX_CODE = 4095;

export function checkCode(code: number): void {
  if (!Number.isInteger(code) || code < 0 || code > MAX_CODE) {
    throw new RangeError(`invalid fast reply code ${code}: maximum is ${MAX_CODE}`);
  }
}

/** Whether a message that was answered with this code was certainly not executed. */
export function isNotExecuted(code: number): boolean {
  switch (code) {
    case Code.NotImplemented:
    case Code.Overloaded:
    case Code.GoingAway:
    case Code.BadHeader:
    case Code.TooLarge:
    case Code.NotBegun:
      return true;
    default:
      return false;
  }
}
