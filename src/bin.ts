#!/usr/bin/env node
/**
 * `npx codec-patch-stream`: the command line is a package of its own, so that programs that only
 * want patches do not carry its tables and pictures along. Runs it where it is installed.
 */
import { createRequire } from 'node:module';
import * as path from 'node:path';

const CLI = 'codec-patch-stream-cli';

/** From where the command was typed first, then beside this package. */
function find(): string | undefined {
  for (const from of [path.join(process.cwd(), 'package.json'), __filename]) {
    try {
      return createRequire(from).resolve(CLI);
    } catch {
      // Not installed there.
    }
  }
  return undefined;
}

const main = find();
if (main === undefined) {
  process.stderr.write(
    `The command line of codec-patch-stream is a package of its own. Install it, then type the same again:\n\n` +
      `  npm install --save-dev ${CLI}\n\n` +
      `or run it once:  npx ${CLI} VIDEO\n`,
  );
  process.exitCode = 1;
} else {
  // In this process: signals, pipes and exit status are its own.
  createRequire(__filename)(main);
}
