import { once } from 'node:events';
import { connect } from 'node:net';

import { encode, Lines, parse } from '../../src/wire.js';
import { PATIENT, sleep } from './time.js';

const PIECE = 64 << 10;

/** A connection that is spoken on by hand, with the client's own coding of lines. */
export class Wire {
  #socket;
  #heard = [];
  #ended = false;

  static async connect(path) {
    const wire = new Wire();
    const socket = connect({ path });
    await once(socket, 'connect');
    const lines = new Lines();
    socket.on('data', (chunk) => wire.#heard.push(...lines.add(chunk)));
    socket.on('error', () => {}); // it may hang up before it has read all
    socket.on('close', () => (wire.#ended = true));
    socket.setTimeout(PATIENT, () => socket.destroy());
    wire.#socket = socket;
    return wire;
  }

  /** Writes piece by piece, until all is said or it is answered: to write to one who hung up loses the answer. */
  async write(data) {
    const bytes = Buffer.from(data);
    for (let at = 0; at < bytes.length && (at === 0 || (this.#heard.length === 0 && !this.#ended)); at += PIECE) {
      this.#socket.write(bytes.subarray(at, at + PIECE));
      if (bytes.length > PIECE) await sleep(1);
    }
  }

  /** The next line of the watchdog; undefined once it has hung up. */
  async hear() {
    while (this.#heard.length === 0 && !this.#ended) {
      await Promise.race([once(this.#socket, 'data'), once(this.#socket, 'close')]).catch(() => {});
    }
    return this.#heard.length === 0 ? undefined : parse(this.#heard.shift());
  }

  ask(request) {
    this.write(encode(request));
    return this.hear();
  }

  close() {
    this.#socket.destroy();
  }
}
