import type { Connection } from './connection.js';
import { Closed, type CloseReason, ProtocolError } from './errors.js';
import { type Leave, LeaveReason, encodeLeave } from './extension/leave.js';

/** How long the peer may take for its Done (`ext.leave.course`). */
const DONE_MILLIS = 2000;
/** How long what is under way may take when channels are lost. */
export const GRACE_MILLIS = 10_000;

/** What both sides say about the end of a connection. */
export class Leaving {
  isPeerLeaving = false;
  /** What the peer has said last. */
  peerLeave: Leave | undefined;
  /** This side leaves as soon as it waits for no reply. */
  private isFollowing = false;
  owesDone = false;
  hasSentDone = false;
  hasSentLeave = false;
  private isPeerDone = false;
  /** Messages from this number on are not taken, when this side leaves. */
  taken = Number.POSITIVE_INFINITY;
  leaveAt = 0;
  leaveDeadline = 0;

  constructor(private readonly connection: Connection) {}

  /** Why no request can be sent any more. */
  unsent(): CloseReason | undefined {
    const { connection } = this;
    if (connection.reason !== undefined) return connection.reason;
    if (this.isPeerLeaving) {
      const text = this.peerLeave?.text;
      return { kind: 'peer', message: text === undefined || text === '' ? 'the peer is going away' : `the peer is going away: ${text}` };
    }
    if (connection.hasPeerEnded) return { kind: 'peer', message: 'the peer has ended the connection' };
    if (this.hasSentLeave || connection.sender.isExhausted) return { kind: 'closed' };
    return undefined;
  }

  onGoAway(): void {
    this.onLeave({ taken: undefined, reason: LeaveReason.Shutdown, graceMillis: 0, retryAfterMillis: 0, text: '' });
  }

  onLeave(leave: Leave): void {
    const { connection } = this;
    const sent = connection.sender.encoder.begun;
    const { taken } = leave;
    if (taken !== undefined && taken > sent) {
      throw new ProtocolError('ext.leave.taken', `${taken} messages are taken of ${sent} that were sent`);
    }
    this.peerLeave = leave;
    // ext.leave.lame-duck
    if (leave.reason === LeaveReason.LameDuck && taken === undefined && !this.isPeerLeaving) {
      this.onPeerLeaving?.(leave);
      return;
    }
    this.isPeerLeaving = true;
    this.onPeerLeaving?.(leave);
    const reason: CloseReason = this.unsent() as CloseReason;
    this.endQueued(reason);
    if (taken !== undefined) {
      for (const pending of [...connection.calls.pending.values()]) {
        const { number, state } = pending.outgoing;
        if (number < taken) continue;
        pending.outgoing.onDone = undefined;
        pending.fail({ kind: 'closed', reason }, number < 0 ? 'not-sent' : 'not-executed');
        if (state === 'open') connection.sender.abort(pending.outgoing, new Closed(reason));
      }
    }
    if (connection.isExtended && !this.hasSentDone) this.owesDone = true;
    connection.writing.schedule();
  }

  /** Messages that wait for room or a channel never begin. */
  private endQueued(reason: CloseReason): void {
    const { sender } = this.connection;
    for (const outgoing of sender.takeQueuedMessages()) sender.abort(outgoing, new Closed(reason));
  }

  /** Called when the peer says that it leaves, or will. */
  onPeerLeaving: ((leave: Leave) => void) | undefined;

  onDone(): void {
    if (!this.hasSentLeave) throw new ProtocolError('ext.leave.done', 'Done comes without a Leave of this side');
    this.isPeerDone = true;
    this.connection.writing.schedule();
  }

  /** Says that this side leaves, and ends the connection when nothing is under way. */
  leave(reason: number, grace: number, text = ''): void {
    const { connection } = this;
    if (connection.phase === 'closed' || connection.phase === 'opening') return;
    if (this.hasSentLeave) {
      // Whoever closes it again may be less patient.
      this.leaveDeadline = Math.min(this.leaveDeadline, performance.now() + grace);
      connection.writing.schedule();
      return;
    }
    this.hasSentLeave = true;
    connection.phase = 'leaving';
    this.leaveAt = performance.now();
    this.leaveDeadline = this.leaveAt + grace;
    if (connection.isExtended) {
      const leave = { taken: undefined, reason, graceMillis: Math.min(grace, 0xffff_ffff), retryAfterMillis: 0, text };
      connection.sender.encoder.control(encodeLeave(leave));
    } else {
      connection.sender.encoder.goAway();
    }
    connection.writing.schedule();
  }

  /**
   * Ends the connection when no reply is awaited any more, however long that takes: the peer decides for how long it
   * goes on, and each call has its own time limit.
   */
  follow(): void {
    this.isFollowing = true;
    this.connection.writing.schedule();
  }

  /** Whether this side leaves, or waits to. */
  get isUnderWay(): boolean {
    return this.isFollowing || this.connection.phase === 'leaving' || this.connection.sender.isExhausted;
  }

  advance(): void {
    const { connection } = this;
    if (connection.phase === 'open') {
      const { isExhausted } = connection.sender;
      if (isExhausted) this.endQueued({ kind: 'closed' });
      if (!(this.isFollowing || isExhausted) || connection.calls.pending.size > 0) return;
      // Answers that have no channel would wait for ever.
      this.leave(LeaveReason.Shutdown, isExhausted ? GRACE_MILLIS : Number.POSITIVE_INFINITY);
      return;
    }
    if (connection.phase !== 'leaving') return;
    const now = performance.now();
    if (now >= this.leaveDeadline) {
      connection.finish({ kind: 'closed' });
      return;
    }
    // No credit comes any more.
    if (connection.isExtended && connection.hasPeerEnded) connection.sender.abandonBlocked();
    if (connection.isExtended && !this.isPeerDone && !connection.hasPeerEnded) {
      if (now - this.leaveAt < DONE_MILLIS) return;
      if (this.taken === Number.POSITIVE_INFINITY) {
        // ext.leave.course
        this.taken = connection.decoder.begun;
        connection.sender.encoder.control(encodeLeave(this.lastLeave(LeaveReason.Shutdown, '')));
        connection.writing.schedule();
        return;
      }
    }
    if (connection.isIdle) connection.finish({ kind: 'closed' });
  }

  lastLeave(reason: number, text: string): Leave {
    this.taken = Math.min(this.taken, this.connection.decoder.begun);
    return { taken: this.taken, reason, graceMillis: 0, retryAfterMillis: 0, text };
  }
}
