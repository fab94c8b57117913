/** Elements of tensors out of a file. */
import { jsMemory, Tensor } from '../api/tensor.js';
import type { DType } from '../api/tensor.js';
import { corrupt, readBytes } from './bytes.js';
import type { Bytes, Part } from './bytes.js';

/** Bytes of a tensor; undefined where its sides are absurd. */
export function byteLength(dtype: DType, shape: readonly number[]): number | undefined {
  let length = Tensor.bytesPerElement(dtype);
  for (const side of shape) {
    // Not even a tensor of no elements has such sides.
    if (!Number.isSafeInteger(side) || side < 0 || side > 2 ** 40) return undefined;
    length *= side;
    if (!Number.isSafeInteger(length)) return undefined;
  }
  return length;
}

/** The most axes that numpy has. */
export const MAX_AXES = 64;

/**
 * A tensor of what stands at `part`, which is exactly as long as it has to be. `head` holds the first of
 * these bytes where they have been read already.
 */
export async function readTensor(
  bytes: Bytes,
  part: Part,
  dtype: DType,
  shape: readonly number[],
  head: Uint8Array = new Uint8Array(),
): Promise<Tensor> {
  let data: Uint8Array<ArrayBuffer>;
  if (head.length >= part.size) {
    data = Uint8Array.from(head.subarray(0, part.size));
  } else {
    data = await readBytes(bytes, part.offset, part.size);
  }
  if (dtype === 'bool' && data.some((byte) => byte > 1)) {
    throw corrupt(part.name, 'a bool that is neither 0 nor 1');
  }
  return Tensor.over(jsMemory(data.buffer), dtype, shape);
}
