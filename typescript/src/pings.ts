import type { Connection } from './connection.js';
import { Bucket } from './ids.js';

/** Pings of the peer that are needed, at once and each second (`ext.ping`). */
const PINGS = 16;
const PINGS_RATE = 10;

/** The time to the peer and back, and the pings of the peer. */
export class Pings {
  private readonly received = new Bucket(PINGS, PINGS_RATE);
  private pong: Uint8Array | undefined;

  waiting: { bytes: Uint8Array; at: number; resolve: (millis: number) => void }[] = [];

  constructor(private readonly connection: Connection) {}

  /** The time to the peer and back, in milliseconds. Needs the extension. */
  ping(): Promise<number> {
    if (!this.connection.isExtended || this.connection.phase === 'closed') return Promise.reject(new Error('ping needs the extension'));
    return new Promise((resolve) => {
      const bytes = Uint8Array.from({ length: 8 }, () => Math.floor(Math.random() * 256));
      this.waiting.push({ bytes, at: performance.now(), resolve });
      if (this.waiting.length === 1) this.sendPing();
    });
  }

  private sendPing(): void {
    const ping = this.waiting[0];
    ping.at = performance.now();
    this.connection.sender.encoder.control(Uint8Array.of(4, ...ping.bytes));
    this.connection.writing.schedule();
  }

  /** Writes the pong that is due. */
  encode(): void {
    const { connection, pong } = this;
    if (pong === undefined || connection.writing.isBlocked) return;
    connection.sender.encoder.control(Uint8Array.of(5, ...pong));
    this.pong = undefined;
  }

  onPing(bytes: Uint8Array): void {
    if (this.received.add()) this.connection.reading.onUseless();
    this.pong = bytes;
    this.connection.writing.schedule();
  }

  onPong(bytes: Uint8Array): void {
    const ping = this.waiting[0];
    if (ping === undefined || !ping.bytes.every((byte, place) => bytes[place] === byte)) return this.connection.reading.onUseless();
    this.waiting.shift();
    ping.resolve(performance.now() - ping.at);
    if (this.waiting.length > 0) this.sendPing();
  }
}
