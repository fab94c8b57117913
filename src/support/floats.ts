/** Values of 16-bit floats, given as their bits. */

export function fromBfloat16(bits: Uint16Array): Float32Array {
  // A bfloat16 is the upper half of a float32.
  const out = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = (bits[i] ?? 0) << 16;
  return new Float32Array(out.buffer);
}

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

export function fromFloat16(bits: Uint16Array): Float32Array {
  const table = halfToFloat32();
  const out = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = table[bits[i] ?? 0] ?? 0;
  return out;
}
