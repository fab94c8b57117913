/** tfjs-node under the name of @tensorflow/tfjs, for the tests of the adapter: its backend stays. */
'use strict';
const path = require('node:path');
const util = require('node:util');

util.isNullOrUndefined ??= (value) => value === undefined || value === null;
const home = ['build', 'tfjs-node', 'node_modules', '@tensorflow', 'tfjs-node'];
const tf = require(path.join(__dirname, '..', '..', ...home));

module.exports = { ...tf, setBackend: () => Promise.resolve(true) };
