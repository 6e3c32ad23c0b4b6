// What the package offers: the same to import, to require and to TypeScript, and nothing else.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import * as surface from '../src/index.js';
import { scripted } from './support/fake.js';
import { client, folder } from './support/watchdog.js';

const PACKAGE = fileURLToPath(new URL('..', import.meta.url));
const read = (name) => readFileSync(join(PACKAGE, name), 'utf8');
const declared = read('src/index.d.ts').replace(/\/\*\*[^]*?\*\//g, '');

const names = (text, pattern) => [...text.matchAll(pattern)].map((found) => found[1]).sort();

/** The members that the types give a class or an interface. */
function members(name) {
  const [, body] = declared.match(new RegExp(`export (?:class|interface) ${name}\\b[^{]*{([^]*?)\n}`));
  return [...new Set(names(body, /^ {2}(?:readonly )?(\w+)[?(<:]/gm))];
}

/** The members that an object has: its own, and its class's. */
function found(object) {
  const all = [...Object.keys(object), ...Object.getOwnPropertyNames(Object.getPrototypeOf(object))];
  return all.sort();
}

test('the types declare what there is', async (t) => {
  assert.deepEqual(names(declared, /^export (?:class|const|function) (\w+)/gm), Object.keys(surface).sort());
  const { fake } = await scripted(t);
  const liveness = client(t, fake);
  const o = await liveness.own(1, { run: 2 });
  const answer = await o.check();
  assert.deepEqual(members('Client'), found(liveness));
  assert.deepEqual([...members('Ownership'), 'constructor'].sort(), found(o));
  assert.deepEqual([...members('Answer'), 'constructor'].sort(), found(answer));
  if (Symbol.asyncDispose) assert.equal(typeof o[Symbol.asyncDispose], 'function');
});

test('the types name the options that are read', () => {
  const taken = (file, pattern) => {
    const [, list] = read(file).match(pattern);
    return names(list, /(\w+)(?: = [^,]*)?(?:,|$)/g);
  };
  assert.deepEqual(members('ClientOptions'), taken('src/client.js', /constructor\({ (.*?) } = {}\)/));
  assert.deepEqual(members('JobOptions'), taken('src/job.js', /describe\(job, { (.*?) } = {}\)/));
});

test('nothing else is published, and nothing is needed', () => {
  const { dependencies, exports, files } = JSON.parse(read('package.json'));
  assert.deepEqual([dependencies, Object.keys(exports), files], [undefined, ['.'], ['src']]);
  for (const file of readdirSync(join(PACKAGE, 'src')).filter((name) => name.endsWith('.js'))) {
    for (const from of names(read(join('src', file)), / from '(.*?)'/g)) assert.match(from, /^(node:|\.\/)/, file);
  }
});

test('it is imported and required by its name', (t) => {
  const place = folder();
  t.after(() => rmSync(place, { recursive: true }));
  mkdirSync(join(place, 'node_modules'));
  symlinkSync(PACKAGE, join(place, 'node_modules', 'finalizer-liveness'));
  const run = (name, program) => {
    writeFileSync(join(place, name), program);
    return execFileSync(process.execPath, [join(place, name)], { encoding: 'utf8', stdio: 'pipe' });
  };
  assert.equal(run('a.mjs', `import { isOwned } from 'finalizer-liveness'; console.log(isOwned(1));`), 'false\n');
  assert.equal(run('b.cjs', `import('finalizer-liveness').then((f) => console.log(f.isOwned(1)));`), 'false\n');
  if (process.features.require_module) {
    assert.equal(run('c.cjs', `console.log(require('finalizer-liveness').isOwned(1));`), 'false\n');
  }
});
