/** The longest time of `setTimeout`, in milliseconds. It waits 1 ms in place of more. */
export const LONGEST_TIMER = 2 ** 31 - 1;

/** A time limit; `null` for one that never ends. */
export function withoutInfinity(millis: number | null): number | null {
  return millis === Number.POSITIVE_INFINITY ? null : millis;
}
