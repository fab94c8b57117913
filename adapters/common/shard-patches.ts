/** Selected patches of one video out of a shard: what batches need of a PatchStream. */
import { checkPatchStreamOptions } from 'codec-patch-stream';
import type { PatchDType, PatchStream, Tensor } from 'codec-patch-stream';
import type { Shards, ShardSample } from 'codec-patch-stream/shards';
import { checkInteger, failure, invalid } from './errors.js';
import { factsOf } from './shard-feed.js';
import type { ShardFacts } from './shard-feed.js';

/** What is used of a stream once it is decoded. */
export type PatchRows = Pick<PatchStream, 'length' | 'patches' | 'positions' | 'close'>;

const PIXELS = ['float32', 'float16', 'bfloat16', 'uint8'];

/** Patches of a shard; they stand where a PatchStream does. */
export class ShardPatches implements PatchRows {
  /** Number of patches. */
  readonly length: number;
  /** [K, 3, P, P] or [K, P, P, 3], as they were extracted. */
  readonly patches: Tensor<PatchDType>;
  /** int32 [K, 3]: sampled frame, row, column. */
  readonly positions: Tensor<'int32'>;
  /** What KEY.json says of the video. */
  readonly facts: ShardFacts;
  /** They were extracted, not decoded now: messages say what to extract anew. */
  readonly ofShard = true;
  readonly #sample: ShardSample;

  /** `most`: how many patches there may be. */
  constructor(sample: ShardSample, most: number) {
    const { patches, positions, mask } = sample.tensors;
    this.#sample = sample;
    if (!patches || !positions) {
      const names = Object.keys(sample.tensors).join(', ');
      throw this.#wrong(`Expected tensors 'patches' and 'positions' but it has ${names}`);
    }
    const [length = 0, ...patch] = patches.shape;
    const isPatch = patch.length === 3 && (patch[0] === 3 || patch[2] === 3);
    if (!isPatch || !PIXELS.includes(patches.dtype)) {
      throw this.#wrong(`patches of ${patches.dtype} [${patches.shape.join(', ')}]`);
    }
    if (positions.dtype !== 'int32' || positions.shape.join() !== `${length},3`) {
      const given = `${positions.dtype} [${positions.shape.join(', ')}]`;
      throw this.#wrong(`Expected int32 [${length}, 3] for positions but it has ${given}`);
    }
    if (length > most) throw this.#wrong(`Expected at most ${most} patches but it has ${length}`);
    if (mask && mask.shape.join() !== String(length)) {
      throw this.#wrong(`a mask of [${mask.shape.join(', ')}] for ${length} patches`);
    }
    this.length = length;
    this.patches = patches as Tensor<PatchDType>;
    this.positions = positions as Tensor<'int32'>;
    this.facts = factsOf(sample);
  }

  /** float32 [K]: their energy. */
  get scores(): Tensor<'float32'> {
    const { scores } = this.#sample.tensors;
    const fits = scores?.dtype === 'float32' && scores.shape.join() === String(this.length);
    if (!fits) throw this.#wrong(`no tensor 'scores', float32 [${this.length}]`);
    return scores as Tensor<'float32'>;
  }

  /** (frame · rows + row) · columns + column of each patch. */
  get indices(): Int32Array {
    const [t, rows, columns] = this.facts.grid;
    const places = this.positions.data as Int32Array;
    return Int32Array.from({ length: this.length }, (_, i) => {
      const [frame = 0, row = 0, column = 0] = places.subarray(3 * i, 3 * i + 3);
      const inside = frame >= 0 && frame < t && row >= 0 && row < rows;
      if (!inside || column < 0 || column >= columns) {
        const place = `(${frame}, ${row}, ${column})`;
        throw this.#wrong(`a patch at ${place} of a grid [${[t, rows, columns].join(', ')}]`);
      }
      return (frame * rows + row) * columns + column;
    });
  }

  /** Frees the tensors. */
  close(): void {
    for (const tensor of Object.values(this.#sample.tensors)) tensor.close();
  }

  #wrong(what: string): Error {
    return failure('ERR_CPS_CORRUPT', `${this.#sample.file}: ${this.#sample.key}: ${what}`);
  }
}

/** Patches of a clip at most: option kKeep, or what they were extracted with. */
export function mostPatches({ manifest }: Shards, kKeep: unknown): number | undefined {
  if (kKeep !== undefined) return checkInteger('kKeep', kKeep, 1);
  const { options } = (manifest?.recipe ?? {}) as { options?: unknown };
  if (typeof options === 'object' && options !== null) {
    return checkPatchStreamOptions(options).mostPatches;
  }
  return manifest?.tensors['patches']?.shape[0] ?? undefined;
}

/** The same where a clip needs the number. */
export function rowsOfClips(shards: Shards, kKeep: unknown): number {
  const most = mostPatches(shards, kKeep);
  if (most !== undefined) return most;
  throw invalid(
    'kKeep',
    "integer: no manifest says it, and rows of unit 'clip' have one length",
    kKeep,
  );
}
