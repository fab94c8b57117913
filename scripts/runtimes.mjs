#!/usr/bin/env node
/**
 * The battery of runtimes by hand: node scripts/runtimes.mjs [PART OF A LINE'S NAME]. Needs what
 * `npm test` builds and makes; runtimes come from npm into build/runtimes.
 */
import * as path from 'node:path';
import { cacheDir } from './fixtures.mjs';
import { runRuntimes } from './lib/runtimes.mjs';

const video = path.join(cacheDir, 'h264_bpyramid.mp4');
const { failed } = await runRuntimes(video, { only: process.argv[2] ?? '' });
process.exitCode = failed > 0 ? 1 : 0;
