/**
 * Arrays of numpy: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, versions 1 to 3,
 * of the types that tensors of this package have.
 */
import type { DType, Tensor } from '../api/tensor.js';
import type { CodecPatchStreamError } from '../support/errors.js';
import { corrupt, readBytes, unsupported } from './bytes.js';
import type { Bytes, Part } from './bytes.js';
import { byteLength, MAX_AXES, readTensor } from './elements.js';

const MAGIC = '\x93NUMPY';
const MAX_HEADER = 1 << 16;
/** Most headers, and small arrays as a whole. */
const HEAD = 1024;

const DTYPES: Readonly<Record<string, DType>> = {
  '|u1': 'uint8',
  '|b1': 'bool',
  '<i4': 'int32',
  '<i8': 'int64',
  '<f2': 'float16',
  '<f4': 'float32',
};

/** What a header says. */
export interface NpyHeader {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** One entry of a dictionary, and the comma behind it. */
const ENTRY = /\s*'(\w+)'\s*:\s*(?:'([^']*)'|(True|False)|\(([\d,\sL]*)\))\s*(?:,|$)/y;

/** The literal of a Python dictionary that numpy writes: three keys in any order, each once. */
export function parseNpyHeader(where: string, text: string): NpyHeader {
  const wrong = (): CodecPatchStreamError =>
    corrupt(where, 'its header is not that of an array of numpy');
  const literal = text.trim();
  if (!literal.startsWith('{') || !literal.endsWith('}')) throw wrong();
  if (/'descr'\s*:\s*\[/.test(literal)) throw unsupported(where, 'an array of structures');
  const inner = literal.slice(1, -1).trimEnd();
  let [descr, order, sides]: (string | undefined)[] = [];
  const keys: string[] = [];
  for (let at = 0; at < inner.length; at = ENTRY.lastIndex) {
    ENTRY.lastIndex = at;
    const [whole, key = '', string, flag, tuple] = ENTRY.exec(inner) ?? [];
    if (whole === undefined) throw wrong();
    keys.push(key);
    if (key === 'descr') descr = string;
    if (key === 'fortran_order') order = flag;
    if (key === 'shape') sides = tuple;
  }
  const isWhole = keys.sort().join() === 'descr,fortran_order,shape';
  if (!isWhole || descr === undefined || order === undefined || sides === undefined) throw wrong();
  const dtype = Object.hasOwn(DTYPES, descr) ? DTYPES[descr] : undefined;
  if (dtype === undefined) {
    const known = Object.keys(DTYPES).join(', ');
    throw unsupported(where, `Expected elements of type ${known} but it has '${descr}'`);
  }
  if (order === 'True') {
    throw unsupported(
      where,
      "Expected C order but it has Fortran's; write numpy.ascontiguousarray(x)",
    );
  }
  const parts = sides.split(',').map((side) => side.trim());
  // (3,) and (), never (3).
  const isTuple = parts.length > 1 || parts[0] === '';
  if (parts.at(-1) === '') parts.pop();
  const shape = parts.map((side) => (/^\d{1,15}L?$/.test(side) ? parseInt(side, 10) : NaN));
  if (!isTuple || shape.length > MAX_AXES || shape.some(Number.isNaN)) {
    throw corrupt(where, `its shape is (${sides.slice(0, 80)})`);
  }
  return { dtype, shape };
}

/** The array in `part` of a file. */
export async function readNpy(bytes: Bytes, part: Part): Promise<Tensor> {
  const { name, offset, size } = part;
  let head = await readBytes(bytes, offset, Math.min(size, HEAD));
  if (size < 10 || String.fromCharCode(...head.subarray(0, 6)) !== MAGIC) {
    throw corrupt(name, 'it is no array of numpy (.npy)');
  }
  const [major = 0, minor = 0] = head.subarray(6);
  if (major < 1 || major > 3 || minor !== 0) {
    throw unsupported(name, `version ${major}.${minor} of the format of numpy`);
  }
  const view = new DataView(head.buffer);
  const start = major === 1 ? 10 : 12;
  const length = major === 1 ? view.getUint16(8, true) : size < 12 ? size : view.getUint32(8, true);
  if (length > MAX_HEADER || start + length > size) {
    throw corrupt(name, `its header of ${length} bytes is longer than it may be`);
  }
  if (start + length > head.length) head = await readBytes(bytes, offset, start + length);
  const text = Buffer.from(head.subarray(start, start + length)).toString('latin1');
  const { dtype, shape } = parseNpyHeader(name, text);
  const elements = { name, offset: offset + start + length, size: size - start - length };
  if (byteLength(dtype, shape) !== elements.size) {
    throw corrupt(name, `${elements.size} bytes of ${dtype} for the shape (${shape.join(', ')})`);
  }
  return readTensor(bytes, elements, dtype, shape, head.subarray(start + length));
}
