/**
 * From what a caller passes to the frozen, complete records that the addon takes: the options of the
 * schema that say so, after what one option makes of another.
 */
import type { DecodeOnlyConfig, PatchStreamConfig } from './config.js';
import type { ResultNote } from '../api/notes.js';
import type { NativeInput } from '../native/video.js';
import { invalid, nearestName, show } from '../support/is.js';
import { CodecPatchStreamError } from '../support/errors.js';
import { permitted } from '../support/paths.js';
import type {
  DecodeOnlyRecords,
  DevicesRecord,
  FrameRecord,
  PatchRecord,
  PatchStreamRecords,
  RecordTypes,
  SamplingRecord,
  SourceRecord,
} from './record-types.js';
import { OPTIONS, optionNames, specOf } from './schema.js';
import type { OptionName } from './schema.js';
import type { Api, NormalizeRecord, OptionSpec, RecordName, WithDefault } from './kinds.js';

/** A checked call: the video, and what each level of the addon needs of the options. */
interface ParsedCall<Records> {
  readonly input: NativeInput;
  readonly signal: AbortSignal | undefined;
  readonly records: Records;
  /** What the result is to say of the options. */
  readonly notes: readonly ResultNote[];
}

export type ParsedPatchCall = ParsedCall<PatchStreamRecords>;
export type ParsedFrameCall = ParsedCall<DecodeOnlyRecords>;

type ValueOf<S> = S extends { readonly per: infer P }
  ? ValueOf<P[keyof P]>
  : S extends WithDefault<infer T>
    ? T
    : S extends OptionSpec<infer T>
      ? T | undefined
      : never;
type Values = { readonly [K in OptionName]: ValueOf<(typeof OPTIONS)[K]> };

/** Checks every given option of `api` and fills in the plain defaults. `caller`: for messages. */
function parseValues(api: Api, config: unknown, caller: string = api): Values {
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw invalid('config', `an object with the options of ${caller}`, config);
  }
  const names: readonly string[] = optionNames(api);
  for (const key of Object.keys(config)) {
    if (!names.includes(key)) throw unknownOption(api, caller, key, names);
  }
  const given = config as Readonly<Record<string, unknown>>;
  checkShortForms(given);
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(OPTIONS) as OptionName[]) {
    const spec = specOf(name, api);
    const value = names.includes(name) ? given[name] : undefined;
    values[name] = value === undefined ? spec.default : spec.parse(name, value);
  }
  checkValues(values as Values, given);
  return values as Values;
}

/** Options that say the same in fewer words, and so would contradict the long form. */
const SHORT_FORMS: readonly (readonly [short: string, long: string, hint: string])[] = [
  ['sequenceLength', 'sample', ': write sample alone, { count: n } for n frames'],
  ['width', 'size', ': write size alone, { exact: [height, width] } for that size'],
  ['height', 'size', ': write size alone, { exact: [height, width] } for that size'],
  ['inputSize', 'size', ''],
  ['minPixels', 'size', ''],
  ['maxPixels', 'size', ''],
];

function checkShortForms(config: Readonly<Record<string, unknown>>): void {
  for (const [short, long, hint] of SHORT_FORMS) {
    if (config[short] === undefined || config[long] === undefined) continue;
    throw invalid(short, `no value beside ${long}`, config[short], hint);
  }
}

function unknownOption(
  api: Api,
  caller: string,
  key: string,
  names: readonly string[],
): CodecPatchStreamError {
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
    `Expected an option of ${caller} for config but received the unknown key ${show(key)}${hint}`,
  );
}

/** The fields of one record, out of values that have been resolved. */
function recordOf<R extends RecordName>(
  api: Api,
  record: R,
  values: { readonly [K in OptionName]: unknown },
): RecordTypes[R] {
  const fields: Record<string, unknown> = {};
  for (const name of Object.keys(OPTIONS) as OptionName[]) {
    const { record: owner, field } = specOf(name, api);
    if (owner === record) fields[name] = values[name] ?? field?.absent;
  }
  return Object.freeze(fields) as unknown as RecordTypes[R];
}

const resolvedMode = ({ decodeMode }: Values): 'throughput' | 'latency' =>
  decodeMode === 'auto' ? 'throughput' : decodeMode;

const sourceRecord = (api: Api, v: Values): SourceRecord =>
  recordOf(api, 'source', { ...v, decodeMode: resolvedMode(v) });

/** Vectors come from FFmpeg's decoders and stay on the host. */
function backendOf(api: Api, v: Values, stage: 'decodeBackend' | 'processBackend') {
  const backend = v[stage] ?? v.backend;
  if (api !== 'patchStream' || v.energy !== 'codec') return backend;
  if (backend === 'gpu') {
    const name = v[stage] === undefined ? 'backend' : stage;
    throw invalid(name, "'cpu' or 'auto' (energy is 'codec')", backend);
  }
  return 'cpu';
}

const devicesRecord = (api: Api, v: Values): DevicesRecord =>
  recordOf(api, 'devices', {
    ...v,
    decodeBackend: backendOf(api, v, 'decodeBackend'),
    processBackend: backendOf(api, v, 'processBackend'),
    decodeDeviceId: v.decodeDeviceId ?? v.deviceId,
    processDeviceId: v.processDeviceId ?? v.deviceId,
    nvdecReuseOpenDecoder: v.nvdecReuseOpenDecoder ?? resolvedMode(v) === 'throughput',
  });

const isIdentity = ({ scale, offset, mean, std }: NormalizeRecord): boolean =>
  scale === 1 && (offset ?? 0) === 0 && mean.every((m) => m === 0) && std.every((s) => s === 1);

/** uint8 holds pixels as they are. */
function checkValues(
  { outputDtype, normalize }: Values,
  given: Readonly<Record<string, unknown>>,
): void {
  if (outputDtype !== 'uint8' || isIdentity(normalize)) return;
  const why = given['outputDtype'] === undefined ? "'uint8' unless given" : "'uint8'";
  const hint = "; 'fp32', 'fp16' and 'bf16' hold normalised values";
  const received = given['normalize'] ?? 'its default';
  throw invalid('normalize', `'none' (outputDtype is ${why})`, received, hint);
}

/** A crop at random needs something to be cropped from or to. */
function checkAugment({ size, augment }: Values, resizes: boolean): void {
  if (!augment?.crop) return;
  if (augment.crop.kind === 'place') {
    if (size?.some((rule) => rule.kind === 'short' && rule.value.crop > 0)) return;
    throw invalid('size', "{ short, crop } (augment has crop 'random')", size);
  }
  if (!resizes) throw invalid('size', 'a size (augment has crop)', size);
}

/** Energy 'reference' is one of whole pictures. */
function checkReference({ energy, size, augment }: Values): void {
  if (energy !== 'reference') return;
  const why = "(energy is 'reference')";
  if (augment) throw invalid('augment', `no value ${why}`, augment);
  if (size === undefined) return;
  const [rule, second] = size;
  const cuts = rule?.kind === 'short' && rule.value.crop > 0;
  const pads = rule?.kind === 'long' && rule.value.pad;
  if (second || cuts || pads) {
    throw invalid('size', `one rule without crop and pad ${why}`, size);
  }
}

/** What options say of a selection whatever the video is; the addon sees the rest. */
function checkSelection({ kKeep, minPerFrame, maxPerFrame, selectionUnit }: Values): void {
  const counts = { kKeep: kKeep.kind === 'patches' ? kKeep.value : 0, minPerFrame, maxPerFrame };
  for (const [name, value = 0] of Object.entries(counts)) {
    if (selectionUnit === 'block2x2' && value >= 1 && value % 4 !== 0) {
      throw invalid(name, "a multiple of 4 (selectionUnit is 'block2x2')", value);
    }
  }
  if (maxPerFrame === undefined || minPerFrame < 1 !== maxPerFrame < 1) return;
  if (minPerFrame > maxPerFrame) {
    throw invalid('minPerFrame', `number <= maxPerFrame (${maxPerFrame})`, minPerFrame);
  }
}

/** The most patches that a result may have, where that is known before any video is. */
function mostPatches({ kKeep: { kind, value } }: Values): number | undefined {
  if (kind === 'patches') return value;
  return kind === 'perSecond' ? (value.max ?? undefined) : undefined;
}

/** What energies cannot be combined with; the error names both options. */
function checkEnergy(v: Values): void {
  const only = (name: OptionName, allowed: string): void => {
    throw invalid(name, `${allowed} (energy is '${v.energy}')`, v[name]);
  };
  if (v.energy === 'reference') {
    if (v.energyScope !== 'frame') only('energyScope', "'frame'");
    if (v.intraEnergy !== 'zero') only('intraEnergy', "'zero'");
    if (v.maps) only('maps', 'false');
  }
  const still = v.energy === 'reference' || v.energy === 'accumulated';
  if (still && v.globalMotion !== 'keep') only('globalMotion', "'keep'");
}

function patchRecord(v: Values): PatchRecord {
  checkEnergy(v);
  const area = v.inputSize * v.inputSize;
  const maxPixels = v.maxPixels ?? area;
  if (v.minPixels !== undefined && v.maxPixels !== undefined && v.minPixels > v.maxPixels) {
    throw invalid('minPixels', `integer <= maxPixels (${v.maxPixels})`, v.minPixels);
  }
  checkSelection(v);
  checkAugment(v, true);
  checkReference(v);
  return recordOf('patchStream', 'patch', {
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
      `${specOf(missing, 'decodeOnly').expected} (width and height, or neither)`,
      undefined,
    );
  }
  const resizes = v.size !== undefined || v.width !== undefined;
  if (v.resample !== undefined && !resizes) {
    throw invalid('resample', 'no value without size (or width and height)', v.resample);
  }
  checkAugment(v, resizes);
  const resample = v.resample ?? (v.size === undefined ? 'bilinear-plain' : 'bilinear');
  return recordOf('decodeOnly', 'frame', { ...v, resample });
}

function inputOf(v: Values): NativeInput {
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

/** sequenceLength is a count like any other; beside sample it would contradict it. */
function samplingRecord(api: Api, v: Values): SamplingRecord {
  const { sequenceLength } = v;
  if (sequenceLength === undefined) return recordOf(api, 'sampling', v);
  return recordOf(api, 'sampling', {
    ...v,
    sample: OPTIONS.sample.parse('sequenceLength', { count: sequenceLength }),
  });
}

/** What every call needs. */
const commonRecords = (api: Api, v: Values) => ({
  source: sourceRecord(api, v),
  sampling: samplingRecord(api, v),
  devices: devicesRecord(api, v),
  call: recordOf(api, 'call', v),
});

const patchStreamRecords = (v: Values): PatchStreamRecords =>
  Object.freeze({ ...commonRecords('patchStream', v), patch: patchRecord(v) });

const decodeOnlyRecords = (v: Values): DecodeOnlyRecords =>
  Object.freeze({ ...commonRecords('decodeOnly', v), frame: frameRecord(v) });

/** The same values with a folder for indexes only where Node's permission model allows its use. */
function withAllowedCache(
  v: Values,
  input: NativeInput,
): { readonly values: Values; readonly notes: readonly ResultNote[] } {
  const { readerCacheDir } = v;
  if (readerCacheDir === '' || typeof input !== 'string') return { values: v, notes: [] };
  const place = readerCacheDir === 'beside' ? `${input}.cpsindex` : readerCacheDir;
  const denied = (['fs.read', 'fs.write'] as const).filter((access) => !permitted(access, place));
  if (denied.length === 0) return { values: v, notes: [] };
  const flags = denied.map((access) => `--allow-${access.replace('.', '-')}`).join(' and ');
  const message =
    `readerCacheDir cannot be used, Node runs with --permission and does not have '${place}' ` +
    `among its ${flags}.`;
  return {
    values: { ...v, readerCacheDir: '' },
    notes: [{ code: 'index-not-kept', message }],
  };
}

function parsedCall<Records>(
  api: Api,
  config: unknown,
  recordsOf: (values: Values) => Records,
  caller?: string,
): ParsedCall<Records> {
  const v = parseValues(api, config, caller);
  const input = inputOf(v);
  const { values, notes } = withAllowedCache(v, input);
  return Object.freeze({ input, signal: v.signal, records: recordsOf(values), notes });
}

/** Throws ERR_CPS_INVALID_ARGUMENT naming the option, the expected and the received value. */
export const parsePatchStream = (config: PatchStreamConfig): ParsedCall<PatchStreamRecords> =>
  parsedCall('patchStream', config, patchStreamRecords);

/** Throws ERR_CPS_INVALID_ARGUMENT naming the option, the expected and the received value. */
export const parseDecodeOnly = (
  config: DecodeOnlyConfig,
  caller?: string,
): ParsedCall<DecodeOnlyRecords> => parsedCall('decodeOnly', config, decodeOnlyRecords, caller);

/**
 * For datasets: checks options before any video is known, and says how far to decode ahead and how
 * many patches a result has at most, where that does not depend on the video.
 */
export function checkPatchStreamOptions(options: Partial<PatchStreamConfig>): PatchStreamRecords & {
  readonly prefetchDepth: number;
  readonly mostPatches: number | undefined;
} {
  const v = parseValues('patchStream', options);
  const { prefetchDepth } = v;
  return { ...patchStreamRecords(v), prefetchDepth, mostPatches: mostPatches(v) };
}

/** The same for decodeOnly. */
export const checkDecodeOnlyOptions = (options: Partial<DecodeOnlyConfig>): DecodeOnlyRecords =>
  decodeOnlyRecords(parseValues('decodeOnly', options));
