/** Element types to element types, where the native side did not make the wanted one already. */
import type { Tensor } from 'codec-patch-stream';
import { invalid } from '../common/errors.js';
import { int32Of } from '../common/ints.js';
import { ARRAYS } from './ort.js';
import type { InputArray, OrtInputType } from './ort.js';

/** float32 to the bits of a float16, round to nearest even. */
export function toFloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = halfBits(bits[i] ?? 0);
  return out;
}

function halfBits(x: number): number {
  const sign = (x >>> 16) & 0x8000;
  const magnitude = x & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // NaN
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // infinity, or rounds to it
  if (magnitude >= 0x38800000) {
    // Normal: rebias the exponent (127 - 15), add half of what is cut off, ties to even.
    const odd = (magnitude >>> 13) & 1;
    return sign | ((magnitude - 0x38000000 + 0xfff + odd) >>> 13);
  }
  // Subnormal: the value in units of 2^-24.
  const units = new Float32Array(new Uint32Array([magnitude]).buffer)[0] as number;
  return sign | roundEven(units * 2 ** 24);
}

function roundEven(v: number): number {
  const down = Math.floor(v);
  const rest = v - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 === 1) ? down + 1 : down;
}

/** Nearest integer in 0..255, halves up: as outputDtype 'uint8' does it. */
function toUint8(values: Float32Array): Uint8Array {
  return Uint8Array.from(values, (v) => Math.min(255, Math.max(0, Math.floor(v + 0.5))));
}

/** Values of a tensor of the package in another type; the memory itself where it has that type. */
export async function convert(tensor: Tensor, type: OrtInputType): Promise<InputArray> {
  if (tensor.dtype === type) return tensor.toHost();
  switch (type) {
    case 'float32':
      return tensor.toFloat32();
    case 'float16':
      return toFloat16(await tensor.toFloat32());
    case 'uint8':
      return toUint8(await tensor.toFloat32());
    case 'int32':
    case 'int64': {
      if (isWhole(tensor)) return convertInts(await tensor.toHost(), type);
      throw invalid('dtype', `${tensor.dtype} or a float type`, type);
    }
    case 'bool':
      if (isWhole(tensor)) return flagsOf(await tensor.toHost());
      throw invalid('dtype', `${tensor.dtype} or another type of numbers`, type);
    default:
      throw invalid('dtype', "'float32', 'float16', 'uint8', 'int32' or 'int64'", type);
  }
}

const isWhole = (tensor: Tensor): tensor is Tensor<'uint8' | 'bool' | 'int32' | 'int64'> =>
  ['uint8', 'bool', 'int32', 'int64'].includes(tensor.dtype);

/** Masks as the 0 and 1 of bool. */
function flagsOf(values: Uint8Array | Int32Array | BigInt64Array): Uint8Array {
  const flags = new Uint8Array(values.length);
  for (let i = 0; i < flags.length; i++) flags[i] = values[i] ? 1 : 0;
  return flags;
}

/** Whole numbers (positions, indices, masks) in the type of an input. */
export function convertInts(
  values: Uint8Array | Int32Array | BigInt64Array,
  type: OrtInputType,
): InputArray {
  if (values instanceof BigInt64Array) {
    return type === 'int64' ? values : convertInts(int32Of(values), type);
  }
  if (type === 'int64') return BigInt64Array.from(values, BigInt);
  if (type === 'float16') return toFloat16(Float32Array.from(values));
  const array = ARRAYS[type];
  return values instanceof array ? values : array.from(values);
}
