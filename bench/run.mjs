#!/usr/bin/env node
/**
 * npm run bench [-- --quick] [--only floor,stages,peers,growth,concurrency,energies,pixels,frames,inputs] [--longer N]
 *   [--out FILE.json]
 *
 * One run, interleaved repetitions, medians with spread; tables here, everything as JSON in
 * bench/results/local.json. `node bench/publish.mjs FILE.json` makes docs/lab/performance.md and the
 * figures of docs/performance.md from it. --longer N: N times as many rounds, for ratios close to 1.
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { buildNative } from '../scripts/lib/setup.mjs';
import { root, step, Stop } from '../scripts/lib/shell.mjs';
import { machineFacts } from './lib/machine.mjs';
import { benchPlan, idleClip } from './lib/plan.mjs';
import { checkTable, terminalTable } from './lib/report.mjs';
import { sections } from './lib/sections.mjs';
import { Package } from './lib/subjects.mjs';

/**
 * Rounds of all subjects of a table: up to `repetitions`, no more than `least` once `budgetMs` is
 * used up. Ratios that must hold at 5 % need tight medians; curves, and peers that take several
 * times as long, do not.
 */
const close = { repetitions: 7, least: 3, budgetMs: 90_000 };
const FULL = {
  floor: close,
  stages: close,
  peers: { repetitions: 3, least: 2, budgetMs: 60_000 },
  growth: { repetitions: 3, least: 2, budgetMs: 10_000 },
  energies: { repetitions: 5, least: 3, budgetMs: 90_000 },
  concurrency: { repetitions: 5, least: 3, budgetMs: 60_000 },
  pixels: close,
  inputs: close,
  frames: close,
};
const look = { repetitions: 3, least: 3, budgetMs: 12_000 };
const QUICK = {
  floor: look,
  stages: look,
  peers: look,
  growth: { repetitions: 1, least: 1, budgetMs: 3_000 },
  energies: look,
  concurrency: look,
  pixels: look,
  inputs: look,
  frames: look,
};

async function main() {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', default: Object.keys(sections).join(',') },
      longer: { type: 'string', default: '1' },
      out: { type: 'string' },
      'skip-build': { type: 'boolean', default: false },
    },
  });
  const { quick } = values;
  const longer = Number(values.longer);
  if (!(longer >= 1)) throw new Stop(`Expected --longer >= 1 but received ${values.longer}`);
  const names = values.only.split(',');
  for (const name of names) {
    if (!sections[name]) {
      const known = Object.keys(sections).join(', ');
      throw new Stop(`Expected --only with some of ${known} but received ${name}`);
    }
  }
  if (!values['skip-build'])
    await buildNative({ bench: true, target: ['cps_addon', 'cps_bench_programs'] });

  const out =
    values.out ?? path.join(root, 'bench', 'results', `local${quick ? '-quick' : ''}.json`);
  const threads = os.availableParallelism();
  const subject = new Package();
  await subject.server.ready;
  const report = {
    machine: machineFacts(await subject.ask({ what: 'info' })),
    quick,
    threads,
    sections: {},
    checks: [],
  };
  const context = {
    quick,
    threads,
    subject,
    idleClip,
    clips: benchPlan(quick),
    progress: (tables) => tables.forEach((t) => process.stdout.write(terminalTable(t))),
  };
  const started = performance.now();
  for (const name of names) {
    step(sections[name].title);
    const one = (quick ? QUICK : FULL)[name];
    const rounds = {
      ...one,
      repetitions: one.repetitions * longer,
      budgetMs: one.budgetMs * longer,
    };
    const data = await sections[name].run({ ...context, rounds });
    report.sections[name] = data;
    report.checks.push(...sections[name].checks(data));
    report.seconds = Math.round((performance.now() - started) / 1e3);
    report.machine.loadAfter = os.loadavg()[0];
    fs.mkdirSync(path.dirname(out), { recursive: true });
    fs.writeFileSync(out, `${JSON.stringify(report, null, 1)}\n`);
  }
  await subject.close();
  process.stdout.write(terminalTable(checkTable(report.checks)));
  process.stderr.write(`\n${report.seconds} s; ${path.relative(process.cwd(), out)}\n`);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`\n${error instanceof Stop ? error.message : error.stack}\n`);
  process.exitCode = 1;
}
