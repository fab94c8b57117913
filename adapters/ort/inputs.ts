/** What the inputs of a model are: read from the session, matched with what streams have. */
import type { PatchStream, Tensor } from 'codec-patch-stream';
import { checkMembers, failure, invalid } from '../common/errors.js';
import { DeviceSession } from './device-session.js';
import { isInputType } from './ort.js';
import type { InputType, OrtTensor, Session } from './ort.js';

/**
 * What an input can be fed with. 'patches': the pixels; 'positions': (t, h, w) of each patch;
 * 'indices': their linear index; 'mask': 1 for a patch, 0 for padding; 'scores': their energy.
 */
export type Source = 'patches' | 'positions' | 'indices' | 'mask' | 'scores';

/**
 * A tensor for an input that has nothing to do with the video, or that you make yourself: T is
 * OrtTensor, for a DeviceSession also a Tensor of this package; S is what the patches come from. A tensor
 * stays yours; what a function makes belongs to the feeds and is closed with them.
 */
export type Supply<T = OrtTensor, S = PatchStream> =
  T | ((streams: readonly S[]) => T | Promise<T>);

/** Input name -> what it is fed with. Inputs that are not named here are matched by their names. */
export type Mapping<T = OrtTensor, S = PatchStream> = Readonly<
  Record<string, Source | Supply<T, S>>
>;

/** The mapping for a DeviceSession. */
export type DeviceMapping = Mapping<OrtTensor | Tensor>;

/** An input that is fed from the stream. Axes that the model leaves open are undefined. */
export interface StreamInput {
  readonly name: string;
  readonly source: Source;
  readonly type: InputType;
  /** As the model declares it, for messages. */
  readonly declared: string;
  /** Whether there is a batch axis, and its size. */
  readonly batched: boolean;
  readonly batch: number | undefined;
  readonly count: number | undefined;
  /** Axes behind B and K: [3, P, P], [3·P·P] or [3]; empty for one number per patch. */
  readonly rest: readonly (number | undefined)[];
}

export interface Inputs {
  readonly fed: readonly StreamInput[];
  readonly supplied: readonly {
    readonly name: string;
    readonly supply: Supply<OrtTensor | Tensor>;
  }[];
  /** For a DeviceSession: patches are handed over as tensors of this package, where they are. */
  readonly onDevice: boolean;
}

const NAMES: Readonly<Record<Source, RegExp>> = {
  positions: /^(patch_?)?pos(ition)?(s|_?ids)?$/i,
  mask: /^(attention_?|patch_?|padding_?)?mask$/i,
  scores: /^(patch_?)?scores?$/i,
  indices: /^(patch_?)?(linear_?)?ind(ex|exes|ices)$/i,
  patches: /^(patch(es)?|pixels?|pixel_?values|images?|video|x|inputs?)$/i,
};
const SOURCES = Object.keys(NAMES) as Source[];

const TYPES: Readonly<Record<Source, readonly InputType[]>> = {
  patches: ['float32', 'float16', 'uint8'],
  positions: ['int64', 'int32', 'float32', 'float16'],
  indices: ['int64', 'int32', 'float32'],
  mask: ['bool', 'float32', 'float16', 'int64', 'int32', 'uint8'],
  scores: ['float32', 'float16'],
};

/** Axes per patch: patches are [3,P,P] or flattened, positions [3], the others none. */
const REST: Readonly<Record<Source, readonly number[]>> = {
  patches: [3, 1],
  positions: [1],
  indices: [0],
  mask: [0],
  scores: [0],
};

export const fail = (message: string): never => {
  throw failure('ERR_CPS_INVALID_ARGUMENT', message);
};

export interface Meta {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly (number | string)[];
}

export const declare = ({ type, shape }: Meta): string =>
  `${type}[${shape.map((side) => (side === '' ? '?' : side)).join(', ')}]`;

export function metadataOf(session: Session): Meta[] {
  checkMembers('session', 'InferenceSession', session, 'inputNames');
  // Sessions of versions before 1.22 know only names; the type does not say so.
  const metadata = session.inputMetadata as Session['inputMetadata'] | undefined;
  if (!metadata) {
    return fail(
      'Expected a session with inputMetadata but this onnxruntime-node does not have it; ' +
        'update onnxruntime-node, or build the feeds yourself with toOrtTensor',
    );
  }
  return metadata.map((input) =>
    input.isTensor
      ? { name: input.name, type: input.type, shape: input.shape }
      : fail(`Input '${input.name}' of the model is no tensor; it cannot be fed from a video`),
  );
}

function sourceOf({ name }: Meta, all: readonly Meta[]): Source | undefined {
  const named = SOURCES.find((source) => NAMES[source].test(name));
  return named ?? (all.length === 1 ? 'patches' : undefined);
}

function streamInput(meta: Meta, source: Source, onDevice: boolean): StreamInput {
  const { name, type, shape } = meta;
  const what = `Input '${name}' of the model is ${declare(meta)}`;
  const device: readonly InputType[] = source === 'patches' ? ['bfloat16'] : [];
  const types = [...TYPES[source], ...(onDevice ? device : [])];
  if (!isInputType(type) || !types.includes(type)) {
    const hint = type === 'bfloat16' && device.length > 0 ? '; a DeviceSession takes bfloat16' : '';
    return fail(`${what}, but ${source} can be ${types.join(', ')}${hint}`);
  }
  const sizes = shape.map((side) => (typeof side === 'number' ? side : undefined));
  const sides = REST[source].find((n) => shape.length === n + 1 || shape.length === n + 2);
  const wanted = {
    patches: '[K, 3, P, P], [B, K, 3, P, P], [K, 3·P·P] or [B, K, 3·P·P]',
    positions: '[K, 3] or [B, K, 3]',
  }[source as string];
  if (sides === undefined) {
    return fail(`${what}, but ${source} are ${wanted ?? '[K] or [B, K]'}`);
  }
  const batched = shape.length === sides + 2;
  const rest = sides === 0 ? [] : sizes.slice(-sides);
  if (source === 'positions' && rest[0] !== undefined && rest[0] !== 3) {
    return fail(`${what}, but positions have 3 numbers per patch: t, h, w`);
  }
  return {
    name,
    source,
    type,
    declared: declare(meta),
    batched,
    batch: batched ? sizes[0] : undefined,
    count: sizes[batched ? 1 : 0],
    rest,
  };
}

/** Above this a fixed side is that of a picture, not of a patch. */
const LARGEST_PATCH = 64;

/**
 * A model that takes whole pictures is not fed patches: [b, 3, H, W] looks like them. It is, though,
 * where the caller says so: by the mapping, or by a patchSize that is that side.
 */
export function checkTakesPatches(
  { fed }: Inputs,
  mapping: DeviceMapping,
  patchSize: number | undefined,
): void {
  for (const { name, source, rest, declared } of fed) {
    if (source !== 'patches' || rest.length !== 3 || mapping[name] === 'patches') continue;
    const sides = rest[2] === 3 && rest[0] !== 3 ? rest.slice(0, 2) : rest.slice(1);
    const large = sides.filter((side) => side !== undefined && side > LARGEST_PATCH);
    if (large.length === 0 || sides.every((side) => side === patchSize)) continue;
    fail(
      `Input '${name}' of the model is ${declared}, which looks like whole pictures, not patches: feed it ` +
        "modelInputs(video, preset) of 'codec-patch-stream/inputs' (presets such as 'clip', 'siglip', " +
        "'videomae', or fromConfig with the model's own file). For patches of that size give patchSize, or " +
        `mapping { ${JSON.stringify(name)}: 'patches' }`,
    );
  }
}

const isSource = (value: unknown): value is Source => SOURCES.includes(value as Source);

/** Matches the inputs of a session with sources; throws what does not fit, in words. */
export function readInputs(session: Session, mapping: DeviceMapping = {}): Inputs {
  const onDevice = session instanceof DeviceSession;
  const metadata = metadataOf(session);
  const known = metadata.map(({ name }) => name);
  for (const name of Object.keys(mapping)) {
    if (!known.includes(name))
      throw invalid('mapping', `inputs of the model (${known.join(', ')})`, name);
  }
  const fed: StreamInput[] = [];
  const supplied: Inputs['supplied'][number][] = [];
  for (const meta of metadata) {
    const given = Object.hasOwn(mapping, meta.name) ? mapping[meta.name] : undefined;
    const source = given ?? sourceOf(meta, metadata);
    if (source === undefined) {
      fail(
        `Input '${meta.name}' of the model, ${declare(meta)}, has no name that tells what it is; ` +
          `pass mapping { ${JSON.stringify(meta.name)}: ... } with one of ${SOURCES.join(', ')}, ` +
          'or a tensor',
      );
    } else if (isSource(source)) {
      fed.push(streamInput(meta, source, onDevice));
    } else if (typeof source === 'function' || typeof source === 'object') {
      supplied.push({ name: meta.name, supply: source });
    } else {
      throw invalid(`mapping.${meta.name}`, `${SOURCES.join(', ')}, or a tensor`, source);
    }
  }
  return { fed, supplied, onDevice };
}

/** The one size that inputs declare for an axis; throws if they declare two. */
export function agreed(
  inputs: readonly StreamInput[],
  axis: 'batch' | 'count',
): number | undefined {
  const fixed = inputs.filter((input) => input[axis] !== undefined);
  const other = fixed.find((input) => input[axis] !== fixed[0]?.[axis]);
  if (other && fixed[0]) {
    const [a, b] = [fixed[0], other];
    const what = axis === 'batch' ? 'videos' : 'patches';
    fail(
      `The model takes ${a[axis]} ${what} for '${a.name}' (${a.declared}) ` +
        `but ${b[axis]} for '${b.name}' (${b.declared})`,
    );
  }
  return fixed[0]?.[axis];
}

/** Options of patchStream that make exactly what a model takes, so that nothing is converted. */
export interface ModelOptions {
  /** Element type of the model's patch input. */
  readonly outputDtype?: 'float32' | 'float16' | 'uint8' | 'bfloat16';
  /** Order within a patch, where the input's shape tells it. */
  readonly layout?: 'nchw' | 'nhwc';
  /** Side of a patch, where the input's shape tells it. */
  readonly patchSize?: number;
  /** Number of patches, where the model fixes it. */
  readonly kKeep?: number;
}

/**
 * The options of patchStream that a model's patch input asks for: outputDtype always; layout,
 * patchSize and kKeep where its shape is fixed.
 */
export function patchOptions(session: Session, mapping: DeviceMapping = {}): ModelOptions {
  const inputs = readInputs(session, mapping);
  checkTakesPatches(inputs, mapping, undefined);
  return optionsOf(inputs);
}

export function optionsOf({ fed }: Inputs): ModelOptions {
  const patches = fed.find(({ source }) => source === 'patches');
  const kKeep = agreed(fed, 'count');
  if (!patches) return kKeep === undefined ? {} : { kKeep };
  const [a, b, c] = patches.rest;
  const last = patches.rest.length === 3 && c === 3 && a !== 3;
  const first = patches.rest.length === 3 && !last;
  const side = first ? b : last ? a : sideOf(patches.rest[0]);
  return {
    outputDtype: patches.type as 'float32' | 'float16' | 'uint8' | 'bfloat16',
    ...(first || last ? { layout: last ? 'nhwc' : 'nchw' } : {}),
    ...(side === undefined ? {} : { patchSize: side }),
    ...(kKeep === undefined ? {} : { kKeep }),
  };
}

/** P of a flattened patch 3·P·P. */
function sideOf(flat: number | undefined): number | undefined {
  const side = Math.sqrt((flat ?? NaN) / 3);
  return Number.isInteger(side) ? side : undefined;
}
