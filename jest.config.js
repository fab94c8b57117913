/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  // Sources are imported as './x.js', as they are named once built.
  moduleNameMapper: {
    '^(\\.{1,2}/.*)\\.js$': '$1',
    // The adapters and the examples use the package by its name, as any program does.
    '^codec-patch-stream$': '<rootDir>/src/index',
    '^codec-patch-stream/(inputs|shards)$': '<rootDir>/src/$1/index',
    '^codec-patch-stream/(tfjs|ort)$': '<rootDir>/adapters/$1/index',
  },
  modulePathIgnorePatterns: ['<rootDir>/build', '<rootDir>/dist'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } },
    ],
  },
  // A new process for every file: live native memory and threads are counted per process, and what
  // one file leaves to the garbage collector must not show in another's counts.
  workerIdleMemoryLimit: 0,
  testTimeout: 120_000,
};
