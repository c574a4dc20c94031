/** The longest time of `setTimeout`, in milliseconds. It waits 1 ms in place of more. */
export const LONGEST_TIMER = 2 ** 31 - 1;
