/**
 * Jest runs tests in a realm of their own. Native addons make their typed arrays in the main one,
 * and onnxruntime-common asks `instanceof`: so the tests get the main realm's typed arrays.
 */
'use strict';
const { TestEnvironment } = require('jest-environment-node');

class OneRealmEnvironment extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    const arrays = [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array];
    arrays.push(Uint32Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array);
    for (const array of arrays) this.global[array.name] = array;
    if (globalThis.Float16Array) this.global.Float16Array = globalThis.Float16Array;
  }
}

module.exports = OneRealmEnvironment;
