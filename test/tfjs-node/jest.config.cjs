/** The adapter's own tests on tfjs-node: npx jest --config test/tfjs-node/jest.config.cjs */
'use strict';
const path = require('node:path');
const base = require('../../jest.config.js');

/** @type {import('jest').Config} */
module.exports = {
  ...base,
  rootDir: path.join(__dirname, '..', '..'),
  testMatch: [
    '<rootDir>/test/tfjs.test.ts',
    '<rootDir>/test/adapter-flow.test.ts',
    '<rootDir>/test/dataset-sample.test.ts',
  ],
  testEnvironment: '<rootDir>/test/helpers/one-realm-environment.cjs',
  resolver: path.join(__dirname, 'resolver.cjs'),
  modulePathIgnorePatterns: ['<rootDir>/build/(?!tfjs-node)', '<rootDir>/dist'],
};
