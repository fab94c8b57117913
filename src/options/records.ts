/**
 * From what a caller passes to the frozen, complete records that the addon takes: the options of the
 * schema that say so, after what one option makes of another.
 */
import type { DecodeOnlyConfig, PatchStreamConfig } from './config.js';
import type { ResultNote } from '../api/notes.js';
import { invalid, nearestName, show } from '../support/is.js';
import { CodecPatchStreamError } from '../support/errors.js';
import { permitted } from '../support/paths.js';
import type { DecodeRecord, FrameRecord, PatchRecord } from './record-types.js';
import { OPTIONS, optionNames } from './schema.js';
import type { OptionName } from './schema.js';
import type { Api, NormalizeRecord, OptionSpec, RecordName, WithDefault } from './kinds.js';

interface ParsedCall {
  readonly input: string | Uint8Array;
  readonly signal: AbortSignal | undefined;
  readonly decode: DecodeRecord;
  /** What the result is to say of the options. */
  readonly notes: readonly ResultNote[];
}

export interface ParsedPatchCall extends ParsedCall {
  readonly patch: PatchRecord;
}

export interface ParsedFrameCall extends ParsedCall {
  readonly frame: FrameRecord;
}

type ValueOf<S> =
  S extends WithDefault<infer T> ? T : S extends OptionSpec<infer T> ? T | undefined : never;
type Values = { readonly [K in OptionName]: ValueOf<(typeof OPTIONS)[K]> };

/** Checks every given option of `api` and fills in the plain defaults. */
function parseValues(api: Api, config: unknown): Values {
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw invalid('config', `an object with the options of ${api}`, config);
  }
  const names: readonly string[] = optionNames(api);
  for (const key of Object.keys(config)) {
    if (!names.includes(key)) throw unknownOption(api, key, names);
  }
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(OPTIONS) as OptionName[]) {
    const spec = OPTIONS[name] as OptionSpec<unknown>;
    const given = names.includes(name) ? (config as Record<string, unknown>)[name] : undefined;
    values[name] = given === undefined ? spec.default : spec.parse(name, given);
  }
  return values as Values;
}

function unknownOption(api: Api, key: string, names: readonly string[]): CodecPatchStreamError {
  const other: Api = api === 'patchStream' ? 'decodeOnly' : 'patchStream';
  let hint = '';
  if (Object.hasOwn(OPTIONS, key)) {
    hint = `, which is an option of ${other}`;
  } else {
    const nearest = nearestName(key, names);
    if (nearest !== undefined) hint = `; did you mean ${nearest}?`;
  }
  return new CodecPatchStreamError(
    'ERR_CPS_INVALID_ARGUMENT',
    'options',
    `Expected an option of ${api} for config but received the unknown key ${show(key)}${hint}`,
  );
}

interface Records {
  readonly decode: DecodeRecord;
  readonly patch: PatchRecord;
  readonly frame: FrameRecord;
}

/** The fields of one record, out of values that have been resolved. */
function recordOf<R extends RecordName>(
  record: R,
  values: { readonly [K in OptionName]: unknown },
): Records[R] {
  const fields: Record<string, unknown> = {};
  for (const name of Object.keys(OPTIONS) as OptionName[]) {
    const { record: owner, field } = OPTIONS[name] as OptionSpec<unknown>;
    if (owner === record) fields[name] = values[name] ?? field?.absent;
  }
  return Object.freeze(fields) as unknown as Records[R];
}

function decodeRecord(v: Values): DecodeRecord {
  const decodeMode = v.decodeMode === 'auto' ? 'throughput' : v.decodeMode;
  return recordOf('decode', {
    ...v,
    decodeBackend: v.decodeBackend ?? v.backend,
    processBackend: v.processBackend ?? v.backend,
    decodeDeviceId: v.decodeDeviceId ?? v.deviceId,
    processDeviceId: v.processDeviceId ?? v.deviceId,
    decodeMode,
    nvdecReuseOpenDecoder: v.nvdecReuseOpenDecoder ?? decodeMode === 'throughput',
  });
}

const isIdentity = ({ scale, mean, std }: NormalizeRecord): boolean =>
  scale === 1 && mean.every((m) => m === 0) && std.every((s) => s === 1);

function patchRecord(v: Values): PatchRecord {
  const area = v.inputSize * v.inputSize;
  const maxPixels = v.maxPixels ?? area;
  if (v.minPixels !== undefined && v.maxPixels !== undefined && v.minPixels > v.maxPixels) {
    throw invalid('minPixels', `integer <= maxPixels (${v.maxPixels})`, v.minPixels);
  }
  if (v.selectionUnit === 'block2x2' && v.kKeep % 4 !== 0) {
    throw invalid('kKeep', "a multiple of 4 (selectionUnit is 'block2x2')", v.kKeep);
  }
  if (v.outputDtype === 'uint8' && !isIdentity(v.normalize)) {
    throw invalid('normalize', "'none' (outputDtype is 'uint8')", v.normalize);
  }
  return recordOf('patch', {
    ...v,
    minPixels: Math.min(v.minPixels ?? area, maxPixels),
    maxPixels,
    energyPct: Math.min(100, Math.max(1, v.energyPct)),
  });
}

function frameRecord(v: Values): FrameRecord {
  if ((v.width === undefined) !== (v.height === undefined)) {
    const missing = v.width === undefined ? 'width' : 'height';
    throw invalid(
      missing,
      `${OPTIONS[missing].expected} (width and height, or neither)`,
      undefined,
    );
  }
  return recordOf('frame', v);
}

function inputOf(v: Values): string | Uint8Array {
  const { videoPath } = v;
  if (videoPath === undefined) throw invalid('videoPath', OPTIONS.videoPath.expected, undefined);
  if (typeof videoPath === 'string' && !permitted('fs.read', videoPath)) {
    throw new CodecPatchStreamError(
      'ERR_CPS_INVALID_ARGUMENT',
      'open',
      `No permission to read the video file '${videoPath}' (videoPath): Node runs with --permission ` +
        'and does not have it among its --allow-fs-read.',
    );
  }
  return videoPath;
}

/** A folder for indexes that Node's permission model denies is not used, like one that is full. */
function allowedCache(
  decode: DecodeRecord,
  input: string | Uint8Array,
): Omit<ParsedCall, 'input' | 'signal'> {
  const { readerCacheDir } = decode;
  if (readerCacheDir === '' || typeof input !== 'string') return { decode, notes: [] };
  const place = readerCacheDir === 'beside' ? `${input}.cpsindex` : readerCacheDir;
  const denied = (['fs.read', 'fs.write'] as const).filter((access) => !permitted(access, place));
  if (denied.length === 0) return { decode, notes: [] };
  const flags = denied.map((access) => `--allow-${access.replace('.', '-')}`).join(' and ');
  const message =
    `readerCacheDir cannot be used, Node runs with --permission and does not have '${place}' ` +
    `among its ${flags}.`;
  return {
    decode: Object.freeze({ ...decode, readerCacheDir: '' }),
    notes: [{ code: 'index-not-kept', message }],
  };
}

function parsedCall(v: Values): ParsedCall {
  const input = inputOf(v);
  return { input, signal: v.signal, ...allowedCache(decodeRecord(v), input) };
}

/** Throws ERR_CPS_INVALID_ARGUMENT naming the option, the expected and the received value. */
export function parsePatchStream(config: PatchStreamConfig): ParsedPatchCall {
  const v = parseValues('patchStream', config);
  return Object.freeze({ ...parsedCall(v), patch: patchRecord(v) });
}

/** Throws ERR_CPS_INVALID_ARGUMENT naming the option, the expected and the received value. */
export function parseDecodeOnly(config: DecodeOnlyConfig): ParsedFrameCall {
  const v = parseValues('decodeOnly', config);
  return Object.freeze({ ...parsedCall(v), frame: frameRecord(v) });
}

/** For datasets: checks options before any video is known, and says how far to decode ahead. */
export function checkPatchStreamOptions(options: Partial<PatchStreamConfig>): {
  readonly decode: DecodeRecord;
  readonly patch: PatchRecord;
  readonly prefetchDepth: number;
} {
  const v = parseValues('patchStream', options);
  return { decode: decodeRecord(v), patch: patchRecord(v), prefetchDepth: v.prefetchDepth };
}

/** The same for decodeOnly. */
export function checkDecodeOnlyOptions(options: Partial<DecodeOnlyConfig>): {
  readonly decode: DecodeRecord;
  readonly frame: FrameRecord;
} {
  const v = parseValues('decodeOnly', options);
  return { decode: decodeRecord(v), frame: frameRecord(v) };
}
