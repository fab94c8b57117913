#!/usr/bin/env node
/**
 * node bench/compare.mjs FOLDER [--quick]
 *
 * This build against the one in another checkout (built there with `npm run build`), call by call in
 * turn, on the clips of the sections floor and stages. The second column of each call compares this
 * build with itself, from two processes: what that differs from 1 is the noise of the run.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { Stop } from '../scripts/lib/shell.mjs';
import { ensureClip } from './lib/clips.mjs';
import { ms, range } from './lib/format.mjs';
import { interleave, ratio } from './lib/measure.mjs';
import { benchPlan } from './lib/plan.mjs';
import { terminalTable } from './lib/report.mjs';
import { Package } from './lib/subjects.mjs';

async function main() {
  const { values, positionals } = parseArgs({
    options: { quick: { type: 'boolean', default: false } },
    allowPositionals: true,
  });
  const [other] = positionals.map((folder) => path.resolve(folder));
  if (!other || !fs.existsSync(path.join(other, 'dist', 'src', 'index.js')))
    throw new Stop(`Expected a checkout that was built but received ${other}`);
  const builds = { now: new Package(), again: new Package(), before: new Package(other) };
  for (const build of Object.values(builds)) await build.server.ready;
  const { floor, stages } = benchPlan(values.quick);
  const rounds = { repetitions: values.quick ? 5 : 9, least: 5, budgetMs: 60_000 };
  for (const { clip, frames = 16 } of [...floor, ...stages.slice(1)]) {
    const file = await ensureClip(clip);
    const rows = [];
    for (const call of ['patchStream', 'decodeOnly']) {
      if (call === 'decodeOnly' && frames > 16) continue;
      const subjects = Object.fromEntries(
        Object.entries(builds).map(([name, build]) => [name, build.call(call, file, frames)]),
      );
      const results = await interleave(subjects, rounds);
      rows.push([
        call,
        ms(results.now),
        ms(results.before),
        ...['ms', 'cpuMs'].flatMap((key) => [
          range(ratio(results, 'now', 'before', key)),
          range(ratio(results, 'again', 'now', key)),
        ]),
      ]);
    }
    const head = ['call', 'now ms', 'before ms', 'now/before', 'noise', 'CPU time', 'noise'];
    process.stdout.write(terminalTable({ title: `${clip.name}, ${frames} frames`, head, rows }));
  }
  for (const build of Object.values(builds)) await build.close();
}

try {
  await main();
} catch (error) {
  process.stderr.write(`\n${error instanceof Stop ? error.message : error.stack}\n`);
  process.exitCode = 1;
}
