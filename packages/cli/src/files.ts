/** Files that are there whole or not at all, and folders that can be written to. */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

/** What is wrong with the command line or the places that it names: told without a stack. */
export class UsageError extends Error {}

/** Stands below an error of the command line itself. */
export const HELP_HINT = '(--help lists every option)';

/** '1 frame', '2 frames'. */
export const counted = (count: number, one: string): string =>
  `${count} ${one}${count === 1 ? '' : 's'}`;

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

export function isFolder(place: string): boolean {
  try {
    return statSync(place).isDirectory();
  } catch {
    return false; // What is in the way is told where it is written to.
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

/** Where a link that may lead nowhere yet leads. */
function linkTarget(file: string): string {
  let at = file;
  for (let links = 0; lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink(); links++) {
    if (links === 40) throw Object.assign(new Error(), { code: 'ELOOP' });
    at = resolve(realpathSync(dirname(at)), readlinkSync(at));
  }
  return at;
}

const LOOK_MS = 50;

/** Waits for a reader without holding a thread: a thread that waits in open() would hold up the end of the process. */
async function writeToPipe(file: string, data: string | Uint8Array): Promise<void> {
  let fd: number | undefined;
  while (fd === undefined) {
    try {
      fd = openSync(file, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if (reasonOf(error) !== 'ENXIO') throw error;
      await wait(LOOK_MS);
    }
  }
  let socket: Socket;
  try {
    socket = new Socket({ fd, readable: false, writable: true });
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  await new Promise<void>((done, failed) => {
    socket.on('error', failed);
    socket.on('close', () => done());
    socket.end(data);
  });
}

/**
 * Writes a file under another name and then moves it in place. No signal is heard in between: both are
 * synchronous, so that an interrupted run leaves no half a file. A link stays and its target is replaced; what
 * is no regular file (a pipe, a device) is written to, never replaced.
 */
export async function writeWhole(file: string, data: string | Uint8Array): Promise<void> {
  let part: string | undefined;
  try {
    const found = statSync(file, { throwIfNoEntry: false });
    if (found?.isFIFO()) return await writeToPipe(file, data);
    if (found !== undefined && !found.isFile()) return await writeFile(file, data);
    const target = found === undefined ? linkTarget(file) : realpathSync(file);
    // A name of its own: other processes may be writing the same file. Short, as the file's may be as long as names can be.
    part = join(dirname(target), `.${process.pid}.part`);
    writeFileSync(part, data);
    renameSync(part, target);
  } catch (error) {
    if (part !== undefined) rmSync(part, { force: true });
    throw new UsageError(`Could not write '${file}': ${reasonOf(error)}`);
  }
}

/** Removes files of an earlier run, which would otherwise stay among the new ones. */
export function removeMatching(folder: string, pattern: RegExp): void {
  for (const name of readdirSync(folder)) {
    if (pattern.test(name)) rmSync(join(folder, name));
  }
}
