#!/usr/bin/env node
/**
 * The hostile corpus and the fuzz targets under AddressSanitizer and UBSan, the concurrency tests
 * under ThreadSanitizer.
 *
 *   node scripts/sanitize.mjs                           as in .ci/run, a few minutes
 *   node scripts/sanitize.mjs --full                    every case and every native test; hours
 *   node scripts/sanitize.mjs --full --fuzz 3600        and an hour of each fuzz target
 *   node scripts/sanitize.mjs --full --seconds 600      at most ten minutes of the corpus
 */
import { parseArgs } from 'node:util';
import { makeFixtures, cacheDir } from './fixtures.mjs';
import { ensureSystem, sanitizeNeeds } from './lib/system.mjs';
import { ensurePackages } from './lib/setup.mjs';
import { runSanitized } from './lib/sanitize.mjs';

const { values } = parseArgs({
  options: {
    full: { type: 'boolean', default: false },
    seconds: { type: 'string' },
    fuzz: { type: 'string' },
  },
});
await ensureSystem(sanitizeNeeds);
await ensurePackages();
await makeFixtures();
const counts = await runSanitized(cacheDir, {
  full: values.full,
  ...(values.seconds === undefined ? {} : { seconds: Number(values.seconds) }),
  ...(values.fuzz === undefined ? {} : { fuzzSeconds: Number(values.fuzz) }),
});
console.log(`sanitizers: ${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed > 0 ? 1 : 0;
