/** What is left behind and who survives, in processes of their own. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { writeClips } from '../../../examples/lib/clips.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-tfjs-process-'));
beforeAll(() => void writeClips(folder, 24, 5, { size: 48, frames: 6 }));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

/** Fails if the process does not end with status 0, e.g. because of an unhandled rejection. */
function child<T>(scenario: string, ...args: string[]): T {
  const script = path.join(__dirname, '../../helpers/adapters-child.cjs');
  const argv = ['--expose-gc', script, scenario, folder, ...args];
  return JSON.parse(execFileSync(process.execPath, argv, { encoding: 'utf8' })) as T;
}

interface Held {
  tensors: number;
  files: number;
  nativeBytes: number;
  calls: number;
}
interface Left {
  before: Held;
  after: Held;
  outcome: unknown;
}

test.each([
  ['epoch', 12],
  ['takeTwo', 2],
  ['abandoned', 2],
  ['error', expect.stringContaining('missing.mp4')],
  ['abort', 'AbortError'],
])('%s: tensors, native memory and files are back within a second', (scenario, outcome) => {
  const left = child<Left>(scenario);
  expect(left.outcome).toEqual(outcome);
  expect(left.after).toEqual(left.before);
  expect(left.after).toMatchObject({ nativeBytes: 0, calls: 0 });
});

test('a rejection that nobody awaits yet does not end the process, and still arrives', () => {
  const result = child<{ message: string; third: boolean; over: boolean }>('unawaited');
  expect(result.message).toContain(path.join(folder, 'missing.mp4'));
  expect(result).toMatchObject({ third: false, over: true });
});

test('videos do not wait in memory until their batch is full', () => {
  // The one being copied, two ahead, and a little for scores and fields; not all 24.
  const most = child<Record<'clip' | 'patch', number>>('waiting');
  for (const clips of Object.values(most)) {
    expect(clips).toBeGreaterThan(0.9);
    expect(clips).toBeLessThan(4);
  }
});

test('memory is not used again while a tensor has it', () => {
  const { same, shared } = child<{ same: boolean[][]; shared: boolean[] }>('reuse');
  expect(same).toEqual(Array(4).fill(Array(5).fill(true)));
  expect(shared).toEqual([true, true, true, false, false]);
});

test('a backend with memory of its own gets the same values', () => {
  const result = { backend: 'wasm', near: true, same: true, left: [0, 0] };
  expect(child('wasm')).toEqual(result);
});

test('ten epochs: resident memory is flat (bench/soak-tfjs.mjs does it with 200 clips)', () => {
  const { rss, tensors, nativeBytes } = child<{ rss: number[] } & Held>('soak', '10');
  expect({ tensors, nativeBytes }).toEqual({ tensors: 0, nativeBytes: 0 });
  expect(slope(rss.slice(2))).toBeLessThan(1);
});

/** Of the line of least squares, per step. */
function slope(values: readonly number[]): number {
  const n = values.length;
  const middle = (n - 1) / 2;
  const mean = values.reduce((sum, v) => sum + v, 0) / n;
  const top = values.reduce((sum, v, i) => sum + (i - middle) * (v - mean), 0);
  return top / values.reduce((sum, _, i) => sum + (i - middle) ** 2, 0);
}
