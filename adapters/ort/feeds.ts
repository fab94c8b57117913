/** Streams to the feeds of session.run. */
import { stack } from 'codec-patch-stream';
import type { PatchStream, Tensor } from 'codec-patch-stream';
import type { Inputs as ModelInputs } from 'codec-patch-stream/inputs';
import { checkMembers, invalid } from '../common/errors.js';
import { convert, convertInts } from './convert.js';
import type { DeviceFeeds, DeviceSession } from './device-session.js';
import { agreed, checkTakesPatches, fail, readInputs } from './inputs.js';
import type { DeviceMapping, Inputs, Mapping, StreamInput } from './inputs.js';
import { closeFeeds, feedsOfInputs, holdOf, isModelInputs } from './model-feeds.js';
import type { InputMapping } from './model-feeds.js';
import { ARRAYS, loadOrt, makeOrtTensor } from './ort.js';
import type { Feeds, InputArray, Ort, OrtInputType, OrtTensor, Session } from './ort.js';

/** Options of feeds. */
export interface FeedsOptions {
  /** The module of ONNX Runtime. Default: onnxruntime-node, loaded at the first use. */
  readonly ort?: Ort | undefined;
}

/** What is used of a stream; patches of a shard have it, too. */
export interface FedPatches extends Pick<PatchStream, 'length' | 'patches' | 'positions'> {
  readonly metadataTensors?: PatchStream['metadataTensors'];
  readonly scores?: Tensor<'float32'>;
  readonly indices?: Int32Array;
  /** They were extracted, not decoded now. */
  readonly ofShard?: boolean;
}

/** B and K of one set of feeds. */
interface Size {
  readonly batch: number;
  readonly count: number;
}

function sizeOf(inputs: Inputs, streams: readonly FedPatches[]): Size {
  const { fed } = inputs;
  const single = fed.find((input) => !input.batched);
  if (streams.length > 1 && single) {
    fail(
      `Expected one stream, because input '${single.name}' (${single.declared}) has no batch axis, ` +
        `but received ${streams.length}`,
    );
  }
  const shapeOf = (stream: FedPatches): string => stream.patches.shape.slice(1).join(', ');
  const shapes = streams.map(shapeOf);
  const other = shapes.find((shape) => shape !== shapes[0]);
  if (other !== undefined) {
    fail(
      `Expected streams with patches of one shape but received [${shapes[0]}] and [${other}]; ` +
        `${streams.some(({ ofShard }) => ofShard) ? 'extract' : 'decode'} all of them with the same patchSize and layout`,
    );
  }
  const batch = agreed(fed, 'batch') ?? streams.length;
  if (streams.length > batch) {
    fail(
      `Expected at most ${batch} streams, the model's batch size, but received ${streams.length}`,
    );
  }
  const longest = Math.max(...streams.map((stream) => stream.length));
  const count = agreed(fed, 'count') ?? longest;
  const most = streams.find((stream) => stream.length > count);
  if (most) {
    fail(
      `The model takes ${count} patches but the ${most.ofShard ? 'sample' : 'stream'} has ${longest}; ` +
        `${remedy(most, `kKeep: ${count}`, `--topk ${count}`)} (patchOptions(session) says so)`,
    );
  }
  return { batch, count };
}

/** What makes patches fit: an option of the call that decodes, or of the command that made the shards. */
const remedy = ({ ofShard }: FedPatches, option: string, flag: string): string =>
  ofShard === true ? `extract the shards again with ${flag}` : `decode with ${option}`;

/** Checks the pixels' axes against the model's; says which option makes them fit. */
function checkPatches(input: StreamInput, stream: FedPatches): void {
  const shape = stream.patches.shape.slice(1);
  const flat = shape.reduce((product, side) => product * side, 1);
  const fits = (sides: readonly number[]): boolean =>
    input.rest.every((side, i) => side === undefined || side === sides[i]);
  if (input.rest.length === 1 ? fits([flat]) : fits(shape)) return;
  const [a = 0, b = 0, c = 0] = shape;
  const other = a === 3 ? [b, c, a] : [c, a, b];
  const what = `Input '${input.name}' of the model is ${input.declared} but patches are [${shape.join(', ')}]`;
  if (input.rest.length === 3 && fits(other)) {
    const layout = a === 3 ? 'nhwc' : 'nchw';
    fail(`${what}; ${remedy(stream, `layout: '${layout}'`, `--layout ${layout}`)}`);
  }
  const size = remedy(stream, 'the patchSize of the model', 'the --patch-size of the model');
  fail(`${what}; ${size} (patchOptions(session) says so)`);
}

const valuesPerPatch = (input: StreamInput, stream: FedPatches): number => {
  if (input.source === 'positions') return 3;
  if (input.source !== 'patches') return 1;
  return stream.patches.shape.slice(1).reduce((product, side) => product * side, 1);
};

function indicesOf(stream: FedPatches): Int32Array {
  const fields = stream.metadataTensors?.fields.data;
  if (!fields) return stream.indices ?? new Int32Array(stream.length);
  return Int32Array.from({ length: stream.length }, (_, i) => fields[i * 6 + 3] ?? 0);
}

/** The values of one stream for one input: [K, ...], unpadded. */
function valuesOf(
  source: StreamInput['source'],
  type: OrtInputType,
  stream: FedPatches,
): Promise<InputArray> {
  switch (source) {
    case 'patches':
      return convert(stream.patches, type);
    case 'scores':
      return convert((stream.metadataTensors ?? stream).scores as Tensor<'float32'>, type);
    case 'positions':
      return stream.positions.toHost().then((values) => convertInts(values, type));
    case 'indices':
      return Promise.resolve(convertInts(indicesOf(stream), type));
    case 'mask':
      return Promise.resolve(convertInts(new Uint8Array(stream.length).fill(1), type));
  }
}

/** The shape of an input: [B, K, ...], without B where there is no such axis. */
function dimsOf(input: StreamInput, stream: FedPatches, size: Size): number[] {
  const per = valuesPerPatch(input, stream);
  const flat = input.source === 'positions' || input.source === 'patches' ? [per] : [];
  const whole = input.source === 'patches' && input.rest.length !== 1;
  const rest = whole ? stream.patches.shape.slice(1) : flat;
  return [...(input.batched ? [size.batch] : []), size.count, ...rest];
}

/** Patches for a DeviceSession: the memory of the streams, or one block made of it where it is. */
async function patchesOnDevice(
  input: StreamInput,
  streams: readonly FedPatches[],
  size: Size,
): Promise<Tensor> {
  const first = streams[0] as FedPatches;
  const dims = dimsOf(input, first, size);
  if (size.batch === 1 && first.length === size.count) return first.patches.reshape(dims);
  const patches = streams.map((stream) => stream.patches);
  const stacked = await stack(patches, { padTo: size.count, count: size.batch });
  const result = stacked.reshape(dims);
  stacked.close();
  return result;
}

async function feedOne(
  ort: Ort,
  input: StreamInput,
  streams: readonly FedPatches[],
  size: Size,
  onDevice: boolean,
): Promise<OrtTensor | Tensor> {
  const first = streams[0] as FedPatches;
  const { type, source } = input;
  if (source === 'patches') {
    for (const stream of streams) checkPatches(input, stream);
    if (onDevice && streams.every(({ patches }) => patches.dtype === type)) {
      return patchesOnDevice(input, streams, size);
    }
  }
  if (type === 'bfloat16') {
    const given = streams.map(({ patches }) => patches.dtype).join(', ');
    return fail(
      `Input '${input.name}' of the model is ${input.declared} but patches are ${given}; ` +
        `${remedy(first, "outputDtype: 'bf16'", '--members safetensors --dtype bf16')} (patchOptions(session) says so)`,
    );
  }
  const row = size.count * valuesPerPatch(input, first);
  let data: InputArray | undefined;
  for (const [i, stream] of streams.entries()) {
    const values = await valuesOf(source, type, stream);
    if (size.batch === 1 && values.length === row) {
      data = values; // No copy: the native memory itself where the type is the model's.
    } else {
      data ??= new ARRAYS[type](size.batch * row);
      data.set(values as never, i * row);
    }
  }
  return makeOrtTensor(ort, type, data as InputArray, dimsOf(input, first, size));
}

/** Feeds of streams for inputs that have been read already. */
export async function makeFeeds(
  ort: Ort,
  inputs: Inputs,
  streams: readonly FedPatches[],
): Promise<DeviceFeeds> {
  if (streams.length === 0) throw invalid('streams', 'at least one stream', streams);
  for (const [i, stream] of streams.entries()) {
    const name = streams.length === 1 ? 'streams' : `streams[${i}]`;
    checkMembers(name, 'PatchStream', stream, 'patches', 'positions');
  }
  const size = sizeOf(inputs, streams);
  const result: Record<string, OrtTensor | Tensor> = {};
  const { fed, supplied, onDevice } = inputs;
  try {
    for (const input of fed) {
      result[input.name] = await feedOne(ort, input, streams, size, onDevice);
    }
    for (const { name, supply } of supplied) {
      result[name] =
        typeof supply === 'function'
          ? await supply(streams as readonly PatchStream[])
          : holdOf(supply);
    }
    return result;
  } catch (error) {
    closeFeeds(result);
    throw error;
  }
}

/**
 * The feeds of `session.run` for one stream, or for several as a batch: names, types and shapes are
 * those of the model's inputs.
 *
 * Patches are [K, 3, P, P], [B, K, 3, P, P] or flattened, float32, float16 or uint8 (for a
 * DeviceSession also bfloat16); positions, indices and masks have the types that the model declares.
 * Fewer patches than a fixed K (or than the longest stream of a batch) are padded with zeros, a
 * fixed batch with empty videos. What cannot fit is an error that says which option of patchStream would
 * help; `patchOptions(session)` gives them all. With these the feeds of one stream share its memory, and
 * stay valid after it is closed.
 *
 * For a DeviceSession the patches are a Tensor of this package, on the device where they were made and
 * yours to close; several streams are put together there.
 *
 * Inputs of `codec-patch-stream/inputs` are matched by the names of their tensors, in the types that
 * the model declares; `mapping` then names the tensor of an input that is called otherwise. For a
 * DeviceSession those of the right type go in as they are: tensors that share the inputs' memory, yours to
 * close.
 */
export async function feeds(
  session: DeviceSession,
  streams: PatchStream | readonly PatchStream[],
  mapping?: DeviceMapping,
  options?: FeedsOptions,
): Promise<DeviceFeeds>;
export async function feeds(
  session: DeviceSession,
  inputs: ModelInputs,
  mapping?: InputMapping,
  options?: FeedsOptions,
): Promise<DeviceFeeds>;
export async function feeds(
  session: Session,
  inputs: ModelInputs,
  mapping?: InputMapping,
  options?: FeedsOptions,
): Promise<Feeds>;
export async function feeds(
  session: Session,
  streams: PatchStream | readonly PatchStream[],
  mapping?: Mapping,
  options?: FeedsOptions,
): Promise<Feeds>;
export async function feeds(
  session: Session,
  streams: ModelInputs | PatchStream | readonly PatchStream[],
  mapping: DeviceMapping | InputMapping = {},
  options: FeedsOptions = {},
): Promise<DeviceFeeds> {
  if (isModelInputs(streams)) {
    return feedsOfInputs(loadOrt(options.ort), session, streams, mapping as InputMapping);
  }
  const inputs = readInputs(session, mapping as DeviceMapping);
  const list = Array.isArray(streams) ? (streams as PatchStream[]) : [streams as PatchStream];
  const first = list[0] as Partial<PatchStream> | undefined;
  const [, a = 0, b = 0] = first?.patches?.shape ?? [];
  checkTakesPatches(inputs, mapping as DeviceMapping, a === 3 ? b : a);
  return makeFeeds(loadOrt(options.ort), inputs, list);
}
