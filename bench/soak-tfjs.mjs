#!/usr/bin/env node
/**
 * Ten epochs over 200 short clips through patchDataset: resident memory after each, and how much it
 * grows per epoch after the second. Exits with 1 at 1 MB or more. Needs a build (npm run build).
 *
 *   node bench/soak-tfjs.mjs [--clips 200] [--epochs 10] [--no-gc]
 *
 * The garbage collector runs after each epoch; with --no-gc it runs when it likes, and only the
 * figures are printed: what it leaves lying about hides growth and looks like growth.
 */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import * as os from 'node:os';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    clips: { type: 'string', default: '200' },
    epochs: { type: 'string', default: '10' },
    'no-gc': { type: 'boolean', default: false },
  },
});
const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);
const node = (...args) => execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' });

node(require.resolve('typescript/bin/tsc'), '-p', 'tsconfig.examples.json');
const { writeClips } = require(path.join(root, 'build', 'examples', 'lib', 'clips.js'));
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-soak-'));
try {
  writeClips(folder, Number(values.clips), 1, { size: 64, frames: 24 });
  const child = path.join('test', 'helpers', 'adapters-child.cjs');
  const { rss, tensors, nativeBytes } = JSON.parse(
    node(...(values['no-gc'] ? [] : ['--expose-gc']), child, 'soak', folder, values.epochs),
  );
  const after = rss.slice(2);
  const middle = (after.length - 1) / 2;
  const mean = after.reduce((sum, v) => sum + v, 0) / after.length;
  const top = after.reduce((sum, v, i) => sum + (i - middle) * (v - mean), 0);
  const slope = top / after.reduce((sum, _, i) => sum + (i - middle) ** 2, 0);
  console.log(`resident memory after each epoch, MB: ${rss.map((v) => v.toFixed(1)).join(' ')}`);
  console.log(
    `${slope.toFixed(3)} MB per epoch after the second; tensors left ${tensors}, ` +
      `native bytes left ${nativeBytes}`,
  );
  const flat = slope < 1 && tensors === 0 && nativeBytes === 0;
  process.exitCode = flat || values['no-gc'] ? 0 : 1;
} finally {
  fs.rmSync(folder, { recursive: true });
}
