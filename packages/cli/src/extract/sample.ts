/** One video as a sample: its tensors and what is to be known of it. */
import { patchStream, reseed } from 'codec-patch-stream';
import type { PatchStreamConfig, ResultNote, SampleRule, Tensor } from 'codec-patch-stream';
import { codecCanvases, modelInputs } from 'codec-patch-stream/inputs';
import type { InputSpec } from 'codec-patch-stream/inputs';
import type { Made } from './layouts.js';
import type { Recipe, SampleFacts, Settings, VideoRow } from './shards.js';
import type { Opened } from './sources.js';

export interface Sample extends Made {
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly facts: SampleFacts;
  close(): void;
}

const hasRange = (row: Pick<VideoRow, 'fromSec' | 'toSec'>): boolean =>
  (row.fromSec ?? row.toSec ?? null) !== null;

/** Why the frames of an episode cannot be chosen by `rule`; undefined where they can. */
export function refusesEpisodes(rule: InputSpec['sample'] | undefined): string | undefined {
  const { as, indices, timesSec, range } = (rule ?? {}) as Readonly<Record<string, unknown>>;
  if (as !== undefined)
    return `that of '${typeof as === 'string' ? as : JSON.stringify(as)}' is of the whole video`;
  if (indices !== undefined) return 'indices are of the whole video';
  if (timesSec !== undefined) return 'timesSec are of the whole video';
  if (range !== undefined) return 'it has a range of its own';
  return undefined;
}

/** The rule for this row: its episode, and random numbers of its own. */
function ruleFor(rule: SampleRule, row: VideoRow): SampleRule {
  const own = reseed<SampleRule>(rule, row.index);
  if (!hasRange(row)) return own;
  const { fromSec, toSec } = row;
  const from = typeof fromSec === 'number' ? { fromSec } : {};
  const to = typeof toSec === 'number' ? { toSec } : {};
  return { ...own, range: { ...from, ...to } } as SampleRule;
}

/** Tensors of a recipe, in memory: `tensors` of an input, what patchStream gives. */
export function tensorNames(recipe: Recipe): readonly string[] {
  switch (recipe.kind) {
    case 'input':
      return Object.keys(recipe.input.tensors);
    case 'patches':
      return ['patches', 'positions', 'scores'];
    case 'canvases':
      return ['canvases', 'positions'];
  }
}

type Options = Readonly<Record<string, unknown>>;

/** As text, but for what is about the machine. */
const notesText = (notes: readonly ResultNote[]): string =>
  JSON.stringify(notes.filter(({ code }) => code !== 'index-not-kept'));

async function inputSample(
  input: InputSpec,
  row: VideoRow,
  { video }: Opened,
  options: Options,
): Promise<Sample> {
  const augment = input.augment && { augment: reseed(input.augment, row.index) };
  // A model's own rule is of whole videos, and nothing in it is random.
  const sample = 'as' in input.sample ? input.sample : ruleFor(input.sample, row);
  const own = { ...input, ...augment, sample };
  const inputs = await modelInputs(video, own, options);
  const [one] = inputs.videos;
  if (!one) throw new Error('an input without its video');
  const facts: SampleFacts = {
    frames: one.frames.map(({ id }) => id),
    seconds: one.frames.map(({ seconds }) => seconds),
    stepSeconds: one.steps.map(({ seconds }) => seconds),
    stepTokens: one.steps.map(({ tokens }) => tokens),
    size: one.size,
    grid: one.grid,
    tokens: one.tokens,
    notes: notesText(one.notes),
  };
  return { inputs, tensors: inputs.tensors, facts, close: () => inputs.close() };
}

async function patchSample(
  recipe: Options,
  row: VideoRow,
  { video }: Opened,
  options: Options,
): Promise<Sample> {
  const { sequenceLength, sample, augment, ...others } = recipe as Partial<PatchStreamConfig>;
  const rule: SampleRule = sample ?? { count: sequenceLength ?? 16 };
  const config = {
    ...options,
    ...others,
    ...(augment && { augment: reseed(augment, row.index) }),
    sample: ruleFor(rule, row),
    videoPath: video,
  };
  const stream = await patchStream(config as PatchStreamConfig);
  const { grid, targetSize, notes } = stream;
  const facts: SampleFacts = {
    frames: [...stream.sampledFrameIds],
    seconds: [...stream.secondsFromStart],
    isI: [...stream.isI],
    size: [targetSize.height, targetSize.width],
    grid: [grid.t, grid.h, grid.w],
    tokens: stream.length,
    notes: notesText(notes),
  };
  const { patches, positions, metadataTensors } = stream;
  const tensors = { patches, positions, scores: metadataTensors.scores };
  return { tensors, facts, close: () => stream.close() };
}

async function canvasSample(recipe: Options, { video }: Opened, options: Options): Promise<Sample> {
  const canvases = await codecCanvases(video, { ...options, ...recipe });
  const { frameIds, fps, positions } = canvases;
  const [count = 0, height = 0, width = 0] = canvases.canvases.shape;
  const facts: SampleFacts = {
    frames: [...frameIds],
    seconds: frameIds.map((id) => id / fps),
    size: [height, width],
    grid: [count, ...canvases.grid],
    tokens: positions.shape[0] ?? 0,
    notes: notesText(canvases.notes),
  };
  const tensors = { canvases: canvases.canvases, positions };
  return { canvases, tensors, facts, close: () => canvases.close() };
}

/** Decodes what the recipe wants of one row. Close it. */
export function makeSample(
  { recipe, decoding }: Settings,
  row: VideoRow,
  opened: Opened,
  machine: Options,
): Promise<Sample> {
  const options = { ...machine, ...decoding };
  switch (recipe.kind) {
    case 'input':
      return inputSample(recipe.input, row, opened, options);
    case 'patches':
      return patchSample(recipe.options, row, opened, options);
    case 'canvases':
      return canvasSample(recipe.options, opened, options);
  }
}
