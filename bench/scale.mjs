#!/usr/bin/env node
/**
 * node bench/scale.mjs [CLIP.mp4] [--rows 120] [--input videomae] [--times 2]
 *
 * What the sharing of work costs, on two processors: extract by two processes of one thread each, as two
 * independent runs of half a list and as two shares of one; by one process with two threads; and the same
 * videos by modelInputs alone, with nothing written. One after the other, `times` rounds.
 */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../scripts/lib/shell.mjs';

const { values, positionals } = parseArgs({
  options: {
    rows: { type: 'string', default: '120' },
    input: { type: 'string', default: 'videomae' },
    times: { type: 'string', default: '2' },
  },
  allowPositionals: true,
});
const clip = path.resolve(positionals[0] ?? path.join(root, 'assets', 'sample.mp4'));
const rows = Number(values.rows);
const main = path.join(root, 'packages', 'cli', 'dist', 'main.js');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-scale-'));

function list(name, count) {
  const file = path.join(folder, name);
  fs.writeFileSync(file, `${clip}\n`.repeat(count));
  return file;
}
const whole = list('whole.txt', rows);
const half = list('half.txt', rows / 2);

/** Runs Node on some processors; gives the most memory it had, in MB, and the processor seconds that it took. */
function node(cpus, args) {
  return new Promise((done, failed) => {
    const child = spawn('taskset', ['-c', cpus, process.execPath, ...args], { stdio: 'inherit' });
    let [peak, cpu] = [0, 0];
    const watch = setInterval(() => {
      try {
        const status = fs.readFileSync(`/proc/${child.pid}/status`, 'utf8');
        peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1000);
        const stat = fs.readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
        cpu = (Number(stat[11]) + Number(stat[12])) / 100;
      } catch {
        // It has ended.
      }
    }, 100);
    child.on('exit', (status) => {
      clearInterval(watch);
      if (status === 0) done({ peak, cpu });
      else failed(new Error(`${args.join(' ')} ended with ${status}`));
    });
  });
}

const extract = (cpus, file, out, ...more) =>
  node(cpus, [
    ...[main, 'extract', file, '--input', values.input, '--out', path.join(folder, out)],
    ...['--shard-videos', '10', '--json', ...more],
  ]);
const one = ['--threads', '1', '--jobs', '2'];

const decodeAlone = `
  const { setThreads } = require('codec-patch-stream');
  const { modelInputs } = require('codec-patch-stream/inputs');
  setThreads(2);
  let left = ${rows};
  const work = async () => { while (left-- > 0) (await modelInputs(${JSON.stringify(clip)}, '${values.input}')).close(); };
  Promise.all([work(), work()]);
`;

const variants = {
  'two halves, independent': () =>
    Promise.all([extract('0', half, 'a', ...one), extract('1', half, 'b', ...one)]),
  'two shares of one list': () =>
    Promise.all([0, 1].map((i) => extract(String(i), whole, 'c', ...one, '--shard', `${i}/2`))),
  'one process, two threads': () =>
    Promise.all([extract('0,1', whole, 'd', '--threads', '2', '--jobs', '2')]),
  'modelInputs alone, nothing written': () => Promise.all([node('0,1', ['-e', decodeAlone])]),
};

const results = {};
for (let round = 0; round < Number(values.times); round++) {
  for (const [name, run] of Object.entries(variants)) {
    for (const out of ['a', 'b', 'c', 'd'])
      fs.rmSync(path.join(folder, out), { recursive: true, force: true });
    const begin = performance.now();
    const runs = await run();
    const seconds = (performance.now() - begin) / 1000;
    const peak = Math.max(...runs.map((one) => one.peak));
    const cpu = runs.reduce((sum, one) => sum + one.cpu, 0) / rows;
    (results[name] ??= []).push({ rate: rows / seconds, peak, cpu });
  }
}
fs.rmSync(folder, { recursive: true, force: true });
console.error(`${rows} videos, ${path.basename(clip)}, ${values.input}`);
for (const [name, all] of Object.entries(results)) {
  const best = Math.max(...all.map(({ rate }) => rate));
  const rates = all.map(({ rate }) => rate.toFixed(2)).join(', ');
  const peak = Math.max(...all.map(({ peak: mb }) => mb)).toFixed(0);
  const cpus = all.map(({ cpu }) => (cpu * 1000).toFixed(0)).join(', ');
  console.error(
    `${name}: best ${best.toFixed(2)} videos/s (${rates}), ${cpus} ms of a processor a video, ` +
      `${peak} MB a process at most`,
  );
}
