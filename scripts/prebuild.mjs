#!/usr/bin/env node
/**
 * The platform packages: packages/linux-x64, packages/linux-arm64 and packages/linux-x64-cuda, the addon with FFmpeg
 * inside, for glibc 2.28 and newer.
 *
 *   node scripts/prebuild.mjs [--arch x64|arm64]      (without: for this machine's processor)
 *   node scripts/prebuild.mjs --arch x64 --cuda       (with the GPU path: needs nvcc and NVDEC's headers)
 *
 * Debian's sources of zlib, dav1d and FFmpeg and this repository's are compiled by zig, on Debian 12, for either
 * processor on either. Some minutes the first time; the libraries are kept in build/prebuild.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { prebuild } from './lib/prebuild.mjs';
import { Stop } from './lib/shell.mjs';

try {
  const options = {
    arch: { type: 'string', default: process.arch },
    cuda: { type: 'boolean', default: false },
  };
  const { values } = parseArgs({ options });
  const file = await prebuild(values.arch, values);
  const mebibytes = (fs.statSync(file).size / 2 ** 20).toFixed(1);
  process.stdout.write(`${path.relative(process.cwd(), file)}: ${mebibytes} MiB\n`);
} catch (error) {
  process.stderr.write(`\n${error instanceof Stop ? error.message : error.stack}\n`);
  process.exitCode = 1;
}
