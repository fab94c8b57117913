/** The videos of a data set: named one by one, in folders, in lists. Read as often as needed, row by row. */
import {
  accessSync,
  constants,
  createReadStream,
  existsSync,
  readdirSync,
  statSync,
} from 'node:fs';
import { dirname, extname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { parse } from 'csv-parse';
import { HELP_HINT, UsageError } from '../files.js';
import type { Json, VideoRow } from './shards.js';
import { isRemote, localPath, SourceError } from './sources.js';

/** What files of a folder are taken for videos. */
const VIDEOS = new Set(
  ['.mp4', '.m4v', '.mov', '.mkv', '.webm', '.avi', '.ts', '.m2ts', '.mts', '.mpg', '.mpeg'].concat(
    [...['.wmv', '.flv', '.ogv', '.3gp', '.mxf', '.y4m']],
  ),
);
const LISTS = {
  '.csv': 'csv',
  '.tsv': 'tsv',
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.txt': 'txt',
} as const;
type ListKind = (typeof LISTS)[keyof typeof LISTS];

/** Names that KEY.json has for itself. */
const RESERVED = ['index', 'video', 'fromSec', 'toSec', 'files'];

type Record_ = Readonly<Record<string, Json>>;

/** One argument of the command line, as something that can be read again. */
interface Part {
  readonly where: string;
  records(): AsyncIterable<{ readonly record: Record_; readonly at: string }>;
}

export interface VideoList {
  /** Where relative paths begin. */
  readonly root: string;
  rows(): AsyncIterable<VideoRow>;
}

const wrong = (at: string, expected: string, received: unknown): UsageError =>
  new UsageError(`Expected ${expected} in ${at} but received ${JSON.stringify(received)}`);

function kindOf(first: string): ListKind {
  if (first.startsWith('{')) return 'jsonl';
  const has = (separator: string): boolean =>
    first.split(separator).some((name) => name.replace(/^"(.*)"$/, '$1') === 'path');
  if (first.includes('\t') && has('\t')) return 'tsv';
  return first === 'path' || (first.includes(',') && has(',')) ? 'csv' : 'txt';
}

function listPart(where: string, kind: ListKind, open: () => Readable): Part {
  async function* lines(): AsyncGenerator<[string, string]> {
    let number = 0;
    for await (const line of createInterface({ input: open(), crlfDelay: Infinity })) {
      const clean = number++ === 0 ? line.replace(/^\ufeff/, '') : line;
      if (clean.trim() !== '') yield [clean, `line ${number} of ${where}`];
    }
  }
  async function* records(): ReturnType<Part['records']> & AsyncGenerator {
    if (kind === 'txt') {
      for await (const [path, at] of lines()) yield { record: { path }, at };
    } else if (kind === 'jsonl') {
      for await (const [line, at] of lines()) {
        let record: unknown;
        try {
          record = JSON.parse(line);
        } catch {
          throw wrong(at, 'a JSON object', line);
        }
        if (typeof record !== 'object' || record === null || Array.isArray(record)) {
          throw wrong(at, 'a JSON object', record);
        }
        yield { record: record as Record_, at };
      }
    } else {
      const settings = { columns: true, bom: true, skip_empty_lines: true, info: true } as const;
      const parser = open().pipe(parse({ ...settings, delimiter: kind === 'tsv' ? '\t' : ',' }));
      try {
        for await (const one of parser as AsyncIterable<{
          record: Record_;
          info: { lines: number };
        }>) {
          yield { record: one.record, at: `line ${one.info.lines} of ${where}` };
        }
      } catch (error) {
        if ((error as { code?: string }).code?.startsWith('CSV_') !== true) throw error;
        throw new UsageError(`Could not read ${where}: ${(error as Error).message}`);
      }
    }
  }
  return { where, records };
}

const pathsPart = (where: string, paths: readonly string[]): Part => ({
  where,
  // eslint-disable-next-line @typescript-eslint/require-await -- as lists are read
  async *records() {
    for (const path of paths) yield { record: { path }, at: where };
  },
});

/** Videos below a folder, in the order of their paths. */
function folderPart(folder: string, base: string): Part {
  const names = readdirSync(join(base, folder), { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => VIDEOS.has(extname(name).toLowerCase()));
  if (files.length === 0) {
    throw new UsageError(`Expected videos in '${join(base, folder)}' but found none`);
  }
  return pathsPart(
    folder,
    files.sort().map((file) => join(folder, file)),
  );
}

async function stdinPart(): Promise<Part> {
  if (process.stdin.isTTY) {
    throw new UsageError("Expected a list on stdin for '-' but it is the terminal");
  }
  const all = await text(process.stdin);
  const [first = ''] = all.replace(/^\ufeff/, '').split(/\r?\n/, 1);
  return listPart('<stdin>', kindOf(first), () => Readable.from([all]));
}

async function firstLine(file: string): Promise<string> {
  for await (const line of createInterface({ input: createReadStream(file) })) {
    return line.replace(/^\ufeff/, '');
  }
  return '';
}

const nothingThere = (name: string): UsageError =>
  new UsageError(`Expected videos, folders or lists but there is no '${name}'`);

/** Whether a video of the command line is there. */
function isThere(argument: string, base: string): boolean {
  try {
    return existsSync(localPath(argument, base));
  } catch (error) {
    throw error instanceof SourceError ? new UsageError(error.message) : error;
  }
}

async function partOf(argument: string, base: string, alone: boolean): Promise<Part> {
  if (argument === '-') return stdinPart();
  if (isRemote(argument)) return pathsPart(argument, [argument]);
  const file = resolve(argument);
  const found = statSync(file, { throwIfNoEntry: false });
  const ofRoot = alone ? '.' : argument;
  if (found?.isDirectory()) return folderPart(ofRoot, alone ? file : process.cwd());
  const extension = extname(argument).toLowerCase();
  if (!Object.hasOwn(LISTS, extension)) {
    // A video that is gone is one that fails; what was to be a folder would begin a data set of nothing.
    if (!isThere(argument, base) && !VIDEOS.has(extension)) throw nothingThere(argument);
    return pathsPart(argument, [argument]);
  }
  if (!found) throw new UsageError(`Expected a list for '${argument}' but there is no such file`);
  try {
    accessSync(file, constants.R_OK);
  } catch (error) {
    throw new UsageError(`Could not read '${argument}': ${(error as NodeJS.ErrnoException).code}`);
  }
  const kind = extension === '.txt' ? kindOf(await firstLine(file)) : LISTS[extension as '.csv'];
  return listPart(argument, kind, () => createReadStream(file));
}

/** Seconds of a cell: a number, or nothing. */
function secondsOf(at: string, name: string, value: Json | undefined): number | null {
  if (value === undefined || value === null || value === '') return null;
  const seconds = Number(value);
  if (typeof value === 'object' || !Number.isFinite(seconds) || seconds < 0) {
    throw wrong(at, `seconds >= 0 for ${name}`, value);
  }
  return seconds;
}

const kindOfJson = (value: Json): string =>
  Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value;

/** Makes rows of records, all with the columns of the first one. */
class RowMaker {
  #names: readonly string[] | undefined;
  readonly #kinds = new Map<string, string>();
  #index = 0;

  row(record: Record_, at: string): VideoRow {
    const { path, from, to, ...columns } = record;
    if (typeof path !== 'string' || path === '') throw wrong(at, "a column 'path'", path ?? null);
    const reserved = RESERVED.find((name) => Object.hasOwn(columns, name));
    if (reserved !== undefined) {
      throw new UsageError(`Expected another name for column '${reserved}' in ${at}: it is taken`);
    }
    this.#check(record, columns, at);
    const fromSec = secondsOf(at, "column 'from'", from);
    const toSec = secondsOf(at, "column 'to'", to);
    if (fromSec !== null && toSec !== null && toSec <= fromSec) {
      throw wrong(at, `seconds > ${fromSec} for column 'to'`, to);
    }
    return {
      ...{ index: this.#index++, path },
      ...('from' in record || 'to' in record ? { fromSec, toSec } : {}),
      columns,
    };
  }

  /** Readers want the same columns, of one type each, in all samples. */
  #check(record: Record_, columns: Record_, at: string): void {
    const names = Object.keys(record);
    this.#names ??= names;
    const [missing] = this.#names.filter((name) => !names.includes(name));
    const [extra] = names.filter((name) => !(this.#names as readonly string[]).includes(name));
    if (missing !== undefined)
      throw wrong(at, `column '${missing}', which the first video has`, names);
    if (extra !== undefined)
      throw wrong(at, `no column '${extra}', which the first video has not`, names);
    for (const [name, value] of Object.entries(columns)) {
      const kind = kindOfJson(value);
      if (kind === 'null') continue;
      const before = this.#kinds.get(name) ?? kind;
      if (before !== kind) throw wrong(at, `${before} for column '${name}', as before`, value);
      this.#kinds.set(name, kind);
    }
  }
}

/**
 * The list that the arguments name: videos, folders, lists, '-' for a list on stdin. Relative paths
 * of a list that stands alone begin at its folder, all others where the command runs; `root` says otherwise.
 */
export async function videoList(
  given: readonly string[],
  root: string | undefined,
): Promise<VideoList> {
  const [first] = given;
  if (first === undefined) {
    throw new UsageError(`missing required argument 'videos'\n${HELP_HINT}`);
  }
  if (given.filter((one) => one === '-').length > 1) {
    throw new UsageError("Expected '-' (stdin) at most once");
  }
  const stats = statSync(first, { throwIfNoEntry: false });
  const isFolder = given.length === 1 && stats?.isDirectory() === true;
  const isList =
    given.length === 1 && stats?.isFile() === true && extname(first).toLowerCase() in LISTS;
  const own = isFolder ? resolve(first) : isList ? dirname(resolve(first)) : process.cwd();
  const base = root === undefined ? own : resolve(root);
  const isMissing = (one: string): boolean =>
    one !== '-' &&
    !isRemote(one) &&
    !Object.hasOwn(LISTS, extname(one).toLowerCase()) &&
    !isThere(one, base) &&
    !existsSync(one);
  if (given.every(isMissing)) throw nothingThere(first);
  const parts: Part[] = [];
  for (const one of given) parts.push(await partOf(one, base, isFolder));
  async function* rows(): AsyncGenerator<VideoRow> {
    const maker = new RowMaker();
    for (const part of parts) {
      for await (const { record, at } of part.records()) {
        yield maker.row(record, at);
      }
    }
  }
  return { root: base, rows };
}
