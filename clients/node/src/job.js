// What a caller says of a job, made fit for the wire.

import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';

import { encode, MAX_ID, MAX_LINE, MAX_TEXT } from './wire.js';

const LONE_SURROGATES = /[\ud800-\udfff]/gu;

/** A value of a caller in a message: also one that cannot be shown. */
export function show(value) {
  try {
    return (value instanceof Error ? value.message : inspect(value)).slice(0, 200);
  } catch {
    return `a strange ${typeof value}`;
  }
}

/** The job, its run and the other fields of a mark. Throws if no request can name the job. */
export function describe(job, { run, stage, task, key, role } = {}) {
  const fields = {
    key: told(key) || randomUUID(),
    task: cut(told(task)),
    stage: cut(told(stage)),
    role: cut(told(role)) || 'finalizer',
  };
  const described = { job: id(job), run: id(run, 'run'), fields: given(fields) };
  fit(described);
  return described;
}

/** Cuts a text for people to what the protocol takes, and to whole letters. */
export function cut(text) {
  const bytes = Buffer.from(text.replace(LONE_SURROGATES, ''));
  let end = Math.min(bytes.length, MAX_TEXT);
  while (end < bytes.length && (bytes[end] & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}

/** An integer's or a string's text. An integer that a number no longer tells from its neighbour is none. */
export function id(value, name = 'job') {
  if (typeof value === 'string') return value;
  if (Number.isSafeInteger(value) || typeof value === 'bigint') return String(value);
  throw new TypeError(`its ${name} is ${show(value)}, not a string, a safe integer or a bigint`);
}

export const told = (value) => String(value ?? '');

const given = (fields) => Object.fromEntries(Object.entries(fields).filter(([, text]) => text));

function fit({ job, run, fields }) {
  for (const [name, text] of Object.entries({ job, run, key: fields.key })) {
    if (text.search(LONE_SURROGATES) >= 0) throw new TypeError(`its ${name} is no valid Unicode`); // two ids could become one
    const size = Buffer.byteLength(text);
    if (size < 1 || size > MAX_ID) throw new RangeError(`its ${name} has ${size} bytes, not 1 to ${MAX_ID}`);
  }
  const line = encode({ op: 'mark', job, run, ...fields });
  const room = MAX_LINE - 64; // for the id and the token
  if (Buffer.byteLength(line) > room) throw new RangeError('its texts do not fit into one request');
}
