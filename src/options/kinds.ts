/**
 * The kinds of value that the schema (src/options/schema.ts) is made of: each checks and describes
 * itself.
 */
import { types } from 'node:util';
import { checkInteger, checkNumber, invalid, isDetached, rangeText } from '../support/is.js';
import { absolutePath, isUrl, pathOfUrl } from '../support/paths.js';
import { NativeSource } from '../native/source.js';
import type { VideoSource } from '../native/source.js';
import type { NativeInput } from '../native/video.js';
import { nativeVideoOf } from '../native/video-handles.js';

export type Api = 'decodeOnly' | 'patchStream';

// Of an option's `apis`.
export const BOTH: readonly Api[] = ['decodeOnly', 'patchStream'];
export const PATCHES_ONLY: readonly Api[] = ['patchStream'];
export const FRAMES_ONLY: readonly Api[] = ['decodeOnly'];

/** The largest of what the addon counts in 32 bits. */
export const INT32_MAX = 2 ** 31 - 1;

/** What every entry of the schema says besides its kind. */
export interface OptionText {
  /** The functions that take the option. */
  readonly apis: readonly Api[];
  /** What it means, one or two sentences. */
  readonly doc: string;
  /** What turning it changes in speed, memory or result. */
  readonly impact?: string;
  /** How the default reads in the docs, where it is not a plain value. */
  readonly defaultText?: string;
  /** Which of the addon's records has a field of this name; none where other fields are made of it. */
  readonly record?: RecordName;
  readonly field?: Field;
}

/** The addon's records: each level of it gets those that it needs (see RECORDS in schema.ts). */
export type RecordName = 'source' | 'sampling' | 'devices' | 'call' | 'patch' | 'frame';

/** How the field of a record differs from the option. */
export interface Field {
  /** The C++ enumeration of its values. */
  readonly enum?: string;
  /** The values that are left once others are resolved. */
  readonly values?: readonly string[];
  /** What stands for a value that was not given. */
  readonly absent?: null | number;
  /** A type that is written by hand: its name in TypeScript (of kinds.ts) and in C++. */
  readonly type?: { readonly record: string; readonly native: string; readonly header: string };
}

/** How a value is checked and described: what options and the members of structures are made of. */
export interface Kind<T> {
  readonly doc?: string;
  /** The type as TypeScript text, for the generated interfaces. */
  readonly type: string;
  /** What is accepted, as in "Expected X for NAME but received Y". */
  readonly expected: string;
  /** Of numbers: the least and the largest that is accepted; infinite where there is no bound. */
  readonly range?: readonly [min: number, max: number];
  /** Of oneOf: what a parsed value can be. */
  readonly values?: readonly string[];
  /** Other spellings of values, and what they stand for. */
  readonly aliases?: Readonly<Record<string, string>>;
  /** Of values that consist of others (structures.ts). */
  readonly shape?: Shape;
  readonly field?: Field;
  /** Undefined: required, derived from other options (see defaultText), or field.absent. */
  readonly default?: T | undefined;
  /** Checks a given value (never undefined). */
  readonly parse: (name: string, value: unknown) => T;
}

/** What a value consists of. Names are those of its types in TypeScript and C++. */
export type Shape =
  | { readonly list: Kind<unknown> }
  | { readonly structure: string; readonly members: Readonly<Record<string, Kind<unknown>>> }
  | { readonly union: string; readonly alternatives: Readonly<Record<string, Kind<unknown>>> };

export type OptionSpec<T> = OptionText & Kind<T> & { readonly default: T | undefined };

/** A spec whose default is there, so that the parsed value always is. */
export type WithDefault<T> = OptionSpec<T> & { readonly default: T };

/**
 * An option that both functions take, each in its own way: other values, another default, another
 * record. `per[api]` is what holds for a call.
 */
export interface PerCall<D, P> {
  readonly per: { readonly decodeOnly: OptionSpec<D>; readonly patchStream: OptionSpec<P> };
}
export const perCall = <D extends OptionSpec<unknown>, P extends OptionSpec<unknown>>(per: {
  readonly decodeOnly: D;
  readonly patchStream: P;
}): { readonly per: { readonly decodeOnly: D; readonly patchStream: P } } => ({ per });

/** What a member of a structure may say, where an option has an OptionText. */
export interface MemberText<T> {
  /** What it means. */
  readonly doc?: string;
  /** In place of a value that is not given; without it and without field.absent it is required. */
  readonly default?: T;
  readonly field?: Field;
}

type Text<T> = OptionText & { readonly default?: T };
type TextWithDefault<T> = OptionText & { readonly default: T };
type AnyText<T> = Text<T> | MemberText<T>;
type Range = { readonly min?: number; readonly max?: number };

export function integer(text: TextWithDefault<number> & Range): WithDefault<number>;
export function integer(text: Text<number> & Range): OptionSpec<number>;
export function integer(text: MemberText<number> & Range): Kind<number>;
export function integer(text: AnyText<number> & Range): Kind<number> {
  const { min = -Infinity, max = Infinity, ...rest } = text;
  return {
    ...rest,
    type: 'number',
    expected: rangeText('integer', min, max),
    range: [min, max],
    default: text.default,
    parse: (name, value) => checkInteger(name, value, min, max),
  };
}

export function number(text: TextWithDefault<number> & Range): WithDefault<number>;
export function number(text: Text<number> & Range): OptionSpec<number>;
export function number(text: MemberText<number> & Range): Kind<number>;
export function number(text: AnyText<number> & Range): Kind<number> {
  const { min = -Infinity, max = Infinity, ...rest } = text;
  return {
    ...rest,
    type: 'number',
    expected: rangeText('number', min, max),
    range: [min, max],
    default: text.default,
    parse: (name, value) => checkNumber(name, value, min, max),
  };
}

export function boolean(text: TextWithDefault<boolean>): WithDefault<boolean>;
export function boolean(text: Text<boolean>): OptionSpec<boolean>;
export function boolean(text: MemberText<boolean>): Kind<boolean>;
export function boolean(text: AnyText<boolean>): Kind<boolean> {
  return {
    ...text,
    type: 'boolean',
    expected: 'boolean',
    default: text.default,
    parse: (name, value) => {
      if (typeof value !== 'boolean') throw invalid(name, 'boolean', value);
      return value;
    },
  };
}

const quoted = (values: readonly string[]): string => values.map((v) => `'${v}'`).join(' | ');

type Aliases<V extends string> = { readonly aliases?: Readonly<Record<string, V>> };

/** One of `values`; `aliases` maps further spellings to one of them. */
export function oneOf<const V extends string>(
  values: readonly V[],
  text: TextWithDefault<NoInfer<V>> & Aliases<NoInfer<V>>,
): WithDefault<V>;
export function oneOf<const V extends string>(
  values: readonly V[],
  text: Text<NoInfer<V>> & Aliases<NoInfer<V>>,
): OptionSpec<V>;
export function oneOf<const V extends string>(
  values: readonly V[],
  text: MemberText<NoInfer<V>> & Aliases<NoInfer<V>>,
): Kind<V>;
export function oneOf<const V extends string>(
  values: readonly V[],
  text: AnyText<V> & Aliases<V>,
): Kind<V> {
  const aliases = new Map(Object.entries(text.aliases ?? {}));
  const all = [...values, ...aliases.keys()];
  return {
    ...text,
    values,
    type: quoted(all),
    expected: `one of ${all.map((v) => `'${v}'`).join(', ')}`,
    default: text.default,
    parse: (name, value) => {
      const plain = values.find((known) => known === value);
      const found = plain ?? (typeof value === 'string' ? aliases.get(value) : undefined);
      if (found === undefined) {
        throw invalid(name, `one of ${all.map((v) => `'${v}'`).join(', ')}`, value);
      }
      return found;
    },
  };
}

/** A folder, or `word`; relative paths are of the working directory at the time of the call. */
export function folderOr(word: string, text: TextWithDefault<string>): WithDefault<string> {
  const expected = `path of a folder (non-empty string) or '${word}'`;
  return {
    ...text,
    type: 'string',
    expected,
    parse: (name, value) => {
      if (typeof value !== 'string' || value === '' || value.includes('\0')) {
        throw invalid(name, expected, value);
      }
      return value === word ? word : absolutePath(name, value);
    },
  };
}

export const VIDEO_EXPECTED =
  'path (non-empty string), file: URL, Uint8Array, Buffer, ArrayBuffer, Blob, source ({ size, read }) or Video';

function bytesOf(name: string, value: Uint8Array | ArrayBufferLike): Uint8Array {
  const buffer = types.isUint8Array(value) ? value.buffer : value;
  if (isDetached(buffer)) {
    const hint = '; its memory was transferred (to another thread, say), so nothing is left of it';
    throw invalid(name, VIDEO_EXPECTED, value, `, which is detached${hint}`);
  }
  return types.isUint8Array(value) ? value : new Uint8Array(value);
}

/** What to do about the kinds of object that are a video's bytes, but not yet in memory. */
function hintFor(value: unknown): string {
  switch (Object.prototype.toString.call(value)) {
    case '[object Response]':
    case '[object Request]':
      return '; pass its bytes: await value.arrayBuffer()';
    case '[object ReadableStream]':
      return (
        ', which can be read but once and from its beginning, while a video is read here and there; ' +
        'pass its bytes (await new Response(value).arrayBuffer()) or what it comes from ' +
        '(docs/sources.md)'
      );
    case '[object Promise]':
      return '; await it first';
    case '[object DataView]':
      return '; pass new Uint8Array(value.buffer, value.byteOffset, value.byteLength)';
  }
  if (ArrayBuffer.isView(value)) return '; pass the bytes of the file as a Uint8Array';
  const pipe = (value as { pipe?: unknown } | null)?.pipe;
  return typeof pipe === 'function'
    ? "; pass its path, or its bytes: await buffer(value), with buffer of 'node:stream/consumers'"
    : '';
}

/** Blobs of any realm. */
const isBlob = (value: unknown): value is Blob =>
  /^\[object (Blob|File)\]$/.test(Object.prototype.toString.call(value)) &&
  typeof (value as Partial<Blob>).slice === 'function';

function blobSource(blob: Blob & { readonly name?: unknown }): NativeSource {
  const { size, name } = blob;
  const source: VideoSource = {
    size,
    read: (offset, length) => blob.slice(offset, offset + length).arrayBuffer(),
  };
  const isNamed = typeof name === 'string' && name !== '';
  return new NativeSource(source, isNamed ? name : `<blob, ${size} bytes>`);
}

/** Undefined: nobody meant it as one. */
function callersSource(name: string, value: unknown): NativeSource | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const source = value as Partial<VideoSource>;
  if (typeof source.read !== 'function' || !('size' in source)) return undefined;
  const size = checkInteger(`${name}.size`, source.size, 0, Number.MAX_SAFE_INTEGER);
  const given: unknown = source.name;
  if (given !== undefined && (typeof given !== 'string' || given === '')) {
    throw invalid(`${name}.name`, 'a non-empty string', given);
  }
  const version: unknown = source.version;
  if (version !== undefined && (typeof version !== 'string' || version === '')) {
    throw invalid(`${name}.version`, 'a non-empty string', version);
  }
  if (version !== undefined && given === undefined) {
    throw invalid(`${name}.name`, 'a name, which version is of', given);
  }
  return new NativeSource(value as VideoSource, given ?? `<source, ${size} bytes>`);
}

/**
 * A local path, the whole file as bytes, what a caller's function reads, or a video that is open. URLs
 * of other protocols are refused, never opened.
 */
export function parseVideo(name: string, value: unknown): NativeInput {
  const opened = nativeVideoOf(value);
  if (opened) return opened;
  if (types.isUint8Array(value) || types.isAnyArrayBuffer(value)) return bytesOf(name, value);
  const source = isBlob(value) ? blobSource(value) : callersSource(name, value);
  if (source) return source;
  const spelling = isUrl(value) ? value.href : value;
  if (typeof spelling !== 'string' || spelling === '' || spelling.includes('\0')) {
    throw invalid(name, VIDEO_EXPECTED, value, hintFor(value));
  }
  if (/^file:/i.test(spelling)) {
    const local = pathOfUrl(spelling);
    if ('path' in local) return local.path;
    const reason = ', which is not a valid file: URL';
    throw invalid(name, VIDEO_EXPECTED, spelling, reason, local.cause);
  }
  if (isUrl(value) || /^[a-z][a-z0-9+.-]*:\/\//i.test(spelling)) {
    throw invalid(
      name,
      VIDEO_EXPECTED,
      spelling,
      '; only local files are opened (docs/sources.md has what to do for others)',
    );
  }
  return absolutePath(name, spelling);
}

/** The identity record of a signal: any object that behaves like an AbortSignal. */
export function parseSignal(name: string, value: unknown): AbortSignal {
  const candidate = value as Partial<AbortSignal> | null;
  if (
    typeof candidate !== 'object' ||
    candidate === null ||
    typeof candidate.aborted !== 'boolean' ||
    typeof candidate.addEventListener !== 'function'
  ) {
    throw invalid(name, 'AbortSignal', value);
  }
  return value as AbortSignal;
}

/** value = (rgb * scale - offset - mean[c]) / std[c] for rgb in 0..255. */
export interface NormalizeRecord {
  readonly scale: number;
  /** Null: not given, and 8-bit values are normalised in one fused step. */
  readonly offset: number | null;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

const preset = (
  scale: number,
  mean: [number, number, number],
  std: [number, number, number],
  offset: number | null = null,
): NormalizeRecord =>
  Object.freeze({ scale, offset, mean: Object.freeze(mean), std: Object.freeze(std) });

/** The named normalisations; the only place where their constants are written. */
export const NORMALIZE_PRESETS = {
  none: preset(1, [0, 0, 0], [1, 1, 1]),
  unit: preset(1 / 255, [0, 0, 0], [1, 1, 1]),
  // -1..1; transformers' "ImageNet standard".
  signed: preset(1 / 255, [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]),
  // torchvision's ImageNet statistics.
  imagenet: preset(1 / 255, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
  // openai/CLIP's preprocessing.
  clip: preset(1 / 255, [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]),
} as const satisfies Record<string, NormalizeRecord>;

export const NORMALIZE_EXPECTED = `one of ${Object.keys(NORMALIZE_PRESETS)
  .map((name) => `'${name}'`)
  .join(', ')}, or {scale, offset, mean, std}`;

export const NORMALIZE_FIELD = {
  record: 'NormalizeRecord',
  native: 'Normalize',
  header: 'core/normalize.h',
} as const;

export const NORMALIZE_TYPE = `${quoted(
  Object.keys(NORMALIZE_PRESETS),
)} | { scale?: number; offset?: number; mean?: number | readonly number[]; std?: number | readonly number[] }`;

function channels(name: string, value: unknown): [number, number, number] {
  const good = (v: unknown): v is number => typeof v === 'number' && Number.isFinite(v);
  if (good(value)) return [value, value, value];
  const [a, b, c] = Array.isArray(value) && value.length === 3 ? (value as unknown[]) : [];
  if (!good(a) || !good(b) || !good(c)) throw invalid(name, 'number or array of 3 numbers', value);
  return [a, b, c];
}

/** Every value is finite in float32, in which they are computed: so are both ends of rgb's range. */
function checkFinite(name: string, { scale, offset, mean, std }: NormalizeRecord): void {
  const f = Math.fround;
  const moved = f(offset ?? 0);
  const finite = 'with which (rgb · scale − offset − mean) / std is finite in float32';
  if (!Number.isFinite(f(255 * f(scale))))
    throw invalid(`${name}.scale`, `number ${finite}`, scale);
  if (!Number.isFinite(moved)) throw invalid(`${name}.offset`, `number ${finite}`, offset);
  for (const c of [0, 1, 2] as const) {
    const ends = [0, 255].map((rgb) => f(f(f(rgb * f(scale)) - moved) - f(mean[c])));
    if (!ends.every(Number.isFinite)) throw invalid(`${name}.mean`, `numbers ${finite}`, mean);
    const by = f(std[c]);
    const good = by !== 0 && [by, ...ends.map((v) => f(v / by))].every(Number.isFinite);
    if (!good) throw invalid(`${name}.std`, `non-zero numbers ${finite}`, std);
  }
}

/** A preset's name, or any of scale (default 1), offset (none), mean (0) and std (1). */
export function parseNormalize(name: string, value: unknown): NormalizeRecord {
  if (typeof value === 'string' && Object.hasOwn(NORMALIZE_PRESETS, value)) {
    return NORMALIZE_PRESETS[value as keyof typeof NORMALIZE_PRESETS];
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(name, NORMALIZE_EXPECTED, value);
  }
  const unknown = Object.keys(value).find(
    (key) => !['scale', 'offset', 'mean', 'std'].includes(key),
  );
  if (unknown !== undefined) throw invalid(`${name}.${unknown}`, 'no such key', value);
  const {
    scale = 1,
    offset,
    mean = 0,
    std = 1,
  } = value as { scale?: unknown; offset?: unknown; mean?: unknown; std?: unknown };
  const record = preset(
    checkNumber(`${name}.scale`, scale, -Infinity, Infinity),
    channels(`${name}.mean`, mean),
    channels(`${name}.std`, std),
    offset === undefined ? null : checkNumber(`${name}.offset`, offset, -Infinity, Infinity),
  );
  checkFinite(name, record);
  return record;
}
