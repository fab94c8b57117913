#!/usr/bin/env node
/**
 * Every fixture, decoded over and over under load in every way that must not matter: threads, their
 * kind, strategy, mode, index cache, file or memory. All must give the bytes of one plain decode
 * that ran alone.
 *
 *   node scripts/determinism.mjs [--repetitions 100] [--at-once 8] [--seed N]
 *
 * Needs a build and the fixtures (npm test makes both). Prints JSON; exit status 1 when anything
 * differs.
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import {
  bad,
  good,
  hashOf,
  inParallel,
  loadPackage,
  Outcomes,
  seeded,
} from './lib/mixed-calls.mjs';

const { values } = parseArgs({
  options: {
    repetitions: { type: 'string', default: '100' },
    'at-once': { type: 'string', default: '8' },
    seed: { type: 'string', default: '1' },
  },
});
const api = loadPackage();
const random = seeded(Number(values.seed));

const ways = [0, 1, 2, 4].flatMap((decodeThreads) =>
  ['auto', 'frame', 'slice'].flatMap((decodeThreadType) =>
    ['auto', 'seek', 'stream'].flatMap((uniformStrategy) =>
      ['throughput', 'latency'].map((decodeMode) => ({
        ...{ decodeThreads, decodeThreadType, uniformStrategy, decodeMode },
      })),
    ),
  ),
);
const plain = {
  ...{ decodeThreads: 1, decodeThreadType: 'slice', uniformStrategy: 'stream' },
  ...{ decodeMode: 'latency', readerCacheSize: 0 },
};
const kinds = {
  block: { api: 'patchStream', sequenceLength: 7, kKeep: 128 },
  reference: { api: 'patchStream', sequenceLength: 4, kKeep: 64, energy: 'reference' },
  frames: { api: 'decodeOnly', sequenceLength: 5 },
};

async function outcomeOf(kind, videoPath, way) {
  const { api: name, ...options } = kinds[kind];
  try {
    const result = await api[name]({ ...options, ...way, videoPath, backend: 'cpu' });
    const hash = hashOf(result);
    result.close();
    return hash;
  } catch (error) {
    if (error.name !== 'CodecPatchStreamError') throw error;
    return error.code;
  }
}

const kindOf = (r) => (r % 10 === 9 ? 'reference' : r % 5 === 3 ? 'frames' : 'block');
const repetitions = Number(values.repetitions);
const used = new Set(Array.from({ length: repetitions }, (_, r) => kindOf(r)));

const files = [...good, ...bad];
const outcomes = new Outcomes();
const differing = new Set();
const perKind = { block: 0, reference: 0, frames: 0 };
for (const file of files) {
  for (const kind of used) {
    const outcome = await outcomeOf(kind, file, plain);
    outcomes.isSame(`${kind} ${file}`, outcome);
    if (good.includes(file) && outcome.startsWith('ERR_')) differing.add(`${file}: ${outcome}`);
  }
}

// A fixture takes the next way with each repetition, so all were there after 72, and every tenth and
// fifth is of another kind. The fixtures take turns in a random order, so neighbours in the pool differ.
const started = performance.now();
const jobs = Array.from({ length: repetitions }, (_, r) =>
  files.map((file, shift) => ({ file, r, shift })),
).flat();
for (let i = jobs.length - 1; i > 0; i--) {
  const j = Math.floor(random() * (i + 1));
  [jobs[i], jobs[j]] = [jobs[j], jobs[i]];
}
await inParallel(0, jobs.length, Number(values['at-once']), Infinity, async (i) => {
  const { file, r, shift } = jobs[i];
  const kind = kindOf(r);
  const way = { ...ways[(r + shift) % ways.length], readerCacheSize: random.of([0, 8, 200]) };
  const videoPath = random() < 0.25 ? fs.readFileSync(file) : file;
  const outcome = await outcomeOf(kind, videoPath, way);
  perKind[kind] += 1;
  if (!outcomes.isSame(`${kind} ${file}`, outcome)) {
    differing.add(`${kind} ${path.basename(file)} ${JSON.stringify(way)}: ${outcome}`);
  }
});

console.log(
  JSON.stringify(
    {
      machine: { node: process.version, cores: os.availableParallelism() },
      ...{ files: files.length, repetitions, ways: ways.length, calls: jobs.length, perKind },
      seconds: Math.round((performance.now() - started) / 1000),
      differing: [...differing].slice(0, 50),
    },
    null,
    1,
  ),
);
process.exitCode = differing.size > 0 ? 1 : 0;
