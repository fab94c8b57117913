/** NumPy's .npy files: a header that says type and shape, then the elements in row-major order. */
import { npyHead } from '../extract/members.js';

export type NpyType = 'int32' | 'int64' | 'float32' | 'uint8';

/** The bytes of a file that np.load reads. */
export const npy = (data: ArrayBufferView, type: NpyType, shape: readonly number[]): Buffer =>
  Buffer.concat([
    npyHead(type, shape),
    new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  ]);
