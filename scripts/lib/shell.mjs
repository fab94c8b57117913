/** Small helpers shared by the scripts. Node's own modules only: this runs before npm ci. */
import { spawn, spawnSync } from 'node:child_process';
import * as os from 'node:os';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');

/** An error whose message is meant for the person at the terminal, without a stack. */
export class Stop extends Error {}

/** Steps and remarks go to stderr: stdout belongs to the command itself. */
export function step(text) {
  process.stderr.write(`==> ${text}\n`);
}

/** Output of a command, or undefined when it is missing or fails. */
export function capture(command, args = [], options = {}) {
  const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 64 << 20, ...options });
  return result.status === 0 ? result.stdout.trim() : undefined;
}

export function has(command) {
  return capture('sh', ['-c', `command -v ${command}`]) !== undefined;
}

/** Runs with this terminal's streams; resolves to the exit status (128 + n for signal n). */
export function run(command, args = [], options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', ...options });
    child.on('error', (error) => reject(new Stop(`Could not start ${command}: ${error.message}`)));
    child.on('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 143)));
  });
}

/**
 * Runs quietly: output is kept and shown only when the command fails. For steps that nobody wants
 * to read when they work.
 */
export function runQuiet(command, args = [], options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...options,
    });
    const chunks = [];
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.stderr.on('data', (chunk) => chunks.push(chunk));
    child.on('error', (error) => reject(new Stop(`Could not start ${command}: ${error.message}`)));
    child.on('close', (code) => {
      if (code !== 0) process.stderr.write(Buffer.concat(chunks));
      resolve(code ?? 1);
    });
  });
}

/** All of these to their ends, then the first error. */
export async function together(...promises) {
  const ends = await Promise.allSettled(promises);
  const failed = ends.find(({ status }) => status === 'rejected');
  if (failed) throw failed.reason;
}

export async function must(promise, what) {
  const code = await promise;
  if (code !== 0) throw new Stop(`${what} failed (exit status ${code})`);
}

/** What `work` makes of each item, as many at once as there are processors. */
export async function inParallel(items, work) {
  const results = [];
  const left = items.entries();
  const next = async () => {
    for (const [place, item] of left) results[place] = await work(item);
  };
  await Promise.all(Array.from({ length: os.availableParallelism() }, next));
  return results;
}

/** Path of a command of an installed npm package. */
export function bin(name) {
  return path.join(root, 'node_modules', '.bin', name);
}
