import { spawnSync } from 'node:child_process';
import * as path from 'node:path';
import { fixtures, repoRoot } from '../helpers/fixtures.js';
import { longForm } from '../helpers/long-form.js';

// The short forms of scripts/soak.mjs and scripts/determinism.mjs. What only means something on a
// quiet machine or after thousands of calls (event-loop delay, slope of the memory) is left to the
// long forms.
function script<R>(name: string, ...args: string[]): R {
  fixtures(); // Makes them where they are missing.
  const file = path.join(repoRoot, 'scripts', name);
  const run = spawnSync(process.execPath, [file, ...args], { encoding: 'utf8', timeout: 115_000 });
  expect([run.signal, run.stderr]).toEqual([null, '']);
  return JSON.parse(run.stdout) as R;
}

interface Soak {
  calls: Record<'done' | 'good' | 'refused' | 'aborted', number>;
  memory: { firstMiB: number; lastMiB: number };
  concurrent: { threads: { peak: number; allowed: number } };
  problems: string[];
}
const CALLS = longForm ? 240 : 160;
const soak = (): Soak =>
  script<Soak>('soak.mjs', '--calls', `${CALLS}`, '--streams', '64', '--rounds', '3');
const growth = ({ memory }: Soak): number => memory.lastMiB - memory.firstMiB;

test('soak: mixed calls come to the same each time, threads, files and memory stay', () => {
  const first = soak();
  const { calls, problems, concurrent } = first;
  expect(problems.filter((text) => !/^(event loop|memory)/.test(text))).toEqual([]);
  expect(calls.done).toBe(CALLS);
  expect(calls.good).toBeGreaterThan(CALLS * 0.6);
  expect(calls.refused).toBeGreaterThan(3);
  expect(calls.aborted).toBeGreaterThan(1);
  // Pools and caches still fill, by 20 to 45 MiB; a picture lost per call would be 30 more, in every
  // process.
  expect(growth(first) < 40 ? growth(first) : growth(soak())).toBeLessThan(40);
  expect(concurrent.threads.peak).toBeLessThanOrEqual(concurrent.threads.allowed);
});

test('determinism: every fixture gives the same bytes in every way, under load', () => {
  const { calls, differing } = script<{ calls: number; differing: string[] }>(
    'determinism.mjs',
    ...['--repetitions', longForm ? '2' : '1', '--seed', '7'],
  );
  expect(differing).toEqual([]);
  expect(calls).toBeGreaterThan((longForm ? 2 : 1) * 90);
});
