import { native } from '../native/binding.js';
import { fromNativeError } from '../support/errors.js';
import { checkInteger, invalid } from '../support/is.js';
import { Tensor } from './tensor.js';
import type { DType } from './tensor.js';

/** Sizes of the result. */
export interface StackOptions {
  /** Entries of the first axis of each tensor in the result; behind its own there are zeros. */
  readonly padTo?: number | undefined;
  /** Tensors in the result; behind those given there are zeros. Default: as many as are given. */
  readonly count?: number | undefined;
}

const shapeText = (shape: readonly number[]): string => `[${shape.join(', ')}]`;

/**
 * Tensors of one type as one more axis in front: `count` tensors [n, ...] become [count, n, ...], on
 * the device where they are, without a way through host memory. With `padTo` their first axes may
 * differ and become that long. The given tensors may be closed once the promise is settled.
 *
 * Throws ERR_CPS_INVALID_ARGUMENT for none, for types, devices or shapes that differ, and for a first
 * axis longer than padTo.
 */
export async function stack<D extends DType>(
  tensors: readonly Tensor<D>[],
  options: StackOptions = {},
): Promise<Tensor<D>> {
  const [first] = tensors;
  if (!first) throw invalid('tensors', 'at least one tensor', tensors);
  const { padTo, count = tensors.length } = options;
  const inner = (shape: readonly number[]) => (padTo === undefined ? shape : shape.slice(1));
  for (const tensor of tensors) {
    const [one, other] = [describe(first), describe(tensor)];
    if (one !== other) throw invalid('tensors', `tensors that are all ${one}`, other);
    const [a, b] = [inner(first.shape), inner(tensor.shape)];
    if (a.length !== b.length || a.some((side, i) => side !== b[i])) {
      const axes = padTo === undefined ? 'shape' : 'shape behind the first axis';
      throw invalid('tensors', `tensors of one ${axes}, ${shapeText(a)}`, b);
    }
    if (padTo === undefined) continue;
    if (tensor.shape.length === 0) throw invalid('padTo', 'tensors with an axis to pad', []);
    checkInteger('padTo', padTo, tensor.shape[0] ?? 0, Infinity);
  }
  checkInteger('count', count, tensors.length, Infinity);
  const shape = padTo === undefined ? first.shape : [padTo, ...inner(first.shape)];
  const rowElements = shape.reduce((product, side) => product * side, 1);
  const bytes = tensors.map((tensor) => Tensor.bytesOf(tensor));
  const rowBytes = rowElements * Tensor.bytesPerElement(first.dtype);
  const parts = bytes.map((part, i) => ({ ...part, at: i * rowBytes }));
  try {
    const memory = await native().stack(parts, count * rowBytes);
    return Tensor.over(memory, first.dtype, [count, ...shape]);
  } catch (error) {
    throw fromNativeError(error);
  }
}

const describe = (tensor: Tensor): string => `${tensor.dtype} on ${tensor.device}`;
