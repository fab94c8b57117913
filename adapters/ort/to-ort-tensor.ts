/** One tensor of the package as one tensor of ONNX Runtime. */
import type { Tensor } from 'codec-patch-stream';
import { checkMembers, invalid } from '../common/errors.js';
import { convert } from './convert.js';
import { isInputType, makeOrtTensor } from './ort.js';
import type { Ort, OrtTensor } from './ort.js';

/** What toOrtTensor makes of the values. */
export interface ToOrtTensorOptions {
  /** Default: the tensor's own; float32 for bfloat16, which ONNX Runtime's Node API does not know. */
  readonly dtype?: 'float32' | 'float16' | 'uint8' | 'int32' | 'int64' | undefined;
  /** The same number of elements in another shape. Default: the tensor's own. */
  readonly dims?: readonly number[] | undefined;
}

/**
 * A tensor of ONNX Runtime over the same memory, without a copy, where the type stays; valid after
 * the given tensor is closed. From a GPU it is downloaded.
 */
export async function toOrtTensor(
  ort: Ort,
  tensor: Tensor,
  options: ToOrtTensorOptions = {},
): Promise<OrtTensor> {
  checkMembers('ort', 'the module onnxruntime-node', ort, 'Tensor');
  checkMembers('tensor', 'Tensor of codec-patch-stream', tensor, 'toFloat32', 'dtype');
  const { dtype = tensor.dtype === 'bfloat16' ? 'float32' : tensor.dtype, dims = tensor.shape } =
    options;
  if (
    !isInputType(dtype) ||
    (dtype as string) === 'bfloat16' ||
    (dtype === 'bool' && tensor.dtype !== 'bool')
  ) {
    throw invalid('dtype', "'float32', 'float16', 'uint8', 'int32' or 'int64'", dtype);
  }
  if (dims.reduce((product, side) => product * side, 1) !== tensor.length) {
    throw invalid('dims', `a shape of ${tensor.length} elements`, dims);
  }
  return makeOrtTensor(ort, dtype, await convert(tensor, dtype), dims);
}
