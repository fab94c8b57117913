/** NumPy's .npy files: a header that says type and shape, then the elements in row-major order. */

const TYPES = {
  int32: '<i4',
  int64: '<i8',
  float32: '<f4',
  uint8: '|u1',
} as const;

export type NpyType = keyof typeof TYPES;

const MAGIC = [0x93, ...Buffer.from('NUMPY'), 1, 0];
/** The elements begin at a multiple of this (format 1.0). */
const ALIGNED = 64;

/** The bytes of a file that np.load reads. */
export function npy(data: ArrayBufferView, type: NpyType, shape: readonly number[]): Buffer {
  const sides = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${TYPES[type]}', 'fortran_order': False, 'shape': (${sides}), }`;
  const before = MAGIC.length + 2;
  const length = Math.ceil((before + text.length + 1) / ALIGNED) * ALIGNED - before;
  const header = Buffer.alloc(2);
  header.writeUInt16LE(length);
  return Buffer.concat([
    Buffer.from(MAGIC),
    header,
    Buffer.from(`${text.padEnd(length - 1)}\n`, 'latin1'),
    new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  ]);
}
