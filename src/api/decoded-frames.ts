import type { NativeFramesResult } from '../native/binding.js';
import { callNative } from './call.js';
import type { DecodeOnlyConfig } from '../options/config.js';
import type { FrameRecord } from '../options/record-types.js';
import { parseDecodeOnly } from '../options/records.js';
import type { ParsedFrameCall } from '../options/records.js';
import { invalid } from '../support/is.js';
import type { BackendOption, DTypeOf, DTypeOption, Following, OnHost } from './result-types.js';
import type { LayoutOption } from './result-types.js';
import { SampledResult } from './sample-info.js';
import { Tensor } from './tensor.js';
import { repeatedFrames } from './unlikely-options.js';

/** Element types of decoded frames. */
export type FrameDType = FrameRecord['outputDtype'];
/** Orders of the axes of decoded frames: T, H (height), W (width) and C (red, green, blue). */
export type FrameLayout = FrameRecord['layout'];

const shapeOf = (layout: FrameLayout, t: number, h: number, w: number): number[] =>
  layout === 'thwc' ? [t, h, w, 3] : layout === 'tchw' ? [t, 3, h, w] : [3, t, h, w];

/**
 * The sampled frames of one video as RGB. The parameters are outputDtype, whether the frames are known
 * to be in host memory (backend 'cpu'), and layout.
 */
export class DecodedFrames<
  D extends FrameDType = FrameDType,
  H extends boolean = boolean,
  L extends FrameLayout = FrameLayout,
> extends SampledResult {
  readonly #frames: Tensor<D, H>;
  readonly #layout: L;
  readonly #length: number;

  /** @internal */
  constructor(result: NativeFramesResult, { outputDtype, layout }: FrameRecord) {
    super(result, 'The decoded frames');
    this.#length = result.sampledFrameIds.length;
    this.#layout = layout as L;
    const shape = shapeOf(layout, this.#length, result.framesHeight, result.framesWidth);
    this.#frames = Tensor.over<D, H>(result.frames, outputDtype as D, shape);
  }

  /** Number T of frames. */
  get length(): number {
    this.check();
    return this.#length;
  }

  /** Order of the axes of `frames`. */
  get layout(): L {
    this.check();
    return this.#layout;
  }

  /** RGB [T, H, W, 3] (or as `layout` says) of outputDtype: uint8 unless given. Rotation applied. */
  get frames(): Tensor<D, H> {
    this.check();
    return this.#frames;
  }

  /**
   * Sampled frame `index` (0..T-1) as [H, W, 3], or [3, H, W] with layout 'tchw', sharing the memory of
   * `frames`. Not with 'cthw', where a frame is no piece of memory.
   */
  frame(index: number): Tensor<D, H> {
    this.check();
    if (this.#layout === 'cthw') {
      throw invalid('layout', "'thwc' or 'tchw' (for frame())", this.#layout);
    }
    return this.#frames.at(index);
  }

  override toJSON(): Record<string, unknown> {
    return this.closed ? super.toJSON() : { frames: this.#frames.toJSON(), ...super.toJSON() };
  }

  protected release(): void {
    this.#frames.close();
  }
}

/** Options of decodeOnly that the type of its result follows. */
export interface FollowingFrames<
  D extends DecodeOnlyConfig['outputDtype'],
  L extends LayoutOption,
  B extends BackendOption,
  P extends BackendOption,
> extends Following<D, B, P> {
  readonly layout?: L | undefined;
}

/** What decodeOnly gives for these options. */
export type FramesOf<
  D extends DTypeOption,
  L extends LayoutOption,
  B extends BackendOption,
  P extends BackendOption,
> = DecodedFrames<
  DTypeOf<D, 'uint8'>,
  OnHost<B, P>,
  L extends undefined ? 'thwc' : Exclude<L, undefined>
>;

/**
 * Decodes frames of a video to RGB: 16 spread over it, or those that `sample` says; as they are, or of a
 * size, type and order that a model takes. The options are in docs/options.md.
 *
 * Rejects with a CodecPatchStreamError (docs/errors.md has its codes): ERR_CPS_INVALID_ARGUMENT before
 * anything is opened; ERR_CPS_NOT_FOUND, ERR_CPS_NO_VIDEO, ERR_CPS_UNSUPPORTED and ERR_CPS_CORRUPT for the
 * video; ERR_CPS_OUT_OF_MEMORY, ERR_CPS_LIMIT, ERR_CPS_TIMEOUT and those of devices for the machine. Or
 * with an AbortError, when `signal` is aborted; the work has ended then.
 */
export async function decodeOnly<
  D extends DecodeOnlyConfig['outputDtype'] = undefined,
  L extends LayoutOption = undefined,
  B extends BackendOption = undefined,
  P extends BackendOption = undefined,
>(config: DecodeOnlyConfig & FollowingFrames<D, L, B, P>): Promise<FramesOf<D, L, B, P>> {
  return decodeParsed(parseDecodeOnly(config)) as Promise<FramesOf<D, L, B, P>>;
}

/** @internal A call whose options are checked. */
export async function decodeParsed(call: ParsedFrameCall): Promise<DecodedFrames> {
  const { input, signal, records, notes } = call;
  const result = await callNative<NativeFramesResult>({
    api: 'decodeOnly',
    input,
    signal,
    timeoutMs: records.call.timeoutMs,
    notes,
    notesOn: (r) => repeatedFrames(records.sampling, r),
    start: (binding, cancel) => binding.decodeOnly(input, records, cancel),
    discard: (r) => r.frames.release(),
  });
  return new DecodedFrames(result, records.frame);
}
