/** Many videos through model inputs: nothing native is left, and the process does not grow. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { writeClips } from '../../examples/lib/clips.js';
import { longForm } from '../helpers/long-form.js';

const COUNT = longForm ? 300 : 50;
/** Pools and allocators still fill up in the first of these; a lost tensor would be a MB per video. */
const MOST_GROWTH_MIB = 24;

test(`${COUNT} videos leave nothing behind`, () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-inputs-memory-'));
  writeClips(folder, 6, 1, { size: 96, frames: 24 });
  const child = path.join(__dirname, '../helpers/inputs-child.cjs');
  const run = spawnSync(process.execPath, ['--expose-gc', child, folder, String(COUNT)], {
    encoding: 'utf8',
  });
  fs.rmSync(folder, { recursive: true, force: true });
  expect([run.status, run.stderr]).toEqual([0, '']);
  const { rss, left } = JSON.parse(run.stdout) as { rss: number[]; left: object };
  expect(left).toEqual({ liveBuffers: 0, liveBytes: 0, callsInFlight: 0 });
  const settled = rss.slice(longForm ? 3 : 5);
  const growth = Math.max(...settled.slice(-2)) - Math.min(...settled.slice(0, 2));
  expect(growth).toBeLessThan(MOST_GROWTH_MIB);
});
