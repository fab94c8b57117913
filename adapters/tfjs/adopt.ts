/** Memory of this package as tensors of tfjs-node, without a copy. */
import util from 'node:util';
import { tensorflowMemory } from 'codec-patch-stream';
import type { Tensor } from 'codec-patch-stream';
import { failure, invalid, messageOf } from '../common/errors.js';
import type { Tf, TfTensor } from './tf.js';

/**
 * How tensors of TensorFlow.js get their memory. 'auto': tfjs-node takes this package's memory as it
 * is where it can; 'device': that, or an error that says why not; 'host': a copy, as for every other
 * backend.
 */
export type Memory = 'auto' | 'device' | 'host';

// Note [TensorFlow on a GPU]
// Memory of GPU 0 becomes a tensor of tfjs-node-gpu without a copy only where memory: 'device' asks for it:
// that part has not run on a GPU. 'auto' copies, as tfjs-node-gpu does with everything. Batches of datasets are
// put together in host memory, so that they cannot be handed over; and TensorFlow wants int32 of a GPU in
// host memory.

/** What 'auto' comes to, and why. */
export interface TfMemory {
  /** 'device': without a copy; 'host': a copy. */
  readonly memory: 'device' | 'host';
  /** In words, for people. */
  readonly why: string;
}

interface OutputMetadata {
  readonly id: number;
}

/** The part of tfjs-node's backend that is used (NodeJSKernelBackend). */
interface NodeBackend {
  readonly binding: {
    readonly TF_ATTR_TYPE: number;
    readonly TF_ATTR_BOOL: number;
    readonly TF_INT32: number;
    createTensor(shape: number[], dtype: number, values: Int32Array): number;
    deleteTensor(id: number): void;
    executeOp(
      name: string,
      attributes: object[],
      inputs: number[],
      outputs: number,
    ): OutputMetadata[];
  };
  readonly isUsingGpuDevice: boolean;
  createOutputTensor(metadata: OutputMetadata): TfTensor;
}

type State = { readonly op: string; readonly why: string } | { readonly whyNot: string };

/** Where a tensor has to be that TensorFlow takes as it is. */
type Place = 'cpu' | 'cuda:0';

const states = new WeakMap<object, State>();

/** The backend of tfjs-node; undefined for every other one. */
function nodeBackend(tf: Tf): NodeBackend | undefined {
  const backend = tf.backend() as Partial<NodeBackend>;
  const { binding } = backend;
  const isNode = typeof binding?.executeOp === 'function' && 'createOutputTensor' in backend;
  return isNode ? (backend as NodeBackend) : undefined;
}

const REMOVED =
  'tfjs-node 4.22 calls util.isNullOrUndefined, which Node 23 removed. Define it before the first use: ' +
  "require('node:util').isNullOrUndefined ??= (value) => value === undefined || value === null";

/** tfjs-node's own failure on new versions of Node, said before it happens. */
export function checkNode(tf: Tf): void {
  if (!nodeBackend(tf) || 'isNullOrUndefined' in util) return;
  throw failure('ERR_CPS_UNSUPPORTED', REMOVED);
}

const placeOf = ({ isUsingGpuDevice }: NodeBackend): Place => (isUsingGpuDevice ? 'cuda:0' : 'cpu');

/** What handing over comes to, where `asked` says that memory: 'device' asks for it. */
function stateOf(tf: Tf, asked: boolean): State {
  const backend = nodeBackend(tf);
  if (!backend) {
    const name = tf.getBackend();
    return {
      whyNot: `the backend '${name}' of TensorFlow.js has memory of its own (tfjs-node has not)`,
    };
  }
  if (backend.isUsingGpuDevice && !asked) {
    const whyNot = "TensorFlow works on a GPU, into which memory is copied unless memory: 'device'";
    return { whyNot: `${whyNot} asks toTensor for the way that no GPU has run` };
  }
  const known = states.get(backend);
  if (known) return known;
  const state = attach(backend);
  states.set(backend, state);
  return state;
}

function attach({ isUsingGpuDevice }: NodeBackend): State {
  try {
    const { version, op } = tensorflowMemory().attach(isUsingGpuDevice);
    return { op, why: `TensorFlow ${version} takes the memory of this package as it is` };
  } catch (error) {
    return { whyNot: messageOf(error) };
  }
}

export function checkMemory(memory: unknown): Memory {
  if (memory === 'auto' || memory === 'device' || memory === 'host') return memory;
  throw invalid('memory', "'auto', 'device' or 'host'", memory);
}

/** What memory: 'auto' comes to with the backend that `tf` has now. */
export function tfMemory(tf: Tf): TfMemory {
  const state = stateOf(tf, false);
  return 'op' in state
    ? { memory: 'device', why: state.why }
    : { memory: 'host', why: state.whyNot };
}

/** Why this tensor is not handed over; empty where it is. */
function whyNot(tf: Tf, tensor: Tensor, asked: boolean): string {
  const state = stateOf(tf, asked);
  if ('whyNot' in state) return state.whyNot;
  const place = placeOf(nodeBackend(tf) as NodeBackend);
  if (tensor.device !== place) {
    const where = place === 'cpu' ? 'the CPU' : `${place}, the only GPU that it is used with`;
    return `the tensor is on ${tensor.device}, TensorFlow on ${where}`;
  }
  if (tensor.dtype === 'int64') return 'tensors of TensorFlow.js have no int64';
  if (tensor.dtype === 'int32' && place !== 'cpu') {
    return 'TensorFlow wants int32 in host memory when it works on a GPU';
  }
  return tensorflowMemory().owns(tensor) ? '' : "the tensor's memory belongs to JavaScript";
}

/** Whether to hand over; throws the reason where 'device' asks for it and it cannot be. */
export function adopts(tf: Tf, tensor: Tensor, memory: Memory): boolean {
  if (memory === 'host') return false;
  const reason = whyNot(tf, tensor, memory === 'device');
  if (reason === '') return true;
  if (memory === 'auto') return false;
  throw failure('ERR_CPS_UNSUPPORTED', `memory: 'device' is not possible here: ${reason}`);
}

const TF_TYPES = { float32: 1, int32: 3, bool: 10 } as const;

/**
 * A tensor of TensorFlow over the memory of `tensor`, which it holds until it is disposed; cast by
 * TensorFlow where `dtype` is another type. Only where adopts() says so.
 */
export function adopt(tf: Tf, tensor: Tensor, dtype: keyof typeof TF_TYPES): TfTensor {
  const backend = nodeBackend(tf);
  const state = stateOf(tf, true);
  if (!backend || !('op' in state)) throw new TypeError('adopt() without adopts()');
  const { binding } = backend;
  const [from, to] = [tensorflowMemory().typeOf(tensor), TF_TYPES[dtype]];
  const attribute = (name: string, value: number) => ({ name, type: binding.TF_ATTR_TYPE, value });
  const run = (op: string, attributes: object[], input: number): OutputMetadata => {
    try {
      return binding.executeOp(op, attributes, [input], 1)[0] as OutputMetadata;
    } finally {
      binding.deleteTensor(input);
    }
  };
  const token = tensorflowMemory().offer(tensor);
  let output: OutputMetadata;
  try {
    const input = binding.createTensor([], binding.TF_INT32, Int32Array.of(token));
    output = run(state.op, [attribute('T', from)], input);
  } catch (error) {
    tensorflowMemory().withdraw(token);
    throw error;
  }
  if (from !== to) {
    const truncate = { name: 'Truncate', type: binding.TF_ATTR_BOOL, value: false };
    output = run('Cast', [attribute('SrcT', from), attribute('DstT', to), truncate], output.id);
  }
  return backend.createOutputTensor(output);
}

/** An array that a batch is put together in. */
export interface Block<A extends Float32Array | Int32Array = Float32Array> {
  readonly data: A;
  /** The same memory, where it is the package's. */
  readonly tensor: Tensor | undefined;
}

type Arrays = { float32: Float32Array; int32: Int32Array };

/** Zeros, in memory that TensorFlow can adopt where `native` asks for it. */
export function makeBlock<D extends keyof Arrays>(
  dtype: D,
  length: number,
  native: boolean,
): Block<Arrays[D]> {
  if (!native) {
    const array = dtype === 'float32' ? Float32Array : Int32Array;
    return { data: new array(length) as Arrays[D], tensor: undefined };
  }
  const block = tensorflowMemory().allocate(dtype, [length]);
  block.data.fill(0);
  return block;
}

/** The first values of a block as a tensor: over its memory where that is the package's. */
export function blockTensor(
  tf: Tf,
  { data, tensor }: Block<Float32Array | Int32Array>,
  shape: readonly number[],
  memory: Memory,
): TfTensor {
  const length = shape.reduce((product, side) => product * side, 1);
  const dtype = data instanceof Float32Array ? 'float32' : 'int32';
  if (!tensor || !adopts(tf, tensor, memory)) {
    return tf.tensor(data.subarray(0, length), [...shape], dtype);
  }
  const flat = tensor.reshape([-1]);
  const part = flat.view(0, length);
  const view = part.reshape(shape);
  try {
    return adopt(tf, view, dtype);
  } finally {
    for (const each of [flat, part, view]) each.close();
  }
}

/** Whether batches are put together in memory that TensorFlow adopts; checks the option. */
export function adoptsBatches(tf: Tf, memory: Memory): boolean {
  checkNode(tf);
  const state = tfMemory(tf);
  if (checkMemory(memory) === 'device' && state.memory === 'host') {
    throw failure('ERR_CPS_UNSUPPORTED', `memory: 'device' is not possible here: ${state.why}`);
  }
  return memory !== 'host' && state.memory === 'device';
}
