/** Samples of shards on their way to a batch: read ahead, checked against each other. */
import type { InputVideo } from 'codec-patch-stream/inputs';
import { openShards } from 'codec-patch-stream/shards';
import type { ShardPattern, Shards, ShardSample, ShardTensor } from 'codec-patch-stream/shards';
import { failure, invalid } from './errors.js';
import { VideoFeed } from './feed.js';
import type { OnError } from './feed.js';
import { parseFlow } from './options.js';
import type { Flow, FlowOptions } from './options.js';
import { parseShardOrder, shardSource } from './shard-order.js';
import type { PlacedSample, ShardEntry, ShardOrder, ShardOrderOptions } from './shard-order.js';
import type { Sample } from './videos.js';

/** What a sample of a shard is: what a model takes, or selected patches. */
export type ShardKind = 'input' | 'patches';

/** Options of everything that reads shards. */
export interface ShardOptions extends ShardOrderOptions {
  /**
   * 'input': tensors of a model, joined along their first axis. 'patches': selected patches, as patchStream
   * gives them. It has to be what the shards were made of. Default: 'input'.
   */
  readonly kind?: ShardKind | undefined;
  /** Samples (or patches, with unit 'patch') per batch. Default: 1. */
  readonly batchSize?: number | undefined;
  /** Leaves out a last batch with fewer. Default: false. */
  readonly dropRemainder?: boolean | undefined;
  /** Samples being read or read and waiting, at most. 1..64. Default: 3. */
  readonly prefetchDepth?: number | undefined;
  /** Samples being read at once, at most. Default: prefetchDepth. The order does not depend on it. */
  readonly concurrency?: number | undefined;
  /** What to do about a sample that cannot be read. Default: 'throw'. */
  readonly onError?: OnError<ShardEntry> | undefined;
  /** Stops everything; the pending next() rejects with an AbortError. */
  readonly signal?: AbortSignal | undefined;
}

const NAMES = [
  ...['kind', 'batchSize', 'dropRemainder', 'shuffle', 'seed', 'repeat', 'worker', 'from'],
  ...['prefetchDepth', 'concurrency', 'onError', 'signal'],
];

/** Shards that were opened, and how they are read. */
export interface ShardFlow {
  readonly shards: Shards;
  readonly kind: ShardKind;
  readonly order: ShardOrder;
  readonly flow: Flow<ShardEntry>;
}

/** Opens the shards and takes the options off `options`; what is neither these nor `own` is refused. */
export function parseShards<O extends ShardOptions>(
  api: string,
  pattern: ShardPattern,
  options: O,
  own: readonly string[],
): { shared: ShardFlow; rest: Omit<O, keyof ShardOptions> } {
  if (typeof options !== 'object' || (options as unknown) === null) {
    throw invalid('options', 'object', options);
  }
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || own.includes(name) || NAMES.includes(name)) continue;
    const known = [...own, ...NAMES].join(', ');
    throw invalid(name, 'no value', value, `; ${api} takes ${known}`);
  }
  const { kind = 'input', worker, from, shuffle, seed, repeat, ...others } = options;
  if ((kind as string) !== 'input' && (kind as string) !== 'patches') {
    throw invalid('kind', "'input' or 'patches'", kind);
  }
  const { flow, rest } = parseFlow<ShardEntry, FlowOptions<ShardEntry>>(others);
  const shards = openShards(pattern);
  const { kind: made } = (shards.manifest?.recipe ?? {}) as { kind?: unknown };
  if (typeof made === 'string' && made !== kind) {
    throw invalid('kind', `'${made}', which the manifest of these shards says`, kind);
  }
  const order = parseShardOrder({ worker, from, shuffle, seed, repeat }, shards);
  return { shared: { shards, kind, order, flow }, rest: rest as Omit<O, keyof ShardOptions> };
}

const shapeText = (shape: readonly (number | null)[]): string =>
  `[${shape.map((side) => side ?? '?').join(', ')}]`;

// Note [The same fields]
// A batch is made of equal rows, and the memory for it is made for the first one. So each sample has the
// tensors that the manifest lists, or else those of the sample that was read first: same names, same types,
// same axes behind the first one. What differs is an error of that sample, never a shifted row.
class FieldCheck {
  #wanted: ReadonlyMap<string, ShardTensor> | undefined;
  #from = 'the manifest';

  constructor({ manifest }: Shards) {
    if (manifest) this.#wanted = new Map(Object.entries(manifest.tensors));
  }

  check({ key, file, tensors }: ShardSample): void {
    const entries = Object.entries(tensors);
    if (!this.#wanted) {
      const open = entries.map(([name, { dtype, shape }]) => {
        return [
          name,
          { dtype, shape: shape.map((side, axis) => (axis === 0 ? null : side)) },
        ] as const;
      });
      this.#wanted = new Map(open);
      this.#from = `${file}: ${key}`;
      return;
    }
    const wrong = (what: string): never => {
      const message = `${file}: ${key}: ${what}, as in ${this.#from}`;
      throw failure('ERR_CPS_CORRUPT', message);
    };
    const names = [...this.#wanted.keys()].sort().join(', ');
    const given = entries.map(([name]) => name).sort();
    if (given.join(', ') !== names) wrong(`it has ${given.join(', ')}; expected ${names}`);
    for (const [name, { dtype, shape }] of entries) {
      const wanted = this.#wanted.get(name) as ShardTensor;
      const fits =
        wanted.shape.length === shape.length &&
        wanted.shape.every((side, axis) => side === null || side === shape[axis]);
      if (wanted.dtype === dtype && fits) continue;
      const text = `${wanted.dtype} ${shapeText(wanted.shape)}`;
      wrong(`'${name}' is ${dtype} ${shapeText(shape)}; expected ${text}`);
    }
  }
}

/** The row of a video, out of KEY.json, in the words of direct datasets: `video` is its path. */
function entryOf({ key, file, json }: ShardSample): ShardEntry {
  const { path, ...columns } = json;
  // What json has as `video` are facts of it, which go elsewhere (factsOf).
  return { ...columns, video: typeof path === 'string' ? path : `${file}: ${key}`, key, file };
}

/** Reads samples ahead: `make` makes of each what batches are put together of. */
export function openFeeds<R>(
  { shards, order, flow }: ShardFlow,
  make: (sample: ShardSample) => R | Promise<R>,
  discard: (result: R) => void,
): () => VideoFeed<ShardEntry, R> {
  const source = shardSource(shards, order);
  const fields = new FieldCheck(shards);
  return () =>
    new VideoFeed<ShardEntry, R>({
      ...flow,
      source: source(),
      decode: async (sample: Sample<ShardEntry>, signal) => {
        const { place, entry } = sample as PlacedSample;
        const read = await shards.read(place.file, place.sample, signal);
        Object.assign(entry, entryOf(read));
        fields.check(read);
        return make(read);
      },
      discard,
    });
}

const isNumbers = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'number');

const numbersOf = (value: unknown, length?: number): readonly number[] =>
  isNumbers(value) && (length === undefined || value.length === length) ? value : [];

/** What KEY.json says of the video itself; what is missing there is empty. */
export interface ShardFacts extends InputVideo {
  /** Of patches: which sampled frames count as I frames. */
  readonly isI: readonly boolean[];
}

/** Reads `video` of a KEY.json, whoever wrote it. */
export function factsOf({ json }: ShardSample): ShardFacts {
  const said = (json['video'] ?? {}) as Record<string, unknown>;
  const ids = numbersOf(said['frames']);
  const seconds = numbersOf(said['seconds']);
  const stepSeconds = numbersOf(said['stepSeconds']);
  const stepTokens = numbersOf(said['stepTokens'], stepSeconds.length);
  const [height = 0, width = 0] = numbersOf(said['size'], 2);
  const [t = 0, h = 0, w = 0] = numbersOf(said['grid'], 3);
  const { tokens, isI } = said;
  return {
    frames: ids.map((id, i) => ({ id, seconds: seconds[i] ?? NaN })),
    steps: stepSeconds.map((at, i) => ({ seconds: at, tokens: stepTokens[i] ?? 0 })),
    size: [height, width],
    grid: [t, h, w],
    tokens: typeof tokens === 'number' ? tokens : 0,
    notes: notesOf(said['notes']),
    isI: Array.isArray(isI) ? isI.map((flag) => flag === true) : [],
  };
}

function notesOf(text: unknown): InputVideo['notes'] {
  try {
    const notes: unknown = typeof text === 'string' ? JSON.parse(text) : [];
    return Array.isArray(notes) ? (notes as InputVideo['notes']) : [];
  } catch {
    return [];
  }
}
