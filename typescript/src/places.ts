/** Requests that may be ended early before their places become free late, and as many more each second. */
const TOKENS = 1024;
/** How often it is looked for tokens. About ten are there each time. */
const PAUSE_MILLIS = 10;

/**
 * Places of requests that were ended early, which become free at a bounded rate (`ext.cancel.slot`): a peer that
 * cancels its requests at once could otherwise begin any number of handlers a second.
 */
export class LatePlaces {
  private tokens = TOKENS;
  private at: number;
  private held = 0;
  private timer: NodeJS.Timeout | undefined;

  /** `free` is told how many places are free again; `now` returns milliseconds. */
  constructor(
    private readonly free: (places: number) => void,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.at = now();
  }

  /** A request that was ended early leaves its place. */
  leave(): void {
    this.refill();
    if (this.held === 0 && this.tokens >= 1) {
      this.tokens--;
      this.free(1);
      return;
    }
    this.held++;
    this.timer ??= setInterval(this.release, PAUSE_MILLIS).unref();
  }

  /** Frees all. Nothing begins any more while a connection ends, and its end waits for these. */
  end(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    const { held } = this;
    this.held = 0;
    this.tokens = Number.POSITIVE_INFINITY;
    if (held > 0) this.free(held);
  }

  private refill(): void {
    const now = this.now();
    if (this.tokens < TOKENS) this.tokens = Math.min(TOKENS, this.tokens + ((now - this.at) / 1000) * TOKENS);
    this.at = now;
  }

  private readonly release = (): void => {
    this.refill();
    const places = Math.min(this.held, Math.floor(this.tokens));
    if (places === 0) return;
    this.tokens -= places;
    this.held -= places;
    if (this.held === 0) {
      clearInterval(this.timer);
      this.timer = undefined;
    }
    this.free(places);
  };
}
