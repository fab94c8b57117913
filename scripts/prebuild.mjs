#!/usr/bin/env node
/**
 * The platform packages: packages/linux-x64 and packages/linux-arm64, the addon with FFmpeg inside, for glibc 2.28
 * and newer.
 *
 *   node scripts/prebuild.mjs [--arch x64|arm64]      (without: for this machine's processor)
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
  const { values } = parseArgs({ options: { arch: { type: 'string', default: process.arch } } });
  const file = await prebuild(values.arch);
  const mebibytes = (fs.statSync(file).size / 2 ** 20).toFixed(1);
  process.stdout.write(`${path.relative(process.cwd(), file)}: ${mebibytes} MiB\n`);
} catch (error) {
  process.stderr.write(`\n${error instanceof Stop ? error.message : error.stack}\n`);
  process.exitCode = 1;
}
