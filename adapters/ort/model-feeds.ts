/** Inputs of `codec-patch-stream/inputs` as the feeds of a session. */
import { stack, Tensor } from 'codec-patch-stream';
import type { Inputs as ModelInputs } from 'codec-patch-stream/inputs';
import { invalid } from '../common/errors.js';
import { convert } from './convert.js';
import { DeviceSession } from './device-session.js';
import type { DeviceFeeds } from './device-session.js';
import { declare, fail, metadataOf } from './inputs.js';
import type { Meta } from './inputs.js';
import { ARRAYS, isInputType, makeOrtTensor } from './ort.js';
import type { Ort, OrtTensor, Session } from './ort.js';

/**
 * A tensor for an input that has nothing to do with the video, or that you make yourself; a tensor of this
 * package is for a DeviceSession. A tensor stays yours; what a function makes belongs to the feeds and is
 * closed with them.
 */
export type InputSupply =
  OrtTensor | Tensor | ((inputs: ModelInputs) => OrtTensor | Tensor | Promise<OrtTensor | Tensor>);

/** Name of the session's input -> name of the tensor, where they differ, or a tensor. */
export type InputMapping = Readonly<Record<string, string | InputSupply>>;

/** What is used of Inputs; samples of shards have it, too. */
export type FedTensors = Pick<ModelInputs, 'tensors'>;

/** Whether a value is what modelInputs and inputStream give. */
export const isModelInputs = (value: unknown): value is ModelInputs =>
  typeof value === 'object' && value !== null && 'tensors' in value && 'videos' in value;

// Exports leave out what says that it is of videos: grid_thw stands for video_grid_thw.
const plain = (name: string): string => name.replace(/^(video|image)_/, '').replace(/_videos$/, '');

function tensorNameFor(
  { name }: Meta,
  given: string | undefined,
  tensors: ModelInputs['tensors'],
): string | undefined {
  const names = Object.keys(tensors);
  if (given !== undefined) {
    if (!names.includes(given)) {
      throw invalid(`mapping.${name}`, `a tensor of the inputs (${names.join(', ')})`, given);
    }
    return given;
  }
  if (names.includes(name)) return name;
  const alike = names.filter((other) => plain(other) === plain(name));
  return alike.length === 1 ? alike[0] : undefined;
}

/**
 * The shape in which a tensor fits a declared one: its own, or with leading axes joined ([B, T, ...] as
 * [B·T, ...]) or with axes of one in front; batch is the first axis, which may be shorter.
 */
function fitShape(meta: Meta, tensor: Tensor, name: string): readonly number[] {
  const declared = meta.shape;
  const own = tensor.shape;
  const less = own.length - declared.length;
  const shape =
    less > 0
      ? [
          own.slice(0, less + 1).reduce((product, side) => product * side, 1),
          ...own.slice(less + 1),
        ]
      : [...new Array<number>(-less).fill(1), ...own];
  const fits = declared.every((side, i) => {
    if (typeof side !== 'number') return true;
    return i === 0 ? (shape[0] ?? 0) <= side : shape[i] === side;
  });
  if (fits) return shape;
  return fail(
    `Input '${meta.name}' of the model is ${declare(meta)} but '${name}' is [${own.join(', ')}]; ` +
      'describe the input as the model has it (size, sample and axes; fromConfig with its own file)',
  );
}

async function feedTensor(
  ort: Ort,
  meta: Meta,
  name: string,
  tensor: Tensor,
  onDevice: boolean,
): Promise<OrtTensor | Tensor> {
  const type = meta.type;
  const fixed = meta.shape[0];
  if (onDevice && type === tensor.dtype) {
    const shape = fitShape(meta, tensor, name);
    const given = tensor.reshape(shape);
    if (typeof fixed !== 'number' || fixed === shape[0]) return given; // as it is, where it is
    // A fixed batch is filled up there, with zeros.
    try {
      const filled = await stack([given], { padTo: fixed });
      const result = filled.reshape([fixed, ...shape.slice(1)]);
      filled.close();
      return result;
    } finally {
      given.close();
    }
  }
  if (!isInputType(type) || type === 'bfloat16') {
    return fail(
      `Input '${meta.name}' of the model is ${declare(meta)}, which no tensor here can be`,
    );
  }
  const shape = fitShape(meta, tensor, name);
  const values = await convert(tensor, type);
  if (typeof fixed !== 'number' || fixed === shape[0]) {
    return makeOrtTensor(ort, type, values, shape);
  }
  // A fixed batch is filled up with zeros.
  const padded = [fixed, ...shape.slice(1)];
  const data = new ARRAYS[type](padded.reduce((product, side) => product * side, 1));
  data.set(values as never);
  return makeOrtTensor(ort, type, data, padded);
}

/**
 * What goes into the feeds for a tensor that the mapping has: the feeds are closed after each run, the
 * tensor is the caller's.
 */
export const holdOf = (given: OrtTensor | Tensor): OrtTensor | Tensor =>
  given instanceof Tensor ? given.reshape(given.shape) : given;

/** Closes what of `feeds` is this package's. */
export function closeFeeds(feeds: DeviceFeeds): void {
  for (const value of Object.values(feeds)) if (value instanceof Tensor) value.close();
}

/**
 * The feeds of a session for model inputs; what has no match is an error with both sides' names. For a
 * DeviceSession tensors of the declared type are handed over as they are.
 */
export async function feedsOfInputs(
  ort: Ort,
  session: Session,
  inputs: FedTensors,
  mapping: InputMapping,
): Promise<DeviceFeeds> {
  const feeds: Record<string, OrtTensor | Tensor> = {};
  try {
    await fill(feeds, ort, session, inputs, mapping);
    return feeds;
  } catch (error) {
    closeFeeds(feeds);
    throw error;
  }
}

async function fill(
  feeds: Record<string, OrtTensor | Tensor>,
  ort: Ort,
  session: Session,
  inputs: FedTensors,
  mapping: InputMapping,
): Promise<void> {
  const onDevice = session instanceof DeviceSession;
  const metadata = metadataOf(session);
  const known = metadata.map(({ name }) => name);
  for (const name of Object.keys(mapping)) {
    if (!known.includes(name)) {
      throw invalid('mapping', `inputs of the model (${known.join(', ')})`, name);
    }
  }
  const { tensors } = inputs;
  const missing: string[] = [];
  const used = new Set<string>();
  for (const meta of metadata) {
    const given = Object.hasOwn(mapping, meta.name) ? mapping[meta.name] : undefined;
    if (typeof given === 'function' || typeof given === 'object') {
      feeds[meta.name] =
        typeof given === 'function' ? await given(inputs as ModelInputs) : holdOf(given);
      continue;
    }
    if (given !== undefined && typeof given !== 'string') {
      throw invalid(`mapping.${meta.name}`, 'the name of a tensor, or a tensor', given);
    }
    const name = tensorNameFor(meta, given, tensors);
    if (name === undefined) {
      missing.push(meta.name);
      continue;
    }
    used.add(name);
    feeds[meta.name] = await feedTensor(ort, meta, name, tensors[name] as Tensor, onDevice);
  }
  if (missing.length > 0) {
    const left = Object.keys(tensors).filter((name) => !used.has(name));
    fail(
      `The model has inputs that nothing is fed to: ${missing.join(', ')}; of the inputs are left ` +
        `${left.join(', ') || 'none'}. Pass mapping { ${JSON.stringify(missing[0])}: ... } with the name of ` +
        'a tensor, or a tensor',
    );
  }
}
