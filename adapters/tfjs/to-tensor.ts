/** One tensor or stream of the package as one tensor of TensorFlow.js. */
import { checkPatchStreamOptions } from 'codec-patch-stream';
import type {
  DecodedFrames,
  DType,
  PatchStream,
  PatchStreamConfig,
  Tensor,
} from 'codec-patch-stream';
import { checkMembers, hasMembers, invalid } from '../common/errors.js';
import { checkTf } from './tf.js';
import { int32Of } from '../common/ints.js';
import { adopt, adopts, checkMemory, checkNode } from './adopt.js';
import type { Memory } from './adopt.js';
import type { Tf, TfTensor } from './tf.js';

type Layout = 'nchw' | 'nhwc';

/** What toTensor makes of the values. */
export interface ToTensorOptions {
  /** Order of the last three axes of the result. Default: as it is. */
  readonly layout?: Layout | undefined;
  /**
   * Order of the last three axes of the given tensor. Default: found by the axis of length 3, or
   * an error where that does not tell.
   */
  readonly from?: Layout | undefined;
  /**
   * (value · scale − offset − mean) / std, as the option of patchStream does it natively. Default:
   * 'none'.
   */
  readonly normalize?: PatchStreamConfig['normalize'];
  /** Default: 'int32' for int32 and int64, 'bool' for bool, else 'float32'. */
  readonly dtype?: 'float32' | 'int32' | 'bool' | undefined;
  /** Whose memory the result has, where it is tfjs-node's. Default: 'auto'. */
  readonly memory?: Memory | undefined;
}

/** What can be turned into a tensor: a tensor, the patches of a stream, the frames of a video. */
export type ToTensorSource = Tensor | PatchStream | DecodedFrames;

function tensorOf(source: ToTensorSource): Tensor {
  if (!hasMembers(source, 'metadataTensors') && !hasMembers(source, 'frames', 'frame')) {
    checkMembers('source', 'Tensor, PatchStream or DecodedFrames', source, 'toFloat32', 'dtype');
  }
  if ('patches' in source) return source.patches;
  if ('frames' in source) return source.frames;
  return source;
}

/** Values of a tensor as TensorFlow.js takes them. */
export type Values =
  | { readonly data: Float32Array; readonly dtype: 'float32' }
  | { readonly data: Int32Array; readonly dtype: 'int32' }
  | { readonly data: Uint8Array; readonly dtype: 'bool' };

/** The values in the type of TensorFlow.js that is nearest to theirs; uint8 as int32 on request. */
export async function valuesOf(tensor: Tensor, bytesAsInt32: boolean): Promise<Values> {
  switch (tensor.dtype) {
    case 'int32':
      return { data: (await tensor.toHost()) as Int32Array, dtype: 'int32' };
    case 'int64':
      return { data: int32Of((await tensor.toHost()) as BigInt64Array), dtype: 'int32' };
    case 'bool':
      return { data: (await tensor.toHost()) as Uint8Array, dtype: 'bool' };
    default: {
      const exact = tensor.dtype === 'uint8' && bytesAsInt32;
      if (!exact) return { data: await tensor.toFloat32(), dtype: 'float32' };
      return { data: Int32Array.from((await tensor.toHost()) as Uint8Array), dtype: 'int32' };
    }
  }
}

const NATURAL: Partial<Record<DType, 'int32' | 'bool'>> = {
  int32: 'int32',
  int64: 'int32',
  bool: 'bool',
};

function layoutOf(shape: readonly number[], given: Layout | undefined): Layout {
  if (given !== undefined) return given;
  const [first, last] = [shape.at(-3), shape.at(-1)];
  if (shape.length < 3 || (first !== 3 && last !== 3)) {
    throw invalid('layout', 'no layout for a tensor without an axis of 3 colours', shape);
  }
  if (first === 3 && last === 3) {
    throw invalid('from', "'nchw' or 'nhwc' (both fit this shape)", shape);
  }
  return first === 3 ? 'nchw' : 'nhwc';
}

/**
 * A tensor of TensorFlow.js with the values of `source`: float32 (int32 for int32 and int64, bool for
 * bool), shape as it is.
 *
 * Where dtype and layout stay as they are the memory is shared, not copied, as far as the backend
 * allows (tfjs-node and 'cpu' do; others copy to their own memory): the result stays valid after the source is
 * closed. float16, bfloat16 and uint8 are widened; an int64 value that is no int32 is
 * ERR_CPS_INVALID_ARGUMENT. Layout and normalisation are done by `tf` here;
 * as options of patchStream they cost nothing.
 */
export async function toTensor(
  tf: Tf,
  source: ToTensorSource,
  options: ToTensorOptions = {},
): Promise<TfTensor> {
  checkTf(tf);
  const tensor = tensorOf(source);
  const { layout, normalize = 'none', dtype = NATURAL[tensor.dtype] ?? 'float32' } = options;
  const layouts: Record<string, unknown> = { layout, from: options.from };
  for (const [name, value] of Object.entries(layouts)) {
    if (value !== undefined && value !== 'nchw' && value !== 'nhwc') {
      throw invalid(name, "'nchw' or 'nhwc'", value);
    }
  }
  if (
    !['float32', 'int32', 'bool'].includes(dtype) ||
    (dtype === 'bool' && tensor.dtype !== 'bool')
  ) {
    throw invalid('dtype', "'float32', 'int32' or, of a bool tensor, 'bool'", dtype);
  }
  const { scale, offset, mean, std } = checkPatchStreamOptions({ normalize }).patch.normalize;
  const moved = offset ?? 0;
  const plain = scale === 1 && moved === 0;
  const identity = plain && mean.every((m) => m === 0) && std.every((s) => s === 1);
  const shape = [...tensor.shape];
  const source3 = layout === undefined && identity ? undefined : layoutOf(shape, options.from);
  const asInts = dtype === 'int32' && identity;
  checkNode(tf);
  const adopted = adopts(tf, tensor, checkMemory(options.memory ?? 'auto'));
  const values = adopted ? undefined : await valuesOf(tensor, asInts);
  return tf.tidy(() => {
    let result: TfTensor = values
      ? tf.tensor(values.data, shape, values.dtype)
      : adopt(tf, tensor, NATURAL[tensor.dtype] ?? (asInts ? 'int32' : 'float32'));
    if (!identity) {
      const channels = source3 === 'nchw' ? [3, 1, 1] : [3];
      result = tf.mul(tf.cast(result, 'float32'), scale);
      if (moved !== 0) result = tf.sub(result, moved);
      result = tf.sub(result, tf.tensor([...mean], channels));
      result = tf.div(result, tf.tensor([...std], channels));
    }
    if (layout !== undefined && source3 !== layout) {
      const rank = shape.length;
      const [a, b, c] = [rank - 3, rank - 2, rank - 1];
      const front = shape.slice(0, -3).map((_, i) => i);
      result = tf.transpose(result, [...front, ...(layout === 'nhwc' ? [b, c, a] : [c, a, b])]);
    }
    return result.dtype === dtype ? result : tf.cast(result, dtype);
  });
}
