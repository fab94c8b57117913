import type { NativePatchResult } from '../native/binding.js';
import { callNative } from './call.js';
import type { PatchStreamConfig } from '../options/config.js';
import { checkInteger } from '../support/is.js';
import { parsePatchStream } from '../options/records.js';
import type { ParsedPatchCall } from '../options/records.js';
import type { PatchRecord } from '../options/record-types.js';
import type { BackendOption, DTypeOf, DTypeOption, Following, OnHost } from './result-types.js';
import { SampledResult } from './sample-info.js';
import { jsMemory, Tensor } from './tensor.js';
import { patchAboveFrame, repeatedFrames } from './unlikely-options.js';

/** Where a patch comes from. */
export interface PatchMetadata {
  /** Position among the sampled frames, 0..T-1. */
  readonly seqPos: number;
  /** Display index of that frame in the video. */
  readonly frameId: number;
  /** Whether the frame counts as an I frame in the selection. */
  readonly isI: boolean;
  /** (seqPos · grid.h + patchHIdx) · grid.w + patchWIdx */
  readonly patchLinearIdx: number;
  /** Row in the patch grid of the frame. */
  readonly patchHIdx: number;
  /** Column in the patch grid of the frame. */
  readonly patchWIdx: number;
  /** Motion and residual energy of the patch. */
  readonly score: number;
}

/** The columns of `metadataTensors.fields`, in order. */
export const FIELD_NAMES = [
  'seqPos',
  'frameId',
  'isI',
  'patchLinearIdx',
  'patchHIdx',
  'patchWIdx',
] as const;
const FIELDS = FIELD_NAMES.length;

/** Element types that patches can have: option outputDtype. */
export type PatchDType = PatchRecord['outputDtype'];

/** Where the patches come from and how they score, as tensors; they go with the stream. */
export interface MetadataTensors {
  /** int32 [K, 6], columns FIELD_NAMES. */
  readonly fields: Tensor<'int32'>;
  /** float32 [K]. */
  readonly scores: Tensor<'float32'>;
}

/** Black bars along the edges, in pixels of the displayed frame; 0 where there is none. */
export interface Letterbox {
  /** Height of the upper one. */
  readonly top: number;
  /** Height of the lower one. */
  readonly bottom: number;
  /** Width of the left one. */
  readonly left: number;
  /** Width of the right one. */
  readonly right: number;
}

/**
 * What the energy saw of each sampled frame (option maps), on the grid of its cells: samples with
 * 'adjacent', else 4x4 samples (2x2 and 1 of small videos). Frames and repeats that have no energy
 * are zero.
 */
export interface EnergyMaps {
  /**
   * int32 [T, rows, cols]: squared length of each cell's displacement, in cells; with 'codec' in
   * quarter samples. Not with 'accumulated', which looks for none.
   */
  readonly motion2: Tensor<'int32'> | undefined;
  /** int32 [T, rows, cols]: the difference that is left, 0..255; with 'accumulated' the sum, to 65535. */
  readonly residual: Tensor<'int32'>;
  /** float32 [T, rows, cols], 0..1: what patch scores are the mean of. */
  readonly energy: Tensor<'float32'>;
}

/** One patch of an iteration. */
export interface StreamedPatch<D extends PatchDType = PatchDType, H extends boolean = boolean> {
  /** [3, P, P], or [P, P, 3] with layout 'nhwc'; shares the stream's memory. */
  readonly patch: Tensor<D, H>;
  /** Where it comes from, and its score. */
  readonly metadata: PatchMetadata;
}

/** Everything of a stream at once; the tensors are the caller's to close. */
export interface CollectedPatches<D extends PatchDType = PatchDType, H extends boolean = boolean> {
  /** [K, 3, P, P] ([K, P, P, 3] with layout 'nhwc'). */
  readonly patches: Tensor<D, H>;
  /** One object per patch, [K]. */
  readonly metadata: readonly PatchMetadata[];
  /** The same as tensors. */
  readonly metadataTensors: MetadataTensors;
  /** Display indices of the sampled frames, [T]. */
  readonly sampledFrameIds: readonly number[];
  /** Average frame rate of the video. */
  readonly fps: number;
  /** Length of the video in seconds. */
  readonly durationSec: number;
}

/**
 * The selected patches of one video, in the order of their linear index, with a cursor.
 *
 * Iteration, nextN and nextNTensors share the cursor: each goes on where the last one stopped, and
 * reset() starts over. Tensors they hand out share the stream's memory and outlive its close().
 *
 * The parameters are outputDtype, and whether the patches are known to be in host memory (backend
 * 'cpu').
 */
export class PatchStream<D extends PatchDType = PatchDType, H extends boolean = boolean>
  extends SampledResult
  implements Iterable<StreamedPatch<D, H>>
{
  readonly #patches: Tensor<D, H>;
  readonly #fields: Tensor<'int32'>;
  readonly #scores: Tensor<'float32'>;
  readonly #frameScores: Tensor<'float32'>;
  readonly #maps: EnergyMaps | undefined;
  readonly #count: number;
  readonly #grid: NativePatchResult['grid'];
  readonly #targetSize: PatchStream['targetSize'];
  readonly #isI: readonly boolean[];
  readonly #letterbox: Letterbox | undefined;
  #positions: Tensor<'int32'> | undefined;
  #metadata: readonly PatchMetadata[] | undefined;
  #copies: { readonly fields: Int32Array; readonly scores: Float32Array } | undefined;
  #cursor = 0;

  /** @internal */
  constructor(result: NativePatchResult, patch: PatchRecord) {
    super(result, 'The patch stream');
    const { count, grid, targetWidth: width, targetHeight: height } = result;
    const { patchSize: p, layout, outputDtype } = patch;
    const patchShape = layout === 'nchw' ? [3, p, p] : [p, p, 3];
    this.#count = count;
    this.#grid = grid;
    this.#targetSize = { width, height };
    this.#isI = result.isI;
    this.#letterbox = result.letterbox && Object.freeze(result.letterbox);
    this.#patches = Tensor.over<D, H>(result.patches, outputDtype as D, [count, ...patchShape]);
    this.#fields = Tensor.over(result.fields, 'int32', [count, FIELDS]);
    this.#scores = Tensor.over(result.scores, 'float32', [count]);
    if (result.maps) {
      const { rows, cols, motion2, residual, energy } = result.maps;
      const shape = [grid.t, rows, cols];
      this.#maps = Object.freeze({
        motion2: motion2 && Tensor.over(motion2, 'int32', shape),
        residual: Tensor.over(residual, 'int32', shape),
        energy: Tensor.over(energy, 'float32', shape),
      });
    }
    const scoresShape = [grid.t, grid.h, grid.w];
    this.#frameScores = Tensor.over(result.frameScores, 'float32', scoresShape);
  }

  /** Number K of patches. */
  get length(): number {
    this.check();
    return this.#count;
  }

  /** [K, 3, P, P] ([K, P, P, 3] with layout 'nhwc'), values 0..255 unless normalised. */
  get patches(): Tensor<D, H> {
    this.check();
    return this.#patches;
  }

  /** `fields` int32 [K, 6] (columns FIELD_NAMES) and `scores` float32 [K]. */
  get metadataTensors(): MetadataTensors {
    this.check();
    return { fields: this.#fields, scores: this.#scores };
  }

  /** One object per patch, made on first use. */
  get metadata(): readonly PatchMetadata[] {
    this.check();
    this.#metadata ??= Object.freeze(this.#makeMetadata(0, this.#count));
    return this.#metadata;
  }

  /** int32 [K, 3]: position in time, row and column of each patch in `grid`. Made on first use. */
  get positions(): Tensor<'int32'> {
    this.check();
    this.#positions ??= this.#makePositions();
    return this.#positions;
  }

  /** Sampled frames, patch rows and patch columns. */
  get grid(): { readonly t: number; readonly h: number; readonly w: number } {
    this.check();
    return this.#grid;
  }

  /** The size in pixels that frames were scaled to before cutting: grid.h · P × grid.w · P. */
  get targetSize(): { readonly width: number; readonly height: number } {
    this.check();
    return this.#targetSize;
  }

  /** Which sampled frames count as I frames, [T]; at least one does. */
  get isI(): readonly boolean[] {
    this.check();
    return this.#isI;
  }

  /**
   * The black bars that option ignore 'letterbox' found in all sampled frames; undefined where it was not
   * asked for.
   */
  get letterbox(): Letterbox | undefined {
    this.check();
    return this.#letterbox;
  }

  /** float32 [T, grid.h, grid.w]: the score of every patch, selected or not. */
  get frameScores(): Tensor<'float32'> {
    this.check();
    return this.#frameScores;
  }

  /** What the energy saw, with option maps; else undefined. */
  get energyMaps(): EnergyMaps | undefined {
    this.check();
    return this.#maps;
  }

  /** Patches that nextN can still give, 0..K. */
  get remaining(): number {
    this.check();
    return this.#count - this.#cursor;
  }

  /** The next m = min(n, remaining) patches as one tensor [m, 3, P, P]; m = 0 past the end. */
  nextN(n: number): { patches: Tensor<D, H>; metadata: PatchMetadata[] } {
    const [start, count] = this.#advance(n);
    return {
      patches: this.#patches.view(start, count),
      metadata: this.#makeMetadata(start, count),
    };
  }

  /** As nextN, with the metadata as tensors: fields int32 [m, 6], scores float32 [m]. */
  nextNTensors(n: number): { patches: Tensor<D, H> } & MetadataTensors {
    const [start, count] = this.#advance(n);
    return {
      patches: this.#patches.view(start, count),
      fields: this.#fields.view(start, count),
      scores: this.#scores.view(start, count),
    };
  }

  /** Moves the cursor back to the first patch. */
  reset(): void {
    this.check();
    this.#cursor = 0;
  }

  /** All patches, wherever the cursor is (it stays there). */
  collectAll(): CollectedPatches<D, H> {
    return {
      metadata: this.metadata,
      patches: this.#patches.view(0, this.#count),
      metadataTensors: {
        fields: this.#fields.view(0, this.#count),
        scores: this.#scores.view(0, this.#count),
      },
      sampledFrameIds: this.sampledFrameIds,
      fps: this.fps,
      durationSec: this.durationSec,
    };
  }

  /** One patch at a time, from the cursor on. */
  *[Symbol.iterator](): Generator<StreamedPatch<D, H>, void, undefined> {
    this.check();
    while (this.remaining > 0) {
      const [index] = this.#advance(1);
      yield { patch: this.#patches.at(index), metadata: this.#metadataAt(index) };
    }
  }

  override toJSON(): Record<string, unknown> {
    if (this.closed) return super.toJSON();
    const { length, grid } = this;
    return { length, patches: this.#patches.toJSON(), grid, ...super.toJSON() };
  }

  protected release(): void {
    const tensors = [this.#patches, this.#fields, this.#scores, this.#frameScores];
    const maps = this.#maps && [this.#maps.motion2, this.#maps.residual, this.#maps.energy];
    for (const tensor of [...tensors, this.#positions, ...(maps ?? [])]) tensor?.close();
    this.#metadata = this.#copies = undefined;
  }

  /** Takes up to n patches off the stream: their start and count. */
  #advance(n: number): [start: number, count: number] {
    this.check();
    checkInteger('n', n, 1, Infinity);
    const start = this.#cursor;
    this.#cursor = Math.min(this.#count, start + n);
    return [start, this.#cursor - start];
  }

  #makeMetadata(start: number, count: number): PatchMetadata[] {
    return Array.from({ length: count }, (_, i) => this.#metadataAt(start + i));
  }

  /** Copies, so that asking for metadata does not leave native memory to the garbage collector. */
  #onHost(): { readonly fields: Int32Array; readonly scores: Float32Array } {
    if (!this.#copies) {
      const [fields, scores] = [
        new Int32Array(this.#count * FIELDS),
        new Float32Array(this.#count),
      ];
      this.#fields.copyTo(fields);
      this.#scores.copyTo(scores);
      this.#copies = { fields, scores };
    }
    return this.#copies;
  }

  #metadataAt(index: number): PatchMetadata {
    const { fields, scores } = this.#onHost();
    const column = (c: number): number => fields[index * FIELDS + c] ?? 0;
    return {
      seqPos: column(0),
      frameId: column(1),
      isI: column(2) !== 0,
      patchLinearIdx: column(3),
      patchHIdx: column(4),
      patchWIdx: column(5),
      score: scores[index] ?? 0,
    };
  }

  #makePositions(): Tensor<'int32'> {
    const { fields } = this.#onHost();
    const out = new Int32Array(this.#count * 3);
    for (let i = 0; i < this.#count; i++) {
      out[i * 3] = fields[i * FIELDS] ?? 0;
      out[i * 3 + 1] = fields[i * FIELDS + 4] ?? 0;
      out[i * 3 + 2] = fields[i * FIELDS + 5] ?? 0;
    }
    return Tensor.over(jsMemory(out.buffer), 'int32', [this.#count, 3]);
  }
}

/** What patchStream gives for these options. */
export type PatchesOf<
  D extends DTypeOption,
  B extends BackendOption,
  P extends BackendOption,
> = PatchStream<DTypeOf<D, 'bfloat16'>, OnHost<B, P>>;

/**
 * Decodes frames of a video (16 spread over it, or those that `sample` says), scores their patches by
 * motion and residual energy, and keeps the best `kKeep`. The options are in docs/options.md.
 *
 * Rejects with a CodecPatchStreamError (docs/errors.md has its codes): ERR_CPS_INVALID_ARGUMENT before
 * anything is opened; ERR_CPS_NOT_FOUND, ERR_CPS_NO_VIDEO, ERR_CPS_UNSUPPORTED and ERR_CPS_CORRUPT for the
 * video; ERR_CPS_OUT_OF_MEMORY, ERR_CPS_LIMIT, ERR_CPS_TIMEOUT and those of devices for the machine. Or
 * with an AbortError, when `signal` is aborted; the work has ended then.
 */
export async function patchStream<
  D extends DTypeOption = undefined,
  B extends BackendOption = undefined,
  P extends BackendOption = undefined,
>(config: PatchStreamConfig & Following<D, B, P>): Promise<PatchesOf<D, B, P>> {
  return patchesOfParsed(parsePatchStream(config)) as Promise<PatchesOf<D, B, P>>;
}

/** @internal A call whose options are checked. */
export async function patchesOfParsed(call: ParsedPatchCall): Promise<PatchStream> {
  const { input, signal, records, notes } = call;
  const result = await callNative<NativePatchResult>({
    api: 'patchStream',
    input,
    signal,
    timeoutMs: records.call.timeoutMs,
    notes,
    notesOn: (r) => [
      ...repeatedFrames(records.sampling, r),
      ...patchAboveFrame(records.patch, r, { width: r.targetWidth, height: r.targetHeight }),
    ],
    start: (binding, cancel) => binding.patchStream(input, records, cancel),
    discard: (r) => {
      const maps = [r.maps?.motion2, r.maps?.residual, r.maps?.energy];
      for (const b of [r.patches, r.fields, r.scores, r.frameScores, ...maps]) b?.release();
    },
  });
  return new PatchStream(result, records.patch);
}
