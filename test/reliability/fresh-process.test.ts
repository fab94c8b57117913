/**
 * A video that is decoded after another one, through the same pools, gives what it gives in a process
 * of its own. Of the fixtures that a decoder can be handed on between, `npm test` tries a pair of each
 * kind, .ci/run (CPS_LONG) up to three.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import type { Fixture } from '../helpers/fixtures.js';
import { fixturePath, fixtures, repoRoot } from '../helpers/fixtures.js';
import { longForm } from '../helpers/long-form.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-fresh-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

/** What each of these gives, decoded in this order in a new process. */
function outcomes(names: readonly string[]): string[] {
  const list = path.join(folder, 'list');
  fs.writeFileSync(list, names.map(fixturePath).join('\n'));
  const script = path.join(repoRoot, 'test', 'helpers', 'in-a-row-child.cjs');
  const run = spawnSync(process.execPath, [script, list], { encoding: 'utf8', maxBuffer: 1 << 26 });
  expect([run.status, run.stderr]).toEqual([0, '']);
  const found = run.stdout.split('\n');
  expect(found).toHaveLength(names.length);
  return found;
}

/** Videos of one codec and size, whose decoders the pool may take for each other's. */
function kinds(): Fixture[][] {
  const byKind = new Map<string, Fixture[]>();
  for (const clip of fixtures()) {
    const kind = `${clip.codec} ${clip.width}x${clip.height}`;
    byKind.set(kind, [...(byKind.get(kind) ?? []), clip]);
  }
  return [...byKind.values()].filter((clips) => clips.length > 1);
}

type Pair = readonly [before: string, after: string];

/** All pairs, or of each kind one: clips that are not neighbours in the list. */
function pairs(): Pair[] {
  return kinds().flatMap((clips) => {
    const all = clips.flatMap((a) =>
      clips.filter((b) => b !== a).map((b): Pair => [a.name, b.name]),
    );
    const step = Math.ceil(all.length / 2 - 0.5);
    const some = longForm ? [1, 2, 3] : [1];
    return [...new Set(some.map((i) => all[(i * step) % all.length]!))];
  });
}

test('a video after another one gives what it gives alone', () => {
  const tried = pairs();
  expect(tried.length).toBeGreaterThan(10);
  const inARow = outcomes(tried.flat());
  const alone = new Map([...new Set(tried.map(([, b]) => b))].map((b) => [b, outcomes([b])[0]]));
  // Most are decoded, and no two give the same.
  const hashes = [...alone.values()].filter((outcome) => !outcome!.startsWith('ERR_'));
  expect(hashes.length).toBeGreaterThan(0.9 * alone.size);
  const wrong = tried.filter(([, b], i) => inARow[2 * i + 1] !== alone.get(b));
  expect(wrong).toEqual([]);
});
