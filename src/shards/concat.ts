/** Samples to batches: tensors one behind the other. */
import { jsMemory, Tensor } from '../api/tensor.js';
import type { DType } from '../api/tensor.js';
import { invalid } from '../support/is.js';

const inside = ({ dtype, shape }: Tensor): string => `${dtype} [?, ${shape.slice(1).join(', ')}]`;

/**
 * Tensors of one type one behind the other along their first axis, [n, ...] and [m, ...] as [n + m, ...], in
 * memory of JavaScript: a batch of samples of shards. Throws ERR_CPS_INVALID_ARGUMENT for none, and for types
 * or other axes that differ. The given tensors may be closed once the promise is settled.
 */
export async function concat<D extends DType>(tensors: readonly Tensor<D>[]): Promise<Tensor<D>> {
  const [first] = tensors;
  if (!first || first.shape.length === 0) {
    throw invalid('tensors', 'at least one tensor with an axis', tensors);
  }
  const size = Tensor.bytesPerElement(first.dtype);
  let [rows, bytes] = [0, 0];
  for (const tensor of tensors) {
    if (inside(tensor) !== inside(first) || tensor.shape.length !== first.shape.length) {
      throw invalid('tensors', `tensors that are all ${inside(first)}`, inside(tensor));
    }
    rows += tensor.shape[0] ?? 0;
    bytes += tensor.length * size;
  }
  const target = new Uint8Array(bytes);
  let at = 0;
  for (const tensor of tensors) {
    const { buffer, byteOffset, byteLength } = await tensor.toHost();
    target.set(new Uint8Array(buffer, byteOffset, byteLength), at);
    at += byteLength;
  }
  return Tensor.over(jsMemory(target.buffer), first.dtype, [rows, ...first.shape.slice(1)]);
}
