import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

import { encode, parse } from '../../src/wire.js';
import { PATIENT } from './time.js';

/** A connection that is spoken on by hand, with the client's own coding of lines. */
export class Wire {
  #socket;
  #lines;

  static async connect(path) {
    const wire = new Wire();
    wire.#socket = connect({ path });
    await once(wire.#socket, 'connect');
    wire.#socket.on('error', () => {});
    wire.#lines = createInterface({ input: wire.#socket, crlfDelay: Infinity })[Symbol.asyncIterator]();
    wire.#socket.setTimeout(PATIENT, () => wire.#socket.destroy());
    return wire;
  }

  write(data) {
    this.#socket.write(data);
  }

  /** The next line of the watchdog; undefined once it has hung up. */
  async hear() {
    const { value } = await this.#lines.next();
    return value === undefined ? undefined : parse(value);
  }

  ask(request) {
    this.write(encode(request));
    return this.hear();
  }

  close() {
    this.#socket.destroy();
  }
}
