#!/usr/bin/env node
/**
 * Installs peers that no distribution has into .cache/bench/peers (npm and pip, nothing global).
 * What cannot be installed stays absent, and the benchmark names it.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { run, step } from '../../scripts/lib/shell.mjs';
import { cacheDir } from '../lib/clips.mjs';

const folder = path.join(cacheDir, 'peers');
const python = path.join(folder, 'py');
fs.mkdirSync(folder, { recursive: true });

step('node-av, Mediabunny, @napi-rs/webcodecs');
const manifest = path.join(folder, 'package.json');
if (!fs.existsSync(manifest)) fs.writeFileSync(manifest, '{ "private": true }\n');
const packages = ['node-av', 'mediabunny', '@mediabunny/server', '@napi-rs/webcodecs'];
await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', ...packages], {
  cwd: folder,
});

if (!fs.existsSync(python)) await run('python3', ['-m', 'venv', python]);
// torchcodec's wheels go with one torch each, and want the one for CUDA, on machines without it, too.
const torchcodec = 'torch==2.14.1 torchvision==0.29.1 torchcodec==0.17.0';
for (const name of ['av', 'opencv-python-headless', 'decord', torchcodec, 'transformers==5.18.0']) {
  step(name);
  const pip = ['-m', 'pip', 'install', '-q', '--only-binary', ':all:', ...name.split(' ')];
  const code = await run(path.join(python, 'bin', 'python'), pip);
  if (code !== 0) process.stderr.write(`    ${name} could not be installed\n`);
}
