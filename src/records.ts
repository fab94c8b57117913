/**
 * From what a caller passes to the frozen, complete records that the addon takes. Field names are
 * those of the structs of native/core/options.h; a test compares the two lists.
 */
import type { DecodeOnlyConfig, PatchStreamConfig } from './config.js';
import { invalid, nearestName, show } from './is.js';
import { CodecPatchStreamError } from './errors.js';
import { OPTIONS, optionNames } from './options.js';
import type { OptionName } from './options.js';
import type { Api, NormalizeRecord, OptionSpec, WithDefault } from './option-kinds.js';

type Backend = 'auto' | 'gpu' | 'cpu';

/** struct DecodeOptions. */
export interface DecodeRecord {
  readonly sequenceLength: number;
  readonly decodeBackend: Backend;
  readonly processBackend: Backend;
  readonly decodeDeviceId: number;
  readonly processDeviceId: number;
  readonly decodeMode: 'throughput' | 'latency';
  readonly uniformStrategy: 'auto' | 'seek' | 'stream';
  readonly uniformAutoRatio: number | null;
  readonly nvdecSessionPoolSize: number;
  readonly nvdecReuseOpenDecoder: boolean;
  readonly decodeThreads: number;
  readonly decodeThreadType: 'auto' | 'frame' | 'slice';
  readonly readerCacheSize: number;
  readonly readerCacheDir: string;
  readonly colorMatrix: 'auto' | 'bt601' | 'bt709' | 'bt2020';
  readonly damaged: 'error' | 'skip' | 'nearest';
  readonly maxFramePixels: number;
  readonly maxFrames: number;
  readonly maxMemoryBytes: number;
  readonly timeoutMs: number;
}

/** struct PatchOptions. */
export interface PatchRecord {
  readonly energy: 'block' | 'reference';
  readonly minPixels: number;
  readonly maxPixels: number;
  readonly patchSize: number;
  readonly kKeep: number;
  readonly selectionUnit: 'patch' | 'block2x2';
  readonly staticFallback: boolean;
  readonly staticAbsThresh: number;
  readonly staticRelThresh: number;
  readonly staticUniformFrames: number;
  readonly energyPct: number;
  readonly outputDtype: 'bfloat16' | 'float16' | 'float32' | 'uint8';
  readonly layout: 'nchw' | 'nhwc';
  readonly normalize: NormalizeRecord;
}

/** struct FrameOptions; 0: the video's own size. */
export interface FrameRecord {
  readonly outputWidth: number;
  readonly outputHeight: number;
}

interface ParsedCall {
  readonly input: string | Uint8Array;
  readonly signal: AbortSignal | undefined;
  readonly decode: DecodeRecord;
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

function decodeRecord(v: Values): DecodeRecord {
  const decodeMode = v.decodeMode === 'auto' ? 'throughput' : v.decodeMode;
  return Object.freeze({
    sequenceLength: v.sequenceLength,
    decodeBackend: v.decodeBackend ?? v.backend,
    processBackend: v.processBackend ?? v.backend,
    decodeDeviceId: v.decodeDeviceId ?? v.deviceId,
    processDeviceId: v.processDeviceId ?? v.deviceId,
    decodeMode,
    uniformStrategy: v.uniformStrategy,
    uniformAutoRatio: v.uniformAutoRatio ?? null,
    nvdecSessionPoolSize: v.nvdecSessionPoolSize,
    nvdecReuseOpenDecoder: v.nvdecReuseOpenDecoder ?? decodeMode === 'throughput',
    decodeThreads: v.decodeThreads,
    decodeThreadType: v.decodeThreadType,
    readerCacheSize: v.readerCacheSize,
    readerCacheDir: v.readerCacheDir,
    colorMatrix: v.colorMatrix,
    damaged: v.damaged,
    maxFramePixels: v.maxFramePixels,
    maxFrames: v.maxFrames,
    maxMemoryBytes: v.maxMemoryBytes,
    timeoutMs: v.timeoutMs,
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
  return Object.freeze({
    energy: v.energy,
    minPixels: Math.min(v.minPixels ?? area, maxPixels),
    maxPixels,
    patchSize: v.patchSize,
    kKeep: v.kKeep,
    selectionUnit: v.selectionUnit,
    staticFallback: v.staticFallback,
    staticAbsThresh: v.staticAbsThresh,
    staticRelThresh: v.staticRelThresh,
    staticUniformFrames: v.staticUniformFrames,
    energyPct: Math.min(100, Math.max(1, v.energyPct)),
    outputDtype: v.outputDtype,
    layout: v.layout,
    normalize: v.normalize,
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
  return Object.freeze({ outputWidth: v.width ?? 0, outputHeight: v.height ?? 0 });
}

function inputOf(v: Values): string | Uint8Array {
  if (v.videoPath === undefined) throw invalid('videoPath', OPTIONS.videoPath.expected, undefined);
  return v.videoPath;
}

/** Throws ERR_CPS_INVALID_ARGUMENT naming the option, the expected and the received value. */
export function parsePatchStream(config: PatchStreamConfig): ParsedPatchCall {
  const v = parseValues('patchStream', config);
  const call = { input: inputOf(v), signal: v.signal, decode: decodeRecord(v) };
  return Object.freeze({ ...call, patch: patchRecord(v) });
}

/** Throws ERR_CPS_INVALID_ARGUMENT naming the option, the expected and the received value. */
export function parseDecodeOnly(config: DecodeOnlyConfig): ParsedFrameCall {
  const v = parseValues('decodeOnly', config);
  const call = { input: inputOf(v), signal: v.signal, decode: decodeRecord(v) };
  return Object.freeze({ ...call, frame: frameRecord(v) });
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
