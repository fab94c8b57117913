#!/usr/bin/env node
/**
 * What importing the package takes, beside sharp: each in a process of its own, by turns, and the median of them. The
 * package loads its addon in the first call, sharp at once, so the package with its addon is a line of its own.
 *
 *   node scripts/prebuild/import-time.mjs FOLDER [TIMES]      FOLDER: a project with the package and sharp installed
 */
import { execFileSync } from 'node:child_process';

const LOADS = {
  'codec-patch-stream': { name: 'codec-patch-stream', then: '' },
  'codec-patch-stream and its addon': { name: 'codec-patch-stream', then: '.buildInfo()' },
  sharp: { name: 'sharp', then: '' },
};
const KINDS = {
  import: { type: 'module', load: (name) => `(await import('${name}'))` },
  require: { type: 'commonjs', load: (name) => `require('${name}')` },
};
const [cwd = '.', times = '15'] = process.argv.slice(2);
const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];

for (const [kind, { type, load }] of Object.entries(KINDS)) {
  const rows = Object.entries(LOADS).map(([what, { name, then }]) => ({
    what,
    script: `const at = performance.now(); ${load(name)}${then}; console.log(performance.now() - at);`,
    taken: [],
  }));
  for (let turn = 0; turn < Number(times); turn++) {
    for (const { script, taken } of rows) {
      const args = [`--input-type=${type}`, '-e', script];
      taken.push(Number(execFileSync(process.execPath, args, { cwd, encoding: 'utf8' })));
    }
  }
  for (const { what, taken } of rows) {
    console.log(`${kind.padEnd(7)} ${median(taken).toFixed(1).padStart(6)} ms  ${what}`);
  }
}
