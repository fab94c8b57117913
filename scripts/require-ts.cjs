/** Lets `require` load this project's TypeScript without a build: for generators and test workers. */
'use strict';
const fs = require('node:fs');
const Module = require('node:module');
const ts = require('typescript');

const compilerOptions = { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 };

Module._extensions['.ts'] = (module, filename) => {
  const source = fs.readFileSync(filename, 'utf8');
  module._compile(ts.transpileModule(source, { compilerOptions }).outputText, filename);
};

const resolve = Module._resolveFilename;
Module._resolveFilename = (request, parent, ...rest) => {
  // Sources import './x.js', as it is named once built.
  const fromTs = parent?.filename?.endsWith('.ts') && request.startsWith('.');
  return resolve.call(Module, fromTs ? request.replace(/\.js$/, '.ts') : request, parent, ...rest);
};
