/** Our memory as tensors of TensorFlow: what adapters/tfjs is built on. */
import { native } from '../native/binding.js';
import { fromNativeError } from '../support/errors.js';
import { invalid } from '../support/is.js';
import { Tensor } from './tensor.js';
import type { DType, TensorDataMap } from './tensor.js';

/** TensorFlow's numbers of element types. */
const TYPES: Readonly<Record<DType, number>> = {
  float32: 1,
  int32: 3,
  uint8: 4,
  int64: 9,
  bool: 10,
  bfloat16: 14,
  float16: 19,
};

/** @internal */
export interface TensorflowMemory {
  /**
   * Registers the op that hands memory over with the TensorFlow of this process, once; with `gpu`
   * for its GPU, too. Throws ERR_CPS_BACKEND_UNAVAILABLE where that cannot be.
   */
  attach(gpu: boolean): { readonly version: string; readonly op: string };
  /** Whether the memory is the addon's, in host memory or on GPU 0, so that it can be handed over. */
  owns(tensor: Tensor): boolean;
  /** TensorFlow's number of the tensor's element type. */
  typeOf(tensor: Tensor): number;
  /** The token that one run of the op exchanges for a tensor over this memory. */
  offer(tensor: Tensor): number;
  /** Takes back what the op was not run with. */
  withdraw(token: number): void;
  /** Memory that can be handed over, to be filled; its content is what was there before. */
  allocate<D extends DType>(dtype: D, shape: readonly number[]): Filled<D>;
}

/** @internal */
export interface Filled<D extends DType> {
  readonly tensor: Tensor<D>;
  readonly data: TensorDataMap[D];
}

/** @internal For adapters/tfjs: the way of our memory into TensorFlow. */
export const tensorflowMemory = (): TensorflowMemory => MEMORY;

const owned = (tensor: Tensor) => {
  const bytes = Tensor.bytesOf(tensor);
  const reachable = tensor.device === 'cpu' || tensor.device === 'cuda:0';
  return reachable && !(bytes.memory instanceof Uint8Array) ? bytes : undefined;
};

const translated = <R>(call: () => R): R => {
  try {
    return call();
  } catch (error) {
    throw fromNativeError(error);
  }
};

const MEMORY: TensorflowMemory = {
  attach: (gpu) => translated(() => native().adoption.attach(gpu)),
  owns: (tensor) => owned(tensor) !== undefined,
  typeOf: (tensor) => TYPES[tensor.dtype],
  offer(tensor) {
    const bytes = owned(tensor);
    if (!bytes) throw invalid('tensor', "a tensor over the addon's memory", tensor.device);
    return translated(() => native().adoption.offer(TYPES[tensor.dtype], tensor.shape, bytes));
  },
  withdraw: (token) => native().adoption.withdraw(token),
  allocate<D extends DType>(dtype: D, shape: readonly number[]): Filled<D> {
    const length = shape.reduce((product, side) => product * side, 1);
    const memory = translated(() => native().allocate(length * Tensor.bytesPerElement(dtype)));
    const tensor = Tensor.over(memory, dtype, shape);
    return { tensor, data: tensor.data as TensorDataMap[D] };
  },
};
