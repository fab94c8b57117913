#!/usr/bin/env node
/** Source files must stay readable in one sitting: at most 450 lines each; generated ones nobody reads. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { root } from './lib/shell.mjs';

const limit = 450;
const folders = ['src', 'adapters', 'native', 'cuda'];
const kinds = /\.(ts|mts|cts|h|hpp|c|cc|cpp|cu|cuh)$/;

const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '--', ...folders], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => kinds.test(file) && fs.existsSync(path.join(root, file)));
const long = files
  .map((file) => [file, fs.readFileSync(path.join(root, file), 'utf8')])
  .filter(([, text]) => !/^\/\/ Generated from .* do not edit\.$/m.test(text.slice(0, 200)))
  .map(([file, text]) => [file, text.split('\n').length - 1])
  .filter(([, lines]) => lines > limit);
for (const [file, lines] of long) console.error(`${file}: ${lines} lines, more than ${limit}`);
if (files.length === 0) console.error('no source files found: is this a git checkout?');
console.log(`file sizes: ${files.length} files, ${long.length} too long`);
process.exitCode = long.length > 0 || files.length === 0 ? 1 : 0;
