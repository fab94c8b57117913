#!/usr/bin/env node
/**
 * The direction of dependencies, for C++ includes and TypeScript imports. ARCHITECTURE.md says why;
 * this file is what holds it.
 *
 *   node scripts/check-layers.mjs               checks the tree
 *   node scripts/check-layers.mjs --self-test   checks that each rule catches a violation
 */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { root } from './lib/shell.mjs';

/** Which layers a layer may include besides itself. A folder below a layer can be stricter than it. */
const mayInclude = {
  core: [],
  ffmpeg: ['core'],
  ops: ['core'],
  media: ['core', 'ffmpeg'],
  // The rooms of media, from the bytes up.
  'media/codec': ['core', 'ffmpeg'],
  'media/container': ['core', 'ffmpeg'],
  'media/damage': ['core', 'ffmpeg', 'media/codec'],
  'media/index': ['core', 'ffmpeg', 'media/codec', 'media/container'],
  'media/plan': ['core', 'ffmpeg', 'media/index'],
  'media/decode': [
    'core',
    'ffmpeg',
    'media/codec',
    'media/container',
    'media/damage',
    'media/index',
    'media/plan',
  ],
  // What a device fills: between those that work and the pipeline.
  backend: ['core', 'media', 'ops'],
  pipeline: ['core', 'media', 'ops', 'backend'],
  cuda: ['core', 'ffmpeg', 'media', 'ops', 'backend'],
  'cuda/ops': ['core', 'ops'],
  // Libraries of others that the process has loaded: sessions of ONNX Runtime, tensors of TensorFlow.
  ort: ['core'],
  tf: ['core'],
  napi: ['core', 'ffmpeg', 'media', 'ops', 'backend', 'pipeline', 'ort', 'tf'],
};
const layers = Object.keys(mayInclude);
const foreign = [
  {
    what: 'Node-API',
    header: /^(napi\.h|napi-inl\.h|node_api\w*\.h|js_native_api\w*\.h|node\.h|uv\.h|v8\.h)$/,
    layers: ['napi'],
  },
  { what: 'FFmpeg', header: /^lib(av\w+|sw\w+|postproc)\//, layers: ['ffmpeg', 'media', 'cuda'] },
  {
    what: 'CUDA',
    header:
      /^(cuda\w*\.h$|cuda_fp\w+\.h|cu\w+\.h|nv\w*\.h|ffnvcodec\/|cub\/|thrust\/|nvToolsExt|device_launch)/,
    layers: ['cuda'],
  },
];

/** Where codecs are told apart: each has its rules there, and all else asks these. */
const knowCodecs = ['native/media/codec/', 'cuda/nvdec/stream_format.cpp'];

/** The innermost layer that `name` (a path relative to native/, or cuda/...) lies in. */
const layerOf = (name) =>
  layers.filter((layer) => name.startsWith(`${layer}/`)).sort((a, b) => b.length - a.length)[0];
const ofFile = (file) => layerOf(file.replace(/^native\//, ''));
const allows = (own, target) =>
  target === own || mayInclude[own].some((l) => target === l || target.startsWith(`${l}/`));

/** Violations of one C++ file, as texts. `exists` tells whether native/<path> is a file. */
export function checkNative(file, text, exists, owners = new Map()) {
  const own = ofFile(file);
  if (!own) return [`${file}: is in no layer (${layers.join(', ')})`];
  const bad = [];
  for (const [, quoted, angled] of text.matchAll(
    /^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)/gm,
  )) {
    const name = quoted ?? angled;
    const outside = foreign.find(({ header }) => header.test(name));
    if (outside && !(quoted && exists(name))) {
      if (!outside.layers.includes(own.split('/')[0]))
        bad.push(`${file}: ${own} must not include ${outside.what} (${name})`);
      continue;
    }
    if (!quoted) continue;
    const target = layerOf(name);
    if (name.includes('..') || !name.includes('/')) {
      bad.push(`${file}: write "${name}" relative to native/ ("core/error.h")`);
    } else if (!target) {
      bad.push(`${file}: "${name}" is in no layer`);
    } else if (!allows(own, target) && !(own === 'cuda' && target.startsWith('cuda/'))) {
      bad.push(`${file}: ${own} must not include ${target} ("${name}")`);
    }
  }
  if (!knowCodecs.some((place) => file.startsWith(place))) {
    for (const [id] of text.matchAll(/\bAV_CODEC_ID_(?!NONE\b)\w+/g))
      bad.push(`${file}: ask the codec's rules (media/codec/codec_rules.h) instead of ${id}`);
  }
  // A forward declaration is a dependency without an include.
  for (const [, name] of text.matchAll(/^[ \t]*(?:class|struct|enum class) (\w+)(?: : \w+)?;/gm)) {
    const where = owners.get(name) ?? [];
    if (where.length > 0 && !where.some((layer) => allows(own, layer)))
      bad.push(`${file}: ${own} must not know ${where[0]} (${name}, declared without its header)`);
  }
  return bad;
}

/** Which layers define a type: name -> layers, from all headers. */
function definitions(files, read) {
  const owners = new Map();
  for (const file of files.filter((f) => /\.(h|hpp|cuh)$/.test(f))) {
    for (const [, name] of read(file).matchAll(/^(?:class|struct|enum class) (\w+)\b[^;{]*\{/gm)) {
      owners.set(name, [...(owners.get(name) ?? []), ofFile(file)]);
    }
  }
  return owners;
}

/** What adapters may name of src, always as `import type`. */
const publicModules = ['index'];
/** The only modules that talk to the addon. */
const addonModules = ['src/native/binding.ts', 'src/native/load-binding.ts'];

export function checkTypeScript(file, text) {
  const bad = [];
  const imports = text.matchAll(
    /(?:^|\n)\s*(import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]|(?:import|require)\(\s*['"]([^'"]+)['"]\s*\)/g,
  );
  for (const [, , typeOnly, from, dynamic] of imports) {
    const name = from ?? dynamic;
    const target = name.startsWith('.')
      ? path.posix.join(path.posix.dirname(file), name).replace(/\.js$/, '')
      : name;
    if (file.startsWith('adapters/')) {
      if (/(^|\/)src\//.test(target)) {
        const module = target.replace(/^.*src\//, '');
        if (!publicModules.includes(module))
          bad.push(`${file}: adapters see only src/index, not ${name}`);
        else if (!typeOnly)
          bad.push(`${file}: adapters import only types of src (import type … from '${name}')`);
      }
    } else if (file.startsWith('src/')) {
      if (target.startsWith('adapters/'))
        bad.push(`${file}: src must not import an adapter (${name})`);
      const loads = /\.node$|load-binding$/.test(target);
      if (loads && !addonModules.includes(file))
        bad.push(`${file}: only ${addonModules.join(' and ')} load the addon`);
    } else if (file.startsWith('packages/')) {
      const own = file.split('/', 2).join('/');
      if (name.startsWith('.') && !target.startsWith(`${own}/`))
        bad.push(`${file}: a package uses others by name only, not ${name}`);
    }
  }
  return bad;
}

/** Circles of imports, those of types included: each as "a -> b -> a". */
export function circles(texts) {
  const edges = new Map();
  for (const [file, text] of texts) {
    const found = text.matchAll(/(?:from|import)\s*\(?\s*['"](\.[^'"]+)['"]/g);
    const targets = [...found].map(([, name]) =>
      path.posix.join(path.posix.dirname(file), name).replace(/\.js$/, '.ts'),
    );
    edges.set(
      file,
      [...new Set(targets)].filter((target) => texts.has(target)),
    );
  }
  const bad = [];
  const done = new Set();
  const walk = (file, way) => {
    const at = way.indexOf(file);
    if (at >= 0) bad.push([...way.slice(at), file].join(' -> '));
    if (at >= 0 || done.has(file)) return;
    for (const target of edges.get(file)) walk(target, [...way, file]);
    done.add(file);
  };
  for (const file of edges.keys()) walk(file, []);
  return bad;
}

function checkTree() {
  const areas = ['native', 'cuda', 'src', 'adapters', 'packages'];
  const list = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '--', ...areas], {
    cwd: root,
    encoding: 'utf8',
  });
  const files = list
    .split('\n')
    .filter((f) => /\.(h|hpp|cpp|cc|cu|cuh|ts)$/.test(f) && fs.existsSync(path.join(root, f)));
  const exists = (name) =>
    fs.existsSync(path.join(root, 'native', name)) || fs.existsSync(path.join(root, name));
  const read = (file) => fs.readFileSync(path.join(root, file), 'utf8');
  const owners = definitions(files, read);
  const bad = files.flatMap((file) =>
    file.endsWith('.ts')
      ? checkTypeScript(file, read(file))
      : checkNative(file, read(file), exists, owners),
  );
  const modules = files.filter((file) => file.endsWith('.ts'));
  const texts = new Map(modules.map((file) => [file, read(file)]));
  bad.push(...circles(texts).map((way) => `circle of imports: ${way}`));
  bad.forEach((line) => console.error(line));
  console.log(`layers: ${files.length} files, ${bad.length} violations`);
  return bad.length === 0 && files.length > 0;
}

function selfTest() {
  const owners = new Map([
    ['Kernels', ['backend']],
    ['Buffer', ['core']],
  ]);
  const native = (file, line) =>
    checkNative(
      file,
      `${line}\n`,
      (n) => /^(core|ops|media|ffmpeg|pipeline|napi)\//.test(n),
      owners,
    );
  const cases = [
    [0, native('native/core/a.cpp', '#include "core/a.h"')],
    [1, native('native/core/a.cpp', '#include "media/a.h"')],
    [1, native('native/core/a.cpp', '#include <libavutil/frame.h>')],
    [1, native('native/ops/a.cpp', '#include "media/a.h"')],
    [0, native('native/media/a.cpp', '#include "core/picture.h"')],
    [1, native('native/media/a.cpp', '#include "backend/kernels.h"')],
    [0, native('native/media/a.cpp', '#include <libavcodec/avcodec.h>')],
    [1, native('native/pipeline/a.cpp', '#include <libavcodec/avcodec.h>')],
    [1, native('native/pipeline/a.cpp', '  #  include <napi.h>')],
    [1, native('native/pipeline/a.cpp', '#include "napi/call.h"')],
    [1, native('native/media/a.cpp', '#include <cuda_runtime.h>')],
    [0, native('cuda/a.cu', '#include <cuda_runtime.h>')],
    [1, native('cuda/a.cu', '#include "napi/call.h"')],
    [1, native('native/core/a.cpp', '#include "../media/a.h"')],
    [1, native('native/napi/a.cpp', '#include "cuda/device.h"')],
    [0, native('native/ort/a.cpp', '#include "core/a.h"')],
    [1, native('native/ort/a.cpp', '#include "media/a.h"')],
    [1, native('native/ort/a.cpp', '#include <napi.h>')],
    [1, native('native/pipeline/a.cpp', '#include "cuda/device.h"')],
    [1, native('native/media/a.h', 'class Kernels;')],
    [0, native('native/media/a.h', 'class Buffer;')],
    [0, native('native/pipeline/a.h', 'class Kernels;')],
    [1, native('native/media/index/a.cpp', 'if (id == AV_CODEC_ID_H264) return;')],
    [0, native('native/media/index/a.cpp', 'AVCodecID id = AV_CODEC_ID_NONE;')],
    [0, native('native/media/codec/a.cpp', '{AV_CODEC_ID_H264, kH264Rules},')],
    [1, native('cuda/nvdec/a.cpp', 'case AV_CODEC_ID_AV1:')],
    [0, native('cuda/nvdec/stream_format.cpp', 'case AV_CODEC_ID_AV1:')],
    [0, native('cuda/ops/a.h', '#include "ops/hd.h"')],
    [1, native('cuda/ops/a.h', '#include "media/a.h"')],
    [0, native('cuda/a.h', '#include "cuda/ops/a.h"')],
    [1, native('cuda/ops/a.h', '#include "cuda/a.h"')],
    [
      0,
      checkTypeScript(
        'adapters/tfjs/a.ts',
        "import type { PatchTensor } from '../../src/index.js';",
      ),
    ],
    [1, checkTypeScript('adapters/tfjs/a.ts', "import { patchStream } from '../../src/index.js';")],
    [1, checkTypeScript('adapters/tfjs/a.ts', "import type { X } from '../../src/api/tensor.js';")],
    [1, checkTypeScript('src/stream.ts', "import { loadBinding } from './load-binding.js';")],
    [
      1,
      checkTypeScript(
        'src/stream.ts',
        "const a = require('../build/Release/codec_patch_stream.node');",
      ),
    ],
    [
      0,
      checkTypeScript('src/native/binding.ts', "import { loadBinding } from './load-binding.js';"),
    ],
    [
      1,
      checkTypeScript(
        'packages/cli/src/a.ts',
        "import { native } from '../../../src/native/binding.js';",
      ),
    ],
    [
      0,
      checkTypeScript(
        'packages/cli/src/a.ts',
        "import { patchStream } from 'codec-patch-stream';\nimport { x } from './table.js';",
      ),
    ],
  ];
  const circle = (a, b) =>
    circles(
      new Map([
        ['src/a.ts', a],
        ['src/b.ts', b],
      ]),
    );
  cases.push(
    [1, circle("import type { B } from './b.js';", "export { A } from './a.js';")],
    [0, circle("import { B } from './b.js';", "import { C } from 'c';")],
  );
  const wrong = cases.filter(([count, found]) => found.length !== count);
  wrong.forEach(([count, found], i) =>
    console.error(`self-test ${i}: expected ${count}, found`, found),
  );
  return wrong.length === 0;
}

const ok = selfTest() && (process.argv.includes('--self-test') || checkTree());
process.exitCode = ok ? 0 : 1;
