import { once } from 'node:events';
import { connect } from 'node:net';

import { encode, Lines, parse } from '../../src/wire.js';
import { PATIENT } from './time.js';

const PIECE = 64 << 10;

/** A connection that is spoken on by hand, with the client's own coding of lines. */
export class Wire {
  #socket;
  #heard = [];
  #ended = false;
  #wake = () => {};

  static async connect(path) {
    const wire = new Wire();
    const socket = connect({ path });
    await once(socket, 'connect');
    const lines = new Lines();
    socket.on('data', (chunk) => wire.#tell(lines.add(chunk)));
    socket.on('error', () => {}); // it may hang up before it has read all
    socket.on('close', () => wire.#tell([], true));
    socket.setTimeout(PATIENT, () => socket.destroy());
    wire.#socket = socket;
    return wire;
  }

  /** What is longer than any line may be is answered before its end: then nothing more is written. */
  async write(data) {
    const bytes = Buffer.from(data);
    this.#socket.write(bytes.subarray(0, PIECE));
    if (bytes.length <= PIECE) return;
    await this.#news();
    if (this.#heard.length === 0 && !this.#ended) this.#socket.write(bytes.subarray(PIECE));
  }

  /** The next line of the watchdog; undefined once it has hung up. */
  async hear() {
    while (this.#heard.length === 0 && !this.#ended) await this.#news();
    return this.#heard.length === 0 ? undefined : parse(this.#heard.shift());
  }

  ask(request) {
    this.write(encode(request));
    return this.hear();
  }

  close() {
    this.#socket.destroy();
  }

  #tell(lines, ended = false) {
    this.#heard.push(...lines);
    this.#ended = ended;
    this.#wake();
  }

  #news() {
    return new Promise((resolve) => (this.#wake = resolve));
  }
}
