/**
 * Generates from the schema in src/options/schema.ts: the public interfaces (src/options/config.ts),
 * the addon's records (src/options/record-types.ts, native/core/option_values.h and option_records.h),
 * the defaults of native tests (test/native/default_options.h), docs/options.md and the knobs in docs/performance.md; and
 * docs/notes.md from the codes in src/api/notes.ts.
 *   node scripts/gen-options.cjs          writes them
 *   node scripts/gen-options.cjs --check  exits with 1 when one is out of date
 */
'use strict';
const fs = require('node:fs');
const path = require('node:path');
require('./require-ts.cjs');
const { ownOf, shared } = require('./lib/options-schema.cjs');
const { defaultOf, renderRecordTypes, renderTypes } = require('./lib/options-typescript.cjs');
const { renderDefaults, renderRecords, renderValues } = require('./lib/options-native.cjs');

const root = path.resolve(__dirname, '..');
const HEADER = 'Generated from src/options/schema.ts by scripts/gen-options.cjs; do not edit.';

const cell = (text) => text.replaceAll('|', '\\|');
const code = (text) => `\`${text}\``;

function acceptedOf(spec) {
  const expected = spec.expected.startsWith('one of')
    ? spec.type.replaceAll(' | ', ', ')
    : spec.expected;
  return expected;
}

/** The Markdown table of some options. */
function renderTable(options) {
  const rows = options.map(([name, spec]) => {
    const meaning = spec.impact ? `${spec.doc} **Impact:** ${spec.impact}` : spec.doc;
    const isText = spec.defaultText !== undefined && !/^['0-9]/.test(spec.defaultText);
    const fallback = isText ? spec.defaultText : code(defaultOf(spec));
    return `| ${code(name)} | ${cell(fallback)} | ${cell(acceptedOf(spec))} | ${cell(meaning)} |`;
  });
  return ['| option | default | accepts | meaning |', '| --- | --- | --- | --- |', ...rows].join(
    '\n',
  );
}

const TITLES = {
  sampling: 'Which frames',
  patches: 'Patches',
  selection: 'Which patches',
  pixels: 'Pixels',
  decoding: 'The video, devices, decoding',
  limits: 'Limits',
};

/** A table for each subject that these options are about. */
function renderGroups(schema, options) {
  const names = Object.keys(schema.GROUPS);
  const groupOf = (name) => names.find((group) => name in schema.GROUPS[group]) ?? 'others';
  return [...names, 'others']
    .map((group) => [group, options.filter(([name]) => groupOf(name) === group)])
    .filter(([, own]) => own.length > 0)
    .map(([group, own]) => `### ${TITLES[group] ?? 'Others'}\n\n${renderTable(own)}`)
    .join('\n\n');
}

/** docs/options.md */
function renderDoc(schema) {
  return `<!-- ${HEADER} -->

# Options

\`patchStream(config)\` and \`decodeOnly(config)\` take one object:

\`\`\`js
await patchStream({ videoPath: 'video.mp4', sequenceLength: 16, kKeep: 1024 });
\`\`\`

On the command line most options are flags: \`kKeep\` is \`--k-keep\` ([cli.md](cli.md)). An unknown key, a wrong type or a
value out of range rejects with a \`CodecPatchStreamError\` of code \`ERR_CPS_INVALID_ARGUMENT\` that
names the option, what was expected and what was received. \`undefined\` counts as not given.

## Both functions

${renderGroups(schema, shared(schema))}

## patchStream

${renderGroups(schema, ownOf(schema, 'patchStream'))}

## decodeOnly

${renderGroups(schema, ownOf(schema, 'decodeOnly'))}

## Environment

Only profiling is read from the environment: with \`CODEC_DECODE_PROFILE\` set to \`1\`, \`true\` or
\`on\` each call writes one line of stage timings to stderr, with \`CODEC_DECODE_PROFILE_VERBOSE\` a
table. Programs read the same figures from \`timings\` of each result, or from the
\`node:diagnostics_channel\` named \`codec-patch-stream:call\`.
`;
}

/** docs/notes.md */
function renderNotes(codes) {
  const rows = Object.entries(codes).map(
    ([name, meaning]) => `| ${code(name)} | ${cell(meaning)} |`,
  );
  const table = ['| code | meaning |', '| --- | --- |', ...rows].join('\n');
  return `<!-- ${HEADER.replace('src/options/schema.ts', 'src/api/notes.ts')} -->

# Notes

\`notes\` of every result says what you should know about it: assumptions, frames that were replaced,
tags that were ignored. Often it is empty. There is at most one note per code, in alphabetical order.
If a note has \`frames\`, these are display indices. Notes do not depend on threads, on the strategy,
or on whether the frame index came from a cache.

${table}
`;
}

/** docs/performance.md with the knobs between its markers: the options that say what they cost or bring. */
function renderKnobs(schema) {
  const rows = Object.entries(schema.OPTIONS)
    .flatMap(([name, spec]) =>
      spec.per
        ? Object.entries(spec.per).map(([api, one]) => [name, one, ` (${api})`])
        : [[name, spec, '']],
    )
    .filter(([, spec]) => spec.impact)
    .map(([name, spec, where]) => {
      const text = spec.defaultText !== undefined && !/^['0-9]/.test(spec.defaultText);
      const fallback = text ? spec.defaultText : code(defaultOf(spec));
      return `| ${code(name)}${where} | ${cell(fallback)} | ${cell(spec.impact)} |`;
    });
  const table = ['| option | default | impact |', '| --- | --- | --- |', ...rows].join('\n');
  const page = fs.readFileSync(path.join(root, 'docs', 'performance.md'), 'utf8');
  return page.replace(
    /(<!-- knobs:start[^\n]*-->\n)[\s\S]*?(<!-- knobs:end -->)/,
    (_, start, end) => `${start}${table}\n${end}`,
  );
}

/** As the tree is laid out; where that clang-format is not there, as it is. */
function clangFormat(text, file) {
  const { execFileSync } = require('node:child_process');
  for (const command of ['clang-format-14', 'clang-format']) {
    try {
      const args = ['--style=file', `--assume-filename=${path.join(root, file)}`];
      return execFileSync(command, args, { input: text, encoding: 'utf8' });
    } catch {
      // the next one
    }
  }
  return undefined;
}

/** The files as they should be: path relative to the package -> text. */
async function render(schema, notes, calls) {
  const prettier = require('prettier');
  const outputs = {
    'docs/options.md': renderDoc(schema),
    'docs/notes.md': renderNotes(notes),
    'src/options/config.ts': renderTypes(schema, HEADER),
    'src/options/record-types.ts': renderRecordTypes(schema, HEADER),
    'docs/performance.md': renderKnobs(schema),
  };
  for (const file of ['src/options/config.ts', 'src/options/record-types.ts']) {
    const filepath = path.join(root, file);
    const config = await prettier.resolveConfig(filepath);
    outputs[file] = await prettier.format(outputs[file], { ...config, filepath });
  }
  const native = {
    'native/core/option_values.h': renderValues(schema, HEADER),
    'native/core/option_records.h': renderRecords(schema, HEADER),
    'test/native/default_options.h': renderDefaults(schema, HEADER, calls),
  };
  for (const [file, text] of Object.entries(native)) {
    const formatted = clangFormat(text, file);
    // Without the formatter the layout is not known; .ci/run has it.
    if (formatted !== undefined) outputs[file] = formatted;
  }
  return outputs;
}

/** The records of calls that give nothing but the video: api -> records. */
function defaultRecords() {
  const { parseDecodeOnly, parsePatchStream } = require('../src/options/records.ts');
  const call = { videoPath: '/video', backend: 'cpu' };
  return { decodeOnly: parseDecodeOnly(call).records, patchStream: parsePatchStream(call).records };
}

async function main() {
  const outputs = await render(
    require('../src/options/schema.ts'),
    require('../src/api/notes.ts').NOTE_CODES,
    defaultRecords(),
  );
  const stale = Object.entries(outputs).filter(([file, text]) => {
    const target = path.join(root, file);
    return !fs.existsSync(target) || fs.readFileSync(target, 'utf8') !== text;
  });
  if (process.argv.includes('--check')) {
    for (const [file] of stale)
      console.error(`${file} is out of date: node scripts/gen-options.cjs`);
    process.exitCode = stale.length > 0 ? 1 : 0;
    return;
  }
  for (const [file, text] of stale) {
    fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    fs.writeFileSync(path.join(root, file), text);
    console.log(`wrote ${file}`);
  }
}

module.exports = { defaultRecords, render, renderTable };
if (require.main === module) void main();
