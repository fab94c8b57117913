/** Canvases of a video, and the tensors that a model takes of them. */
import type { ResultNote } from '../../api/notes.js';
import { jsMemory, Tensor } from '../../api/tensor.js';
import { closedError } from '../../support/errors.js';
import { invalid } from '../../support/is.js';
import { defineInput } from '../define.js';
import { Inputs, modelInputs } from '../model-inputs.js';
import type { InputVideo } from '../model-inputs.js';
import type { InputSpec, PixelType } from '../types.js';
import { BLOCK, inBlocks } from './pack.js';

/** Frames that share canvases. */
export interface CanvasGroup {
  /** Display indices of its frames. */
  readonly frames: readonly number[];
  /** That of the frame that is kept whole. */
  readonly anchor: number;
  /** Its canvases: from the first to the one behind the last. */
  readonly canvases: readonly [from: number, to: number];
}

/** What canvases are made of. */
interface Parts {
  readonly canvases: Tensor<'uint8'>;
  readonly positions: Tensor<'int32'>;
  readonly groups: readonly CanvasGroup[];
  readonly frameIds: readonly number[];
  readonly fps: number;
  readonly grid: readonly [rows: number, columns: number];
  readonly patchSize: number;
  readonly notes: readonly ResultNote[];
}

/** How canvases become a model's input. */
export interface CanvasInputOptions {
  /** Default: 'float32'. */
  readonly dtype?: PixelType | undefined;
  /** Default: 'clip'. */
  readonly normalize?: InputSpec['normalize'];
  /**
   * Rows of image_grid_thw: one for all canvases ('video', LLaVA-OneVision-2, the default), or one for each
   * ('canvas', Mage-VL).
   */
  readonly gridPer?: 'video' | 'canvas' | undefined;
}

const USUAL_RATE = 24;

/** Pictures packed of the blocks of a video that matter. Close them when they have been used. */
export class CodecCanvases {
  #parts: Parts | undefined;

  /** @internal */
  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** RGB, [canvases, H, W, 3]. */
  get canvases(): Tensor<'uint8'> {
    return this.#open().canvases;
  }

  /**
   * Where each patch came from, [canvases · rows · columns, 3] in raster order of each canvas: display index
   * of the frame, patch row, patch column; −1 three times where nothing is.
   */
  get positions(): Tensor<'int32'> {
    return this.#open().positions;
  }

  /** Which frames share canvases. */
  get groups(): readonly CanvasGroup[] {
    return this.#open().groups;
  }

  /** Display indices of all sampled frames, those that no group has included. */
  get frameIds(): readonly number[] {
    return this.#open().frameIds;
  }

  /** Average frame rate of the video. */
  get fps(): number {
    return this.#open().fps;
  }

  /** Patches of a canvas. */
  get grid(): readonly [rows: number, columns: number] {
    return this.#open().grid;
  }

  /** Side of a patch in pixels. */
  get patchSize(): number {
    return this.#open().patchSize;
  }

  /** What else to know of the video, by code; docs/notes.md has the codes. */
  get notes(): readonly ResultNote[] {
    return this.#open().notes;
  }

  /**
   * The model's tensors: pixel_values [patches, 3·P·P] and patch_positions int64 [patches, 3], rows of a
   * block of 2 × 2 one behind the other, and image_grid_thw. Its one video has a step for each run of
   * patches of one frame, with the time that the prompt has for it.
   */
  async inputs(options: CanvasInputOptions = {}): Promise<Inputs> {
    const { canvases, positions, fps, grid, patchSize, notes } = this.#open();
    const { dtype = 'float32', normalize = 'clip', gridPer = 'video' } = options;
    if (!(['video', 'canvas'] as unknown[]).includes(gridPer)) {
      throw invalid('gridPer', "'video' or 'canvas'", gridPer);
    }
    const input = defineInput({
      sample: { count: 1 },
      normalize,
      patch: { size: patchSize, merge: BLOCK },
      tensors: {
        pixel_values: { of: 'pixels', axes: '(n f H W a b) (c y x)', dtype },
        image_grid_thw: { of: 'grid', per: gridPer === 'video' ? 'video' : 'frame' },
      },
    });
    const made = await modelInputs({ frames: canvases }, input);
    const rows = inBlocks(await positions.toHost(), ...grid);
    const wide = BigInt64Array.from(rows, BigInt);
    const patch_positions = Tensor.over<'int64'>(jsMemory(wide.buffer), 'int64', positions.shape);
    const [one] = made.videos as readonly [InputVideo];
    const video = { ...one, ...placesOf(rows, fps > 0 ? fps : USUAL_RATE), notes };
    return new Inputs({ ...made.tensors, patch_positions }, [Object.freeze(video)]);
  }

  /** Whether close() was called. */
  get closed(): boolean {
    return this.#parts === undefined;
  }

  /** Frees the memory; twice is fine. */
  close(): void {
    const parts = this.#parts;
    this.#parts = undefined;
    parts?.canvases.close();
    parts?.positions.close();
  }

  /** close(), for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  #open(): Parts {
    if (!this.#parts) throw closedError('The canvases');
    return this.#parts;
  }
}

/** Runs of patches of one frame: what the prompt has a time for. */
function placesOf(rows: Int32Array, fps: number): Pick<InputVideo, 'frames' | 'steps' | 'tokens'> {
  const steps: { seconds: number; tokens: number }[] = [];
  const ids = new Set<number>();
  let before = -1;
  for (let i = 0; i < rows.length; i += 3 * BLOCK * BLOCK) {
    const id = rows[i] as number;
    const last = steps.at(-1);
    if (id >= 0 && id === before && last) last.tokens++;
    else if (id >= 0) steps.push({ seconds: id / fps, tokens: 1 });
    if (id >= 0) ids.add(id);
    before = id;
  }
  const frames = [...ids].sort((a, b) => a - b).map((id) => ({ id, seconds: id / fps }));
  return { frames, steps, tokens: steps.reduce((sum, { tokens }) => sum + tokens, 0) };
}
