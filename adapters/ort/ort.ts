/** What the adapter needs of ONNX Runtime. */
import type * as ortNode from 'onnxruntime-node';
import { failure, messageOf } from '../common/errors.js';

/** The module onnxruntime-node (or another one with the same Tensor class). */
export type Ort = Pick<typeof ortNode, 'Tensor'>;
export type OrtTensor = ortNode.Tensor;
export type OrtType = ortNode.Tensor.Type;
/** Input name -> tensor: what session.run takes. */
export type Feeds = Record<string, OrtTensor>;

/** What a model declares of an input or output. Sides without a size are named, or ''. */
export type ValueMetadata =
  | { readonly name: string; readonly isTensor: false }
  | {
      readonly name: string;
      readonly isTensor: true;
      readonly type: string;
      readonly shape: readonly (number | string)[];
    };

/** The part of an InferenceSession or a DeviceSession that says what its inputs are. */
export interface Session {
  /** Names of the inputs, in the model's order. */
  readonly inputNames: readonly string[];
  /** Their types and shapes. */
  readonly inputMetadata: readonly ValueMetadata[];
}

/**
 * The module given by the caller, else onnxruntime-node, loaded at the first use. By require: a
 * dynamic import of CommonJS code does not work in the vm contexts of Jest and Vitest.
 */
export function loadOrt(given: Ort | undefined): Ort {
  if (given) return given;
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- see above
    return require('onnxruntime-node') as Ort;
  } catch (cause) {
    throw failure(
      'ERR_CPS_INVALID_ARGUMENT',
      `onnxruntime-node does not load (${messageOf(cause)}); install it, or pass its module as { ort }`,
      cause,
    );
  }
}

/** Element types that inputs may have, and the arrays for them. */
export const ARRAYS = {
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  uint8: Uint8Array,
  bool: Uint8Array,
  int32: Int32Array,
  int64: BigInt64Array,
} as const;

export type InputType = keyof typeof ARRAYS;
export type InputArray = Float32Array | Uint16Array | Uint8Array | Int32Array | BigInt64Array;

/** Types of onnxruntime-node's tensors; bfloat16 goes to a DeviceSession only. */
export type OrtInputType = Exclude<InputType, 'bfloat16'>;

export const isInputType = (type: string): type is InputType => Object.hasOwn(ARRAYS, type);

// Note [float16]
// Half floats are their bits in a Uint16Array. Where Float16Array exists (Node 24 and newer)
// onnxruntime-common turns that into a Float16Array over the same memory, which onnxruntime-node
// 1.30 then takes for empty; the Uint16Array itself is accepted by every version. So the
// tensor is given back the array it was made from.
export function makeOrtTensor(
  ort: Ort,
  type: OrtInputType,
  data: InputArray,
  dims: readonly number[],
): OrtTensor {
  const tensor = new ort.Tensor(type, data as never, [...dims]);
  if (type === 'float16' && 'Float16Array' in globalThis) {
    Object.defineProperty(tensor, 'data', { value: data, enumerable: true });
  }
  return tensor;
}
