/** Which files a pattern means: braces, wildcards, a folder, a manifest, or a list of these. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import type { Dirent, Stats } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { invalid } from '../support/is.js';
import { absolutePath, isUrl, pathOfUrl } from '../support/paths.js';
import { messageOf } from '../support/errors.js';
import { corrupt, fileError, shardError, unsupported } from './bytes.js';

/**
 * Shards: `'out/shard-{000000..000009}.tar'`, `'out/*.tar'`, a folder that `extract` has written or its
 * manifest.json, or a list of these.
 */
export type ShardPattern = string | URL | readonly (string | URL)[];

/** A tensor of every sample, as the manifest has it. */
export interface ShardTensor {
  /** Its element type. */
  readonly dtype: string;
  /** Its shape; null where samples differ. */
  readonly shape: readonly (number | null)[];
}

/** The manifest.json that `extract` writes, as far as it is read here. */
export interface ShardManifest {
  /** How the tensors were made. */
  readonly recipe?: unknown;
  /** The tensors of each sample, by name. */
  readonly tensors: Readonly<Record<string, ShardTensor>>;
}

/** The files of a pattern. */
export interface ShardFiles {
  readonly files: readonly string[];
  /** Samples of each file, where a manifest says so. */
  readonly counts: readonly (number | undefined)[];
  /** Of the only manifest. */
  readonly manifest: ShardManifest | undefined;
}

const MOST_FILES = 1_000_000;
const MANIFEST = 'manifest.json';
const FORMAT = 'codec-patch-stream shards';
const FORMAT_VERSION = 1;

/** {000..009} and {a,b} written out; other braces stay. */
export function expandBraces(pattern: string): string[] {
  const found = /\{(?:(\d{1,9})\.\.(\d{1,9})|([^{}]*,[^{}]*))\}/.exec(pattern);
  if (!found) return [pattern];
  const [whole, first, last, list] = found;
  const front = pattern.slice(0, found.index);
  const backs = expandBraces(pattern.slice(found.index + whole.length));
  let middles: string[];
  if (first !== undefined && last !== undefined) {
    const count = Number(last) - Number(first) + 1;
    if (count < 1) throw invalid('pattern', `${first} to a number that is not smaller`, pattern);
    if (count * backs.length > MOST_FILES) {
      throw invalid('pattern', `at most ${MOST_FILES} files`, pattern);
    }
    // As bash has it: zeros in front make them equally long.
    const isPadded = /^0\d/.test(first) || /^0\d/.test(last);
    const width = isPadded ? Math.max(first.length, last.length) : 0;
    middles = Array.from({ length: count }, (_, i) =>
      String(Number(first) + i).padStart(width, '0'),
    );
  } else {
    middles = (list as string).split(',');
  }
  return middles.flatMap((middle) => backs.map((back) => front + middle + back));
}

const hasWildcard = (text: string): boolean => /[*?]/.test(text);

/** '*' and '?' within one name. */
function matcher(segment: string): RegExp {
  const source = segment.replace(/[.+^${}()|[\]\\]/g, '\\$&').replace(/\*+/g, '[^/]*');
  return new RegExp(`^${source.replace(/\?/g, '[^/]')}$`, 's');
}

function namesIn(folder: string): Dirent[] {
  try {
    return readdirSync(folder === '' ? '.' : folder, { withFileTypes: true });
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return [];
    throw fileError(folder, error);
  }
}

const byCodeUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The files that match, in the order of their names. */
function matches(pattern: string): string[] {
  let found = [pattern.startsWith('/') ? '/' : ''];
  const segments = pattern.split('/').filter((segment) => segment !== '');
  segments.forEach((segment, i) => {
    const isLast = i === segments.length - 1;
    if (!hasWildcard(segment)) {
      found = found.map((front) => join(front, segment));
      return;
    }
    const fits = matcher(segment);
    found = found.flatMap((front) =>
      namesIn(front)
        // As in a shell: a wildcard means no hidden file.
        .filter((one) => fits.test(one.name) && !(one.name.startsWith('.') && segment[0] !== '.'))
        .filter((one) => !isLast || !one.isDirectory())
        .map((one) => join(front, one.name)),
    );
  });
  return found.sort(byCodeUnits);
}

function statOf(path: string): Stats {
  try {
    return statSync(path);
  } catch (error) {
    throw fileError(path, error);
  }
}

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0;

function isTensors(value: unknown): value is ShardManifest['tensors'] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((tensor: unknown) => {
    const { dtype, shape } = (tensor ?? {}) as { dtype?: unknown; shape?: unknown };
    const isShape = Array.isArray(shape) && shape.every((side) => side === null || isCount(side));
    return typeof dtype === 'string' && isShape;
  });
}

/** The shards of a manifest, beside it. */
function readManifest(path: string): ShardFiles {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw fileError(path, error);
  }
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch (error) {
    throw corrupt(path, `it is no JSON (${messageOf(error)})`);
  }
  const { format, formatVersion, layout, shards, tensors, recipe } = (read ?? {}) as Record<
    string,
    unknown
  >;
  if (format !== FORMAT) throw corrupt(path, `it is no manifest of '${FORMAT}'`);
  if (formatVersion !== FORMAT_VERSION) {
    const known = `Expected version ${FORMAT_VERSION} of the manifest`;
    throw unsupported(path, `${known} but it has ${String(formatVersion)}`);
  }
  if (layout !== 'webdataset') {
    throw unsupported(path, `Expected shards (layout 'webdataset') but it has ${String(layout)}`);
  }
  if (!Array.isArray(shards) || !isTensors(tensors)) throw corrupt(path, 'it lists no shards');
  const files: string[] = [];
  const counts: number[] = [];
  for (const shard of shards as unknown[]) {
    const { file, samples } = (shard ?? {}) as Record<string, unknown>;
    // Nothing but what lies beside it is read for a manifest.
    const isName = typeof file === 'string' && file !== '' && basename(file) === file;
    if (!isName || !isCount(samples))
      throw corrupt(path, 'a shard without a file name and samples');
    files.push(join(dirname(path), file));
    counts.push(samples);
  }
  return { files, counts, manifest: { recipe, tensors } };
}

function filesOf(given: unknown): ShardFiles {
  let pattern: string;
  if (isUrl(given)) {
    const found = pathOfUrl(given.href);
    if ('cause' in found) throw invalid('pattern', 'a file: URL', given.href, '', found.cause);
    pattern = found.path;
  } else if (typeof given === 'string' && given !== '' && !given.includes('\0')) {
    pattern = given;
  } else {
    throw invalid('pattern', 'a path, a pattern, a file: URL, or a list of these', given);
  }
  const found = expandBraces(absolutePath('pattern', pattern)).flatMap((path) =>
    hasWildcard(path) ? matches(path) : [path],
  );
  const parts = found.map((path): ShardFiles => {
    if (basename(path) === MANIFEST) return readManifest(path);
    if (!statOf(path).isDirectory()) {
      return { files: [path], counts: [undefined], manifest: undefined };
    }
    const manifest = join(path, MANIFEST);
    if (statSync(manifest, { throwIfNoEntry: false })) return readManifest(manifest);
    const files = matches(join(path, '*.tar'));
    return { files, counts: files.map(() => undefined), manifest: undefined };
  });
  return joined(parts);
}

function joined(parts: readonly ShardFiles[]): ShardFiles {
  const manifests = parts.filter(({ files }) => files.length > 0).map(({ manifest }) => manifest);
  return {
    files: parts.flatMap(({ files }) => files),
    counts: parts.flatMap(({ counts }) => counts),
    manifest: manifests.length === 1 ? manifests[0] : undefined,
  };
}

/** The files of `pattern`; the file system is asked at once, as nothing else needs it before the first sample. */
export function findShards(pattern: ShardPattern): ShardFiles {
  const list: readonly unknown[] = Array.isArray(pattern) ? pattern : [pattern];
  const found = joined(list.map(filesOf));
  if (found.files.length === 0) {
    const shown = list.length === 1 ? String(list[0]) : `a list of ${list.length}`;
    throw shardError('ERR_CPS_NOT_FOUND', 'open', shown, 'no shard is there');
  }
  const seen = new Set<string>();
  for (const file of found.files) {
    if (seen.has(file)) throw invalid('pattern', 'each shard once', file);
    seen.add(file);
  }
  return found;
}
