/** The sampled frames of a selection once more, as pictures for people. */
import { decodeOnly } from 'codec-patch-stream';
import type { DecodedFrames, DecodeOnlyConfig, PatchStream } from 'codec-patch-stream';
import { resized } from './encode.js';
import { flagOptions } from './flags.js';
import type { Picture } from './picture.js';
import type { Selection } from './pictures.js';

/** What a picture for people has an own idea of. */
const OWN = ['width', 'height', 'outputDtype', 'layout', 'normalize'];

/** Frames of the stream in a size for looking at. Close it. */
export class Display {
  readonly #frames: DecodedFrames<'uint8'>;

  private constructor(
    frames: DecodedFrames<'uint8'>,
    readonly width: number,
    readonly height: number,
  ) {
    this.#frames = frames;
  }

  /** Decodes the same frames by the same options, as far as they concern decoding. */
  static async of(
    config: Readonly<Record<string, unknown>>,
    size: { readonly width: number; readonly height: number },
    signal?: AbortSignal,
  ): Promise<Display> {
    // A size of one's own may crop: then what is shown has that shape, and is enlarged here.
    const ownSize = config['size'] !== undefined;
    const without = ownSize ? OWN : [...OWN, 'resample'];
    const shared = flagOptions('decodeOnly', without).map(({ name }) => name);
    const given = Object.entries(config).filter(([name]) => shared.includes(name));
    const scaled = ownSize ? {} : size;
    const frames = await decodeOnly({
      ...Object.fromEntries(given),
      ...scaled,
      videoPath: config['videoPath'],
      signal,
    } as Omit<DecodeOnlyConfig, 'outputDtype' | 'layout'>);
    return new Display(frames, size.width, size.height);
  }

  async picture(index: number): Promise<Picture> {
    using frame = this.#frames.frame(index);
    const [height = 0, width = 0] = frame.shape;
    return resized({ width, height, data: await frame.toHost() }, this.width, this.height);
  }

  close(): void {
    this.#frames.close();
  }
}

export function selectionOf(
  stream: PatchStream,
  patchSize: number,
  scores: Float32Array,
): Selection {
  const { t, h, w } = stream.grid;
  const selected = new Uint8Array(t * h * w);
  for (const { patchLinearIdx } of stream.metadata) selected[patchLinearIdx] = 1;
  return { grid: stream.grid, patchSize, selected, scores };
}

/** The score that gets the brightest colour: high enough that single outliers do not darken all. */
export function brightest(scores: Float32Array): number {
  const sorted = scores.slice().sort();
  return sorted[Math.round(0.995 * (sorted.length - 1))] ?? 0;
}

/** "#24 0.96s I": what is written beside a sampled frame. */
export const labelsOf = (stream: PatchStream): string[] =>
  stream.sampledFrameIds.map((id, t) => {
    const time = (stream.timestampsSec[t] ?? 0).toFixed(2);
    return `#${id} ${time}s${stream.isI[t] ? ' I' : ''}`;
  });
