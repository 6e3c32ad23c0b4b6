import { connect } from 'node:net';

import { GRAIN } from './clock.js';
import { encode, Lines, Nonsense, parse } from './wire.js';

const MAX_PATH = 107; // bytes of a socket's path; a longer one would be cut, and name another
const MAX_ASKED = 256; // requests that wait for their replies before no more are made
const MAX_OUT = 64 << 10; // characters that wait for the socket before no more are made

/** Why no socket can have the path; empty when one can. */
export const unfit = (path) => (Buffer.byteLength(path) > MAX_PATH ? 'its path is too long for a socket' : '');

/**
 * One connection: what was asked on it, in order, and what is known of its lease. It does not keep the process alive.
 *
 * Its owner has three methods: reply(session, request, message), event(session, message) and ended(session, why).
 */
export class Session {
  greeted = false;
  lease = 15_000;
  leaseUntil = 0;
  marks = 0; // asked for and not answered
  early = new Map(); // tokens that were revoked before the reply that gives them: why
  beating = false;
  #asked = [];
  #lastId = 0;
  #clock;
  #owner;
  #lines = new Lines();
  #socket;
  #out = '';
  #writing = false;
  #why = '';

  constructor(path, clock, owner) {
    this.#clock = clock;
    this.#owner = owner;
    this.began = clock.now();
    this.#socket = connect({ path });
    this.#socket.unref();
    this.#socket.on('error', (error) => this.end(error.message));
    this.#socket.on('data', (chunk) => this.#read(chunk));
    this.#socket.on('close', () => owner.ended(this, this.#why || 'it hung up'));
  }

  /** Whether more requests should be made now. */
  get room() {
    return this.#asked.length < MAX_ASKED && this.#out.length < MAX_OUT && !this.#why;
  }

  /** Sends a request. It counts as sent earlier than it is, by what the clock may hide. */
  ask(op, fields, claim, waiter) {
    const request = { id: ++this.#lastId, op, sent: this.#clock.now() - GRAIN, claim, waiter };
    this.#asked.push(request);
    if (op === 'mark') this.marks++;
    this.#out += encode({ op, id: request.id, ...fields });
    this.#flush();
  }

  /** Takes away the requests that no reply will come to. */
  unanswered() {
    return this.#asked.splice(0);
  }

  end(why) {
    this.#why ||= why;
    this.#socket.destroy();
  }

  // One write at a time: what is asked meanwhile goes out together.
  #flush() {
    if (this.#writing || this.#out === '') return;
    this.#writing = true;
    this.#socket.write(this.#out, () => {
      this.#writing = false;
      this.#flush();
    });
    this.#out = '';
  }

  #read(chunk) {
    try {
      for (const line of this.#lines.add(chunk)) {
        if (this.#why) return;
        this.#receive(parse(line));
      }
    } catch (error) {
      this.end(error instanceof Nonsense ? error.message : `the client failed: ${error.stack}`);
    }
  }

  #receive(m) {
    if ('event' in m) {
      this.#owner.event(this, m);
      return;
    }
    const request = this.#asked[0];
    if (request === undefined) throw new Nonsense('a reply to nothing');
    // A request that could not be read is refused without its id.
    if (m.id !== request.id && (m.ok || 'id' in m)) throw new Nonsense('a reply out of order');
    this.#asked.shift();
    if (request.op === 'mark') this.marks--;
    if (m.ok) this.leaseUntil = Math.max(this.leaseUntil, request.sent + this.lease);
    this.#owner.reply(this, request, m);
    if (this.marks === 0) this.early.clear();
  }
}
