/** Whole numbers of 64 bits where a library takes 32. */
import { invalid } from './errors.js';

/** int64 as int32; throws where a value is no int32. */
export function int32Of(values: BigInt64Array): Int32Array {
  const far = values.find((value) => value !== BigInt.asIntN(32, value));
  if (far !== undefined) throw invalid('values', 'int64 values that fit into int32', far);
  return Int32Array.from(values, Number);
}
