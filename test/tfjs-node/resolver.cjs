/** '@tensorflow/tfjs' means tfjs-node (tf.cjs) to our own files, itself to tfjs-node. */
'use strict';
const path = require('node:path');

module.exports = (request, options) =>
  request === '@tensorflow/tfjs' && !options.basedir.includes('node_modules')
    ? path.join(__dirname, 'tf.cjs')
    : options.defaultResolver(request, options);
