import type { NativeFramesResult } from '../native/binding.js';
import { callNative } from './call.js';
import type { DecodeOnlyConfig } from '../options/config.js';
import { parseDecodeOnly } from '../options/records.js';
import type { ParsedFrameCall } from '../options/records.js';
import { SampledResult } from './sample-info.js';
import { Tensor } from './tensor.js';
import { repeatedFrames } from './unlikely-options.js';

/** The sampled frames of one video as RGB. */
export class DecodedFrames extends SampledResult {
  readonly #frames: Tensor<'uint8'>;
  readonly #length: number;

  /** @internal */
  constructor(result: NativeFramesResult) {
    super(result, 'The decoded frames');
    this.#length = result.sampledFrameIds.length;
    const shape = [this.#length, result.framesHeight, result.framesWidth, 3];
    this.#frames = Tensor.over(result.frames, 'uint8', shape);
  }

  /** Number T of frames. */
  get length(): number {
    this.check();
    return this.#length;
  }

  /** uint8 [T, H, W, 3], RGB, rotation applied. */
  get frames(): Tensor<'uint8'> {
    this.check();
    return this.#frames;
  }

  /** Sampled frame `index` (0..T-1) as uint8 [H, W, 3], sharing the memory of `frames`. */
  frame(index: number): Tensor<'uint8'> {
    this.check();
    return this.#frames.at(index);
  }

  override toJSON(): Record<string, unknown> {
    return this.closed ? super.toJSON() : { frames: this.#frames.toJSON(), ...super.toJSON() };
  }

  protected release(): void {
    this.#frames.close();
  }
}

/**
 * Decodes frames of a video to RGB: 16 spread over it, or those that `sample` says. The options are in
 * docs/options.md.
 *
 * Rejects with a CodecPatchStreamError (docs/errors.md has its codes): ERR_CPS_INVALID_ARGUMENT before
 * anything is opened; ERR_CPS_NOT_FOUND, ERR_CPS_NO_VIDEO, ERR_CPS_UNSUPPORTED and ERR_CPS_CORRUPT for the
 * video; ERR_CPS_OUT_OF_MEMORY, ERR_CPS_LIMIT, ERR_CPS_TIMEOUT and those of devices for the machine. Or
 * with an AbortError, when `signal` is aborted; the work has ended then.
 */
export async function decodeOnly(config: DecodeOnlyConfig): Promise<DecodedFrames> {
  return decodeParsed(parseDecodeOnly(config));
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
  return new DecodedFrames(result);
}
