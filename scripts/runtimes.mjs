#!/usr/bin/env node
/**
 * The battery of runtimes by hand: node scripts/runtimes.mjs [--platform] [PART OF A LINE'S NAME]. Needs what
 * `npm test` builds and makes, with --platform what scripts/prebuild.mjs makes, too; runtimes come from npm into
 * build/runtimes.
 */
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { cacheDir } from './fixtures.mjs';
import { runRuntimes } from './lib/runtimes.mjs';

const video = path.join(cacheDir, 'h264_bpyramid.mp4');
const options = { platform: { type: 'boolean', default: false } };
const { values, positionals } = parseArgs({ options, allowPositionals: true });
const { failed } = await runRuntimes(video, { only: positionals[0] ?? '', ...values });
process.exitCode = failed > 0 ? 1 : 0;
