#!/usr/bin/env node
/**
 * The hostile corpus and the fuzz target under AddressSanitizer and UBSan, the concurrency tests under
 * ThreadSanitizer.
 *
 *   node scripts/sanitize.mjs                               as in .ci/run, a few minutes
 *   node scripts/sanitize.mjs --seconds 7200 --fuzz 3600    every case; an hour of fuzzing
 */
import { parseArgs } from 'node:util';
import { makeFixtures, cacheDir } from './fixtures.mjs';
import { runSanitized } from './lib/sanitize.mjs';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    fuzz: { type: 'string', default: '20' },
    'no-threads': { type: 'boolean', default: false },
  },
});
await makeFixtures();
const counts = await runSanitized(cacheDir, {
  seconds: Number(values.seconds),
  fuzzSeconds: Number(values.fuzz),
  threads: !values['no-threads'],
});
console.log(`sanitizers: ${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed > 0 ? 1 : 0;
