/** Files that are there whole or not at all, and folders that can be written to. */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** What is wrong with the command line or the places that it names: told without a stack. */
export class UsageError extends Error {}

const reasonOf = (error: unknown): string => (error as { code?: string }).code ?? String(error);

/** Folders that this run made, to be taken back if nothing came into them. */
const made: string[] = [];

/** Makes what is missing of the path; Node's own way (`recursive`) never ends where nothing can be made, as in /proc. */
function makeFolders(place: string): void {
  const missing: string[] = [];
  for (let at = place; !existsSync(at); at = dirname(at)) missing.unshift(at);
  for (const folder of missing) {
    try {
      mkdirSync(folder);
      made.push(folder);
    } catch (error) {
      // Another process has made it.
      if (reasonOf(error) !== 'EEXIST') throw error;
    }
  }
}

/** Makes the folder `folder` of `flag` with all above it; an error that says what is in the way. */
export function ensureFolder(flag: string, folder: string): void {
  const place = resolve(folder);
  const wrong = (why: string): UsageError =>
    new UsageError(
      `Expected a folder that can be written to for ${flag} but received '${folder}': ${why}`,
    );
  let isFile: boolean;
  try {
    isFile = statSync(place, { throwIfNoEntry: false })?.isDirectory() === false;
  } catch (error) {
    const code = reasonOf(error);
    throw wrong(code === 'ENOTDIR' ? 'a part of it is a file' : code);
  }
  if (isFile) throw wrong('it is a file');
  try {
    makeFolders(place);
    accessSync(place, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw wrong(reasonOf(error));
  }
}

/** Takes back folders that this run made for nothing. */
export function forgetEmptyFolders(): void {
  for (const folder of made.sort((a, b) => b.length - a.length)) {
    try {
      rmdirSync(folder);
    } catch {
      // Something is in it.
    }
  }
  made.length = 0;
}

/**
 * Writes a file under another name and then moves it in place. No signal is heard in between: both are
 * synchronous, so that an interrupted run leaves no half a file.
 */
export function writeWhole(file: string, data: string | Uint8Array): void {
  const part = `${file}.part`;
  try {
    writeFileSync(part, data);
    renameSync(part, file);
  } catch (error) {
    rmSync(part, { force: true });
    throw new UsageError(`Could not write '${file}': ${reasonOf(error)}`);
  }
}

/** Removes files of an earlier run, which would otherwise stay among the new ones. */
export function removeMatching(folder: string, pattern: RegExp): void {
  for (const name of readdirSync(folder)) {
    if (pattern.test(name)) rmSync(join(folder, name));
  }
}
