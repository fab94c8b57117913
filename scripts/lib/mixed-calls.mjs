/** What scripts/soak.mjs and scripts/determinism.mjs share: the fixtures, hashes, random numbers. */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import * as path from 'node:path';
import { root } from './shell.mjs';

/** The built package, as a program would load it. */
export const loadPackage = () =>
  createRequire(import.meta.url)(path.join(root, 'dist', 'src', 'index.js'));

const cache = path.join(root, 'test', 'fixtures', 'cache');
const manifest = JSON.parse(fs.readFileSync(path.join(cache, 'manifest.json'), 'utf8'));
const pathOf = ({ name }) => path.join(cache, name);

/** Paths of all fixtures that decode, and of all that are broken. */
export const good = manifest.clips.map(pathOf);
export const bad = manifest.bad.map(pathOf);
export const clip = (name) => path.join(cache, name);

/** Numbers in [0, 1) that are the same in every run (mulberry32), and a choice by them. */
export function seeded(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  next.of = (values) => values[Math.floor(next() * values.length)];
  return next;
}

/** A hash of everything that a result holds. */
export function hashOf(result) {
  const hash = createHash('sha1');
  const tensors = result.frames
    ? [result.frames]
    : [
        result.patches,
        result.metadataTensors.fields,
        result.metadataTensors.scores,
        result.frameScores,
      ];
  for (const { data } of tensors)
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  hash.update(JSON.stringify([result.sampledFrameIds, result.timestampsSec, result.fps]));
  return hash.digest('hex');
}

/** Remembers what each call came to; says whether it is the same this time. */
export class Outcomes {
  #known = new Map();

  isSame(key, outcome) {
    const known = this.#known.get(key) ?? outcome;
    this.#known.set(key, known);
    return known === outcome;
  }

  get size() {
    return this.#known.size;
  }
}

/** Runs one(i) for i in [from, to), `width` at a time, until `deadline`. Gives what was not run. */
export async function inParallel(from, to, width, deadline, one) {
  let next = from;
  const worker = async () => {
    while (next < to && Date.now() < deadline) await one(next++);
  };
  await Promise.all(Array.from({ length: width }, worker));
  return next;
}
