#!/usr/bin/env node
/**
 * node bench/compare.mjs FOLDER [--quick] [--only clips,streams,memory]
 *
 * This build against the one in another checkout (built there with `npm run build`), call by call in
 * turn: on the clips of the sections floor and stages, with many streams at once, and by peak memory.
 * The column noise compares this build with itself, from two processes: what that differs from 1 is
 * the noise of the run.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { root, Stop } from '../scripts/lib/shell.mjs';
import { ensureClip } from './lib/clips.mjs';
import { ms, range } from './lib/format.mjs';
import { interleave, ratio } from './lib/measure.mjs';
import { benchPlan, idleClip } from './lib/plan.mjs';
import { terminalTable } from './lib/report.mjs';
import { Package, peakMemory } from './lib/subjects.mjs';

const COMPARED = ['ms', 'cpuMs'];
const HEAD = ['now ms', 'before ms', 'now/before', 'noise', 'CPU time', 'noise'];
const cells = (results) => [
  ms(results.now),
  ms(results.before),
  ...COMPARED.flatMap((key) => [
    range(ratio(results, 'now', 'before', key)),
    range(ratio(results, 'again', 'now', key)),
  ]),
];
const each = (builds, subject) =>
  Object.fromEntries(Object.entries(builds).map(([name, build]) => [name, subject(build)]));
const show = (title, head, rows) => process.stdout.write(terminalTable({ title, head, rows }));

/** Calls one after the other, on the clips of floor and stages. */
async function clips({ builds, rounds, plan: { floor, stages } }) {
  for (const { clip, frames = 16 } of [...floor, ...stages.slice(1)]) {
    const file = await ensureClip(clip);
    const rows = [];
    for (const call of ['patchStream', 'decodeOnly']) {
      if (call === 'decodeOnly' && frames > 16) continue;
      const subjects = each(builds, (build) => build.call(call, file, frames));
      rows.push([call, ...cells(await interleave(subjects, rounds))]);
    }
    show(`${clip.name}, ${frames} frames`, ['call', ...HEAD], rows);
  }
}

/** Many calls at once in one process. */
async function streams({ builds, rounds, plan: { concurrency } }) {
  const { clip, frames } = concurrency;
  const options = {
    videoPath: await ensureClip(clip),
    sequenceLength: frames,
    backend: 'cpu',
    readerCacheSize: 0,
  };
  const videos = Math.max(8, ...concurrency.streams);
  const rows = [];
  for (const n of concurrency.streams) {
    const request = { what: 'many', streams: n, videos, options };
    const subjects = each(builds, (build) => () => build.ask(request));
    rows.push([n, ...cells(await interleave(subjects, rounds))]);
  }
  show(`${clip.name}, ${videos} calls`, ['streams', ...HEAD], rows);
}

/** Peak memory of one call in a fresh process, three times each. */
async function memory({ folders, plan: { floor, stages } }) {
  const idle = await ensureClip(idleClip);
  const mib = (bytes) => (bytes / 2 ** 20).toFixed(1);
  const rows = [];
  for (const { clip, frames = 16 } of [...floor, ...stages.slice(1)]) {
    const file = await ensureClip(clip);
    for (const call of ['patchStream', 'decodeOnly']) {
      const peaks = { now: [], before: [] };
      for (let i = 0; i < 3; i++) {
        for (const [name, folder] of Object.entries(folders)) {
          const reply = await peakMemory(call, file, frames, idle, {}, folder);
          if (reply.error) throw new Stop(`${clip.name}: ${reply.error}`);
          peaks[name].push(reply.bytes);
        }
      }
      const cell = (all) =>
        all
          .sort((a, b) => a - b)
          .map(mib)
          .join(' / ');
      rows.push([`${clip.name}, ${frames}`, call, cell(peaks.now), cell(peaks.before)]);
    }
  }
  show('Peak memory', ['clip, frames', 'call', 'now MiB', 'before MiB'], rows);
}

const PARTS = { clips, streams, memory };

async function main() {
  const { values, positionals } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', default: Object.keys(PARTS).join(',') },
    },
    allowPositionals: true,
  });
  const [other] = positionals.map((folder) => path.resolve(folder));
  if (!other || !fs.existsSync(path.join(other, 'dist', 'src', 'index.js')))
    throw new Stop(`Expected a checkout that was built but received ${other}`);
  const wanted = values.only.split(',');
  for (const name of wanted) {
    if (!PARTS[name]) {
      const known = Object.keys(PARTS).join(', ');
      throw new Stop(`Expected --only with some of ${known} but received ${name}`);
    }
  }
  const builds = { now: new Package(), again: new Package(), before: new Package(other) };
  for (const build of Object.values(builds)) await build.server.ready;
  const rounds = { repetitions: values.quick ? 5 : 9, least: 5, budgetMs: 60_000 };
  const context = {
    builds,
    rounds,
    folders: { now: root, before: other },
    plan: benchPlan(values.quick),
  };
  for (const name of wanted) await PARTS[name](context);
  for (const build of Object.values(builds)) await build.close();
}

try {
  await main();
} catch (error) {
  process.stderr.write(`\n${error instanceof Stop ? error.message : error.stack}\n`);
  process.exitCode = 1;
}
