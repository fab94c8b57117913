/** Elements of tensors as float32; 16-bit floats are given as their bits. */

type Numbers = Uint8Array | Int32Array | BigInt64Array | Uint16Array;
type Convert = (from: Numbers, to: Float32Array) => void;

// A bfloat16 is the upper half of a float32.
const fromBfloat16: Convert = (bits, to) => {
  const out = new Uint32Array(to.buffer, to.byteOffset, to.length);
  for (let i = 0; i < out.length; i++) out[i] = (bits[i] as number) << 16;
};

let halfTable: Float32Array | undefined;

/** IEEE 754 binary16 -> binary32, for all 65536 patterns. */
function halfToFloat32(): Float32Array {
  if (halfTable) return halfTable;
  const table = new Uint32Array(65536);
  for (let h = 0; h < 65536; h++) {
    const sign = (h & 0x8000) << 16;
    const exponent = (h >> 10) & 0x1f;
    const fraction = h & 0x3ff;
    if (exponent === 31) {
      table[h] = sign | 0x7f800000 | (fraction << 13);
    } else if (exponent !== 0) {
      table[h] = sign | ((exponent + 112) << 23) | (fraction << 13);
    } else if (fraction === 0) {
      table[h] = sign;
    } else {
      // Subnormal: shift the leading one up to the implicit place.
      const shift = Math.clz32(fraction) - 21;
      table[h] = sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13);
    }
  }
  halfTable = new Float32Array(table.buffer);
  return halfTable;
}

const fromFloat16: Convert = (bits, to) => {
  const table = halfToFloat32();
  for (let i = 0; i < to.length; i++) to[i] = table[bits[i] as number] ?? 0;
};

const fromIntegers: Convert = (from, to) => to.set(from as Uint8Array | Int32Array);

const fromInt64: Convert = (from, to) => {
  for (let i = 0; i < to.length; i++) to[i] = Number(from[i]);
};

const CONVERSIONS = {
  ...{ bfloat16: fromBfloat16, float16: fromFloat16 },
  ...{ int64: fromInt64, int32: fromIntegers, uint8: fromIntegers, bool: fromIntegers },
};

// A few milliseconds; the event loop goes on in between.
const PIECE = 1 << 20;

/** Copies of `from`, which has elements of `dtype`. */
export async function toFloat32(
  dtype: keyof typeof CONVERSIONS,
  from: Numbers,
): Promise<Float32Array> {
  const out = new Float32Array(from.length);
  for (let at = 0; at < out.length; at += PIECE) {
    if (at > 0) await new Promise(setImmediate);
    CONVERSIONS[dtype](from.subarray(at, at + PIECE), out.subarray(at, at + PIECE));
  }
  return out;
}
