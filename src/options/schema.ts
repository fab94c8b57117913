/**
 * Every option: name, type, default, range, meaning, and which of the addon's records carries it.
 * The only place that knows them.
 *
 * `node scripts/gen-options.cjs` makes everything else of it: the public interfaces (config.ts), the
 * records (record-types.ts and native/core/option_records.h: structs, enumerations with their
 * spellings, ranges), docs/options.md, the README's table and the defaults of native tests. A test
 * fails when one is out of date. records.ts turns what a caller passes into the records.
 */
import {
  boolean,
  folderOr,
  integer,
  NORMALIZE_EXPECTED,
  NORMALIZE_PRESETS,
  NORMALIZE_TYPE,
  number,
  oneOf,
  parseNormalize,
  parseSignal,
  parseVideo,
  VIDEO_EXPECTED,
} from './kinds.js';
import type { Api, NormalizeRecord, OptionSpec, WithDefault } from './kinds.js';

const BOTH: readonly Api[] = ['decodeOnly', 'patchStream'];
const PATCHES: readonly Api[] = ['patchStream'];
const FRAMES: readonly Api[] = ['decodeOnly'];

const INT32_MAX = 2 ** 31 - 1;
const BACKENDS = ['auto', 'gpu', 'cpu'] as const;
const BACKEND = { enum: 'Backend' } as const;

/** Pixels on one side of the square whose area is the default of minPixels and maxPixels. */
const DEFAULT_INPUT_SIZE = 224;

export const OPTIONS = {
  // --- what to decode ---------------------------------------------------------------------------
  videoPath: {
    apis: BOTH,
    type: 'string | URL | Uint8Array | ArrayBuffer',
    expected: VIDEO_EXPECTED,
    default: undefined,
    defaultText: 'required',
    doc:
      'The video: a local path (a relative one is of the working directory at the call), a file: ' +
      'URL, or the bytes of the whole file (copied before the call returns). Nothing but local ' +
      'files and memory is ever opened.',
    parse: parseVideo,
  } as OptionSpec<string | Uint8Array>,
  sequenceLength: integer({
    apis: BOTH,
    record: 'decode',
    default: 16,
    min: 1,
    max: 1_000_000,
    doc:
      'Number T of uniformly sampled frames. Of N frames, sample i is the one with display index ' +
      'floor(i·(N−1)/(T−1)); a video with fewer frames repeats some.',
    impact: 'Decoding time and memory grow with it until nearly all frames are decoded.',
  }),
  signal: {
    apis: BOTH,
    type: 'AbortSignal',
    expected: 'AbortSignal',
    default: undefined,
    defaultText: 'none',
    doc: 'Rejects with an AbortError and stops the work within the decoding of one packet.',
    parse: parseSignal,
  } as OptionSpec<AbortSignal>,

  // --- devices ----------------------------------------------------------------------------------
  backend: oneOf(BACKENDS, {
    apis: BOTH,
    default: 'auto',
    doc:
      "Device of both stages. 'auto' takes the GPU where it works for this video, else the CPU " +
      "(`fallbackReason` says why); 'gpu' and 'cpu' are taken at their word or throw " +
      'ERR_CPS_BACKEND_UNAVAILABLE.',
  }),
  decodeBackend: oneOf(BACKENDS, {
    apis: BOTH,
    record: 'decode',
    field: BACKEND,
    defaultText: 'backend',
    doc: 'The same for decoding alone.',
  }),
  processBackend: oneOf(BACKENDS, {
    apis: BOTH,
    record: 'decode',
    field: BACKEND,
    defaultText: 'backend',
    doc: 'The same for everything after decoding alone.',
  }),
  deviceId: integer({
    apis: BOTH,
    default: 0,
    min: 0,
    max: 1023,
    doc: 'CUDA device of both stages.',
  }),
  decodeDeviceId: integer({
    apis: BOTH,
    record: 'decode',
    min: 0,
    max: 1023,
    defaultText: 'deviceId',
    doc: 'CUDA device that decodes.',
  }),
  processDeviceId: integer({
    apis: BOTH,
    record: 'decode',
    min: 0,
    max: 1023,
    defaultText: 'deviceId',
    doc: 'CUDA device of everything after decoding.',
  }),

  // --- decoding ---------------------------------------------------------------------------------
  decodeMode: oneOf(['throughput', 'latency', 'auto'], {
    apis: BOTH,
    record: 'decode',
    field: { enum: 'DecodeMode', values: ['throughput', 'latency'] },
    default: 'throughput',
    doc:
      "'throughput' keeps opened decoders for the next calls, and calls at the same time share the " +
      "decoder threads evenly; 'latency' opens its own and runs such calls one after the other, " +
      "each with all threads; 'auto' is 'throughput'.",
    impact:
      'throughput: more videos per second, decoders stay open for the next call; latency: of ' +
      'several waiting calls the first ones are over sooner, and no decoder is kept.',
  }),
  uniformStrategy: oneOf(['auto', 'seek', 'stream'], {
    apis: BOTH,
    record: 'decode',
    field: { enum: 'UniformStrategy' },
    default: 'auto',
    doc:
      "'seek' jumps to key frames, 'stream' reads on; 'auto' takes what decodes fewer packets, " +
      'from the frame index. The frames are the same with each.',
    impact: 'Speed only.',
  }),
  uniformAutoRatio: number({
    apis: BOTH,
    record: 'decode',
    field: { absent: null },
    min: Number.MIN_VALUE,
    defaultText: 'none',
    doc:
      "When given, uniformStrategy 'auto' streams exactly when totalFrames <= ratio × distinct " +
      'frames sampled, and seeks otherwise (the Python original: 12).',
    impact: 'Speed only.',
  }),
  nvdecSessionPoolSize: integer({
    apis: BOTH,
    record: 'decode',
    default: 2,
    min: 0,
    max: 64,
    doc: 'NVDEC sessions kept open per device in throughput mode.',
    impact: 'More sessions: more videos decoded at once, more GPU memory.',
  }),
  nvdecReuseOpenDecoder: boolean({
    apis: BOTH,
    record: 'decode',
    defaultText: 'true in throughput mode',
    doc: 'Reconfigures an open NVDEC decoder for the next video where the hardware can.',
    impact: 'Creating a decoder costs about ten times as much as reconfiguring one.',
  }),
  decodeThreads: integer({
    apis: BOTH,
    record: 'decode',
    default: 0,
    min: 0,
    max: 1024,
    doc: 'Threads that decode this video; 0 takes them from the process-wide budget.',
  }),
  decodeThreadType: oneOf(['auto', 'frame', 'slice'], {
    apis: BOTH,
    record: 'decode',
    field: { enum: 'ThreadType' },
    default: 'auto',
    doc: "How FFmpeg's decoder may use several threads.",
    impact: 'frame: more throughput; slice: less delay, where the stream has slices.',
  }),
  readerCacheSize: integer({
    apis: BOTH,
    record: 'decode',
    default: 8,
    min: -INT32_MAX,
    max: INT32_MAX,
    doc:
      'Frame indexes kept in memory for later calls (least recently used goes first; key: path, ' +
      'size, modification time). Zero or less: none.',
    impact: 'A hit saves one pass over the file; an index costs a few bytes per frame.',
  }),
  readerCacheDir: folderOr('beside', {
    apis: BOTH,
    record: 'decode',
    default: '',
    defaultText: 'none',
    doc:
      'A folder (made when missing) where frame indexes are kept for the next process, one small ' +
      "file per video; 'beside' keeps them beside the videos as VIDEO.cpsindex. An index counts " +
      'only for the same path, size and modification time, and only where its file belongs to you, ' +
      'to root or to the owner of the video. A folder that cannot be used costs no call: it is left ' +
      "out, with the note 'index-not-kept'.",
    impact:
      'The first call of a process on a known file skips the pass over it; most for transport ' +
      'streams, AVI, raw streams and VP9, least for MP4, whose own tables say nearly everything.',
  }),
  colorMatrix: oneOf(['auto', 'bt601', 'bt709', 'bt2020'], {
    apis: BOTH,
    record: 'decode',
    field: { enum: 'ColorMatrixOption' },
    default: 'auto',
    doc:
      "Matrix of the YUV to RGB conversion; 'auto' reads the stream's tags (BT.601 limited where " +
      'untagged).',
  }),
  damaged: oneOf(['error', 'skip', 'nearest'], {
    apis: BOTH,
    record: 'decode',
    field: { enum: 'Damaged' },
    default: 'error',
    doc:
      "What becomes of sampled frames that cannot be decoded (damaged, cut off). 'error': the call " +
      "rejects with ERR_CPS_CORRUPT; 'nearest': the nearest frame that can be decoded stands in its " +
      'place (of two the earlier; `sampledFrameIds` names it, `replacedFrames` what was wanted); ' +
      "'skip': it is left out and T shrinks (`skippedFrameIds`). With the latter two, the readable " +
      'part of a truncated MP4 can be used. Energies compare each frame with the one before it in the ' +
      'result. An error all the same when no frame can be had. Damage that a decoder does not notice ' +
      "stays unnoticed. NVDEC gives up at damage: 'auto' goes to the CPU then.",
    impact: 'Sound files are decoded as ever; one with damage is decoded again around it.',
  }),

  // --- output of decodeOnly ---------------------------------------------------------------------
  width: integer({
    apis: FRAMES,
    record: 'frame',
    field: { absent: 0 },
    min: 1,
    max: 16384,
    defaultText: "the video's",
    doc: 'Width of the returned frames in pixels (bilinear). Give width and height, or neither.',
  }),
  height: integer({
    apis: FRAMES,
    record: 'frame',
    field: { absent: 0 },
    min: 1,
    max: 16384,
    defaultText: "the video's",
    doc: 'Height of the returned frames in pixels (bilinear). Give width and height, or neither.',
  }),

  // --- patches ----------------------------------------------------------------------------------
  energy: oneOf(['block', 'reference'], {
    apis: PATCHES,
    record: 'patch',
    field: { enum: 'Energy' },
    default: 'block',
    doc:
      "How motion and residual are measured. 'block': block matching as codecs do it; " +
      "'reference': the arithmetic of the Python original, for models prepared with it.",
    impact: "'reference' is several times slower and noisier in flat areas.",
  }),
  inputSize: integer({
    apis: PATCHES,
    default: DEFAULT_INPUT_SIZE,
    min: 1,
    max: 16384,
    doc: 'Side in pixels of the square whose area frames are scaled to, keeping their shape.',
    impact: 'Patches per frame grow with its square.',
  }),
  minPixels: integer({
    apis: PATCHES,
    record: 'patch',
    min: 1,
    max: INT32_MAX,
    defaultText: 'inputSize²',
    doc:
      'Frames with fewer pixels are scaled up to this area. An error above a given maxPixels; ' +
      'above the default of maxPixels, maxPixels wins.',
  }),
  maxPixels: integer({
    apis: PATCHES,
    record: 'patch',
    min: 1,
    max: INT32_MAX,
    defaultText: 'inputSize²',
    doc:
      'Frames with more pixels are scaled down to this area. Below the default of minPixels, ' +
      'maxPixels wins.',
  }),
  patchSize: integer({
    apis: PATCHES,
    record: 'patch',
    default: 14,
    min: 1,
    max: 1024,
    doc: 'Side P of a patch in pixels; both sides of a scaled frame are multiples of 2·P.',
  }),
  kKeep: integer({
    apis: PATCHES,
    record: 'patch',
    default: 2048,
    min: 1,
    max: INT32_MAX,
    doc:
      'Number of patches kept; all of them when there are fewer. A multiple of 4 with ' +
      "selectionUnit 'block2x2'.",
    impact: 'Size of the result; only selected patches are ever converted to RGB.',
  }),
  selectionUnit: oneOf(['patch', 'block2x2'], {
    apis: PATCHES,
    record: 'patch',
    field: { enum: 'SelectionUnit' },
    default: 'patch',
    doc: 'Whether patches compete one by one or as blocks of 2×2.',
  }),
  staticFallback: boolean({
    apis: PATCHES,
    record: 'patch',
    default: false,
    doc: 'Spreads the selection over a few whole frames when hardly anything moves.',
  }),
  staticAbsThresh: number({
    apis: PATCHES,
    record: 'patch',
    default: 2,
    doc:
      'The video is static when the 95th percentile of mean scores is below this (divided by 255 ' +
      'above 1, then clamped to [0, 1]).',
  }),
  staticRelThresh: number({
    apis: PATCHES,
    record: 'patch',
    default: 0.15,
    doc: 'Or below twice that, with a spread (p95 − p50) / p95 below this.',
  }),
  staticUniformFrames: integer({
    apis: PATCHES,
    record: 'patch',
    default: 4,
    min: 0,
    max: 1_000_000,
    doc: 'Number of frames that a static video is spread over; 0 switches the fallback off.',
  }),
  energyPct: number({
    apis: PATCHES,
    record: 'patch',
    default: 95,
    doc: 'Percentile that motion and residual are divided by; clamped to [1, 100].',
    impact: 'Lower values saturate more patches.',
  }),
  outputDtype: oneOf(['bfloat16', 'float16', 'float32', 'uint8'], {
    apis: PATCHES,
    record: 'patch',
    field: { enum: 'DType' },
    default: 'bfloat16',
    defaultText: "'bf16'",
    aliases: { bf16: 'bfloat16', fp16: 'float16', fp32: 'float32' },
    doc:
      "Element type of the patches; rounded to nearest even. 'uint8' (halves up) only with " +
      "normalize 'none'.",
    impact: 'float32 doubles the memory of the result, uint8 halves it.',
  }),
  layout: oneOf(['nchw', 'nhwc'], {
    apis: PATCHES,
    record: 'patch',
    field: { enum: 'Layout' },
    default: 'nchw',
    doc: "Order within a patch: 'nchw' [3, P, P], 'nhwc' [P, P, 3].",
  }),
  normalize: {
    apis: PATCHES,
    record: 'patch',
    field: { type: 'NormalizeRecord' },
    type: NORMALIZE_TYPE,
    expected: NORMALIZE_EXPECTED,
    default: NORMALIZE_PRESETS.none,
    defaultText: "'none'",
    doc:
      'value = (rgb · scale − mean) / std for rgb in 0..255, in float32 before the cast. ' +
      "'unit': 0..1; 'imagenet', 'clip': the usual constants. In the object form scale defaults " +
      'to 1, mean to 0, std to 1; every value must be finite in float32.',
    impact: 'Done natively with the cutting of patches; costs nothing measurable.',
    parse: parseNormalize,
  } as WithDefault<NormalizeRecord>,
  prefetchDepth: integer({
    apis: PATCHES,
    default: 3,
    min: 1,
    max: 64,
    doc: 'Videos that the datasets of the adapters decode ahead. No effect on a single call.',
    impact: 'More overlap of decoding and training; at most that many results live at once.',
  }),

  // --- limits -----------------------------------------------------------------------------------
  maxFramePixels: integer({
    apis: BOTH,
    record: 'decode',
    default: 16384 * 16384,
    min: 1,
    max: INT32_MAX,
    doc: 'Videos with more pixels per frame are refused with ERR_CPS_UNSUPPORTED.',
  }),
  maxFrames: integer({
    apis: BOTH,
    record: 'decode',
    default: 10_000_000,
    min: 1,
    max: INT32_MAX,
    doc: 'Videos with more frames are refused with ERR_CPS_UNSUPPORTED.',
  }),
  maxMemoryBytes: integer({
    apis: BOTH,
    record: 'decode',
    default: 4 * 1024 ** 3,
    min: 1024 ** 2,
    max: Number.MAX_SAFE_INTEGER,
    defaultText: '4 GiB',
    doc:
      'Memory that one call may take for the frames it keeps and its result together, and for what ' +
      "the video's frame index takes beyond 16 MiB (some 200,000 frames); checked before they are " +
      'allocated, ERR_CPS_OUT_OF_MEMORY.',
  }),
  timeoutMs: integer({
    apis: BOTH,
    record: 'decode',
    default: 0,
    min: 0,
    max: INT32_MAX,
    doc:
      'Milliseconds a call may take, the wait for a thread included; then it is stopped like by ' +
      'an abort and rejects with ERR_CPS_TIMEOUT. 0: no limit.',
  }),
} as const;

export type OptionName = keyof typeof OPTIONS;

/** The options that `api` takes, in the order of the schema. */
export function optionNames(api: Api): OptionName[] {
  return (Object.keys(OPTIONS) as OptionName[]).filter((name) => OPTIONS[name].apis.includes(api));
}
