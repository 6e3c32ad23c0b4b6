// The wire: one JSON object a line. No I/O.

/** Bytes and seconds that the protocol sets. */
export const MAX_ID = 128;
export const MAX_TEXT = 256;
export const MAX_LINE = 4096;
const MAX_REPLY = 64 << 10;
const MAX_SPAN = 1e9;

/** The other end does not speak the protocol. */
export class Nonsense extends Error {}

export const encode = (request) => JSON.stringify(request) + '\n';

/** Reads one line of the watchdog: a reply, which has "ok", or an event. */
export function parse(line) {
  let m;
  try {
    m = JSON.parse(line);
  } catch {
    throw new Nonsense('a line that is no JSON');
  }
  if (m === null || typeof m !== 'object' || !('event' in m || typeof m.ok === 'boolean')) {
    throw new Nonsense('a line that is neither reply nor event');
  }
  if (m.event === 'revoked' && !Number.isSafeInteger(m.token)) throw new Nonsense('a revocation without a token');
  return m;
}

/** Cuts what is read into lines. */
export class Lines {
  #rest = Buffer.alloc(0);

  *add(chunk) {
    let data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (let end = data.indexOf(10); end >= 0; end = data.indexOf(10)) {
      yield data.toString('utf8', 0, end);
      data = data.subarray(end + 1);
    }
    if (data.length > MAX_REPLY) throw new Nonsense('a line without end');
    this.#rest = data;
  }
}

const isSpan = (value, most) => typeof value === 'number' && value > 0 && value <= most;

/** Seconds of the wire in milliseconds; 0 for what is no span. */
export const millis = (value) => (isSpan(value, MAX_SPAN) ? value * 1000 : 0);

/** A caller's milliseconds; undefined for what is no span. */
export const span = (value) => (isSpan(value, MAX_SPAN * 1000) ? value : undefined);

/** The same in seconds for the wire, where undefined is left out. */
export const seconds = (value) => (span(value) === undefined ? undefined : value / 1000);

export const text = (value) => (typeof value === 'string' ? value : '');

/** A reply that is an error, for people. */
export const refusal = (m) => [m.error, m.field, m.message].map(text).filter(Boolean).join(': ');
