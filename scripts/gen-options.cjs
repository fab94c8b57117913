/**
 * Generates from the schema in src/options/schema.ts: the public interfaces (src/options/config.ts),
 * the addon's records (src/options/record-types.ts, native/core/option_records.h), the defaults of
 * native tests (test/native/default_options.h), docs/options.md and the knobs in README.md; and
 * docs/notes.md from the codes in src/api/notes.ts.
 *   node scripts/gen-options.cjs          writes them
 *   node scripts/gen-options.cjs --check  exits with 1 when one is out of date
 */
'use strict';
const fs = require('node:fs');
const path = require('node:path');
require('./require-ts.cjs');

const root = path.resolve(__dirname, '..');
const HEADER = 'Generated from src/options/schema.ts by scripts/gen-options.cjs; do not edit.';

const defaultOf = (spec) =>
  spec.defaultText ??
  (typeof spec.default === 'string' ? `'${spec.default}'` : String(spec.default));
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

/** docs/options.md */
function renderDoc(schema) {
  const all = Object.entries(schema);
  const takes = (spec, api) => spec.apis.includes(api);
  const both = all.filter(([, s]) => takes(s, 'decodeOnly') && takes(s, 'patchStream'));
  const patches = all.filter(([, s]) => takes(s, 'patchStream') && !takes(s, 'decodeOnly'));
  const frames = all.filter(([, s]) => takes(s, 'decodeOnly') && !takes(s, 'patchStream'));
  return `<!-- ${HEADER} -->

# Options

\`patchStream(config)\` and \`decodeOnly(config)\` take one object. An unknown key, a wrong type or a
value out of range rejects with a \`CodecPatchStreamError\` of code \`ERR_CPS_INVALID_ARGUMENT\` that
names the option, what was expected and what was received. \`undefined\` counts as not given.

## Both functions

${renderTable(both)}

## patchStream only

${renderTable(patches)}

## decodeOnly only

${renderTable(frames)}

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

\`notes\` of every result lists what a user should know of it beside its data: assumptions, frames
that were replaced, tags that were ignored. For most videos it is empty. There is one note per code,
in alphabetical order; \`frames\`, where a note has them, are display indices. A note never depends on
threads, on the strategy, or on whether the frame index came from a cache.

${table}
`;
}

/** README.md with the knobs between its markers: the options that say what they cost or bring. */
function renderReadme(schema) {
  const rows = Object.entries(schema)
    .filter(([, spec]) => spec.impact)
    .map(([name, spec]) => {
      const text = spec.defaultText !== undefined && !/^['0-9]/.test(spec.defaultText);
      const fallback = text ? spec.defaultText : code(defaultOf(spec));
      return `| ${code(name)} | ${cell(fallback)} | ${cell(spec.impact)} |`;
    });
  const table = ['| option | default | impact |', '| --- | --- | --- |', ...rows].join('\n');
  const readme = fs.readFileSync(path.join(root, 'README.md'), 'utf8');
  return readme.replace(
    /(<!-- knobs:start[^\n]*-->\n)[\s\S]*?(<!-- knobs:end -->)/,
    (_, start, end) => `${start}${table}\n${end}`,
  );
}

function wrap(text, indent) {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines[lines.length - 1];
    if (last !== '' && indent.length + last.length + word.length + 1 > 97) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines;
}

function renderField(name, spec) {
  const fallback =
    spec.defaultText === 'required' || spec.defaultText === 'none'
      ? ''
      : ` Default: ${defaultOf(spec)}.`;
  const range =
    spec.type === 'number' ? ` ${spec.expected[0].toUpperCase()}${spec.expected.slice(1)}.` : '';
  const lines = wrap(`${spec.doc}${range}${fallback}`, '   * ');
  const comment =
    lines.length === 1
      ? [`  /** ${lines[0]} */`]
      : ['  /**', ...lines.map((line) => `   * ${line}`), '   */'];
  const required = spec.defaultText === 'required';
  const type = required ? spec.type : `${spec.type} | undefined`;
  return [...comment, `  readonly ${name}${required ? '' : '?'}: ${type};`].join('\n');
}

/** src/options/config.ts, before prettier. */
function renderTypes(schema) {
  const all = Object.entries(schema);
  const fields = (keep) =>
    all
      .filter(([, s]) => keep(s))
      .map(([n, s]) => renderField(n, s))
      .join('\n');
  const both = (s) => s.apis.length === 2;
  const only = (api) => (s) => !both(s) && s.apis.includes(api);
  return `// ${HEADER}

/** Options that decodeOnly and patchStream share. */
export interface DecodeConfig {
${fields(both)}
}

/** Options of patchStream. */
export interface PatchStreamConfig extends DecodeConfig {
${fields(only('patchStream'))}
}

/** Options of decodeOnly. */
export interface DecodeOnlyConfig extends DecodeConfig {
${fields(only('decodeOnly'))}
}
`;
}

const RECORDS = {
  decode: { name: 'Decode', doc: 'What both calls need.' },
  patch: { name: 'Patch', doc: 'What patchStream needs.' },
  frame: { name: 'Frame', doc: 'What decodeOnly needs.' },
};
const fieldsOf = (schema, record) =>
  Object.entries(schema).filter(([, spec]) => spec.record === record);
const valuesOf = (spec) => spec.field?.values ?? spec.values;

/** src/options/record-types.ts, before prettier. */
function renderRecordTypes(schema) {
  const typeOf = (spec) => {
    if (spec.field?.type) return spec.field.type;
    const values = valuesOf(spec);
    const type = values ? values.map((v) => `'${v}'`).join(' | ') : spec.type;
    return spec.field?.absent === null ? `${type} | null` : type;
  };
  const text = Object.entries(RECORDS).map(([record, { name, doc }]) => {
    const fields = fieldsOf(schema, record).map(([n, spec]) => `  readonly ${n}: ${typeOf(spec)};`);
    return `/** ${doc} struct ${name}Options of the addon. */
export interface ${name}Record {\n${fields.join('\n')}\n}\n`;
  });
  const imports = "import type { NormalizeRecord } from './kinds.js';\n\n";
  return `// ${HEADER}\n\n${imports}${text.join('\n')}`;
}

/** The type of a record's field in C++. */
function nativeType(spec) {
  if (spec.field?.enum) return spec.field.enum;
  if (spec.field?.type) return spec.field.type.replace(/Record$/, '');
  if (spec.type === 'boolean') return 'bool';
  if (spec.type === 'string') return 'std::string';
  if (spec.field?.absent === null) return 'std::optional<double>';
  if (!spec.expected.startsWith('integer')) return 'double';
  // Counts of things that fit an int; whatever counts pixels, bytes or milliseconds is wider.
  return spec.range.every((end) => Math.abs(end) <= 1e6) ? 'int' : 'int64_t';
}

const NATIVE_NAMES = { bfloat16: 'BF16', float16: 'F16', float32: 'F32', uint8: 'U8' };
const nativeName = (value) => NATIVE_NAMES[value] ?? value[0].toUpperCase() + value.slice(1);
/** Enumerations that stand elsewhere. */
const DEFINED = { DType: 'core/dtype.h' };

function nativeLimit(end) {
  if (end === Infinity) return 'kNoLimit';
  if (end === -Infinity) return '-kNoLimit';
  return end === Number.MIN_VALUE ? 'kLeastDouble' : String(end);
}

/** native/core/option_records.h, before clang-format. */
function renderNative(schema) {
  const enums = new Map();
  for (const [, spec] of Object.entries(schema)) {
    if (spec.record && spec.field?.enum) enums.set(spec.field.enum, valuesOf(spec));
  }
  const definitions = [...enums]
    .filter(([name]) => !DEFINED[name])
    .map(([name, values]) => `enum class ${name} { ${values.map(nativeName).join(', ')} };`);
  const spelled = [...enums].map(([name, values]) => {
    const rows = values.map((v) => `{"${v}", ${name}::${nativeName(v)}}`);
    return `template <>
struct Spelled<${name}> {
  static constexpr Spelling<${name}> all[] = {${rows.join(', ')}};
};`;
  });
  const records = Object.entries(RECORDS).map(([record, { name, doc }]) => {
    const fields = fieldsOf(schema, record);
    const members = fields.map(([n, spec]) => {
      const absent = spec.field?.absent;
      const note = absent === undefined || absent === null ? '' : `  // ${absent}: not given`;
      return `  ${nativeType(spec)} ${n};${note}`;
    });
    const visits = fields.map(([n, spec]) => {
      const [min, max] = spec.range ?? [];
      const absent = typeof spec.field?.absent === 'number' ? spec.field.absent : min;
      const limits = spec.range
        ? `, Limits{${nativeLimit(Math.min(min, absent))}, ${nativeLimit(max)}}`
        : '';
      return `  v("${n}", o.${n}${limits});`;
    });
    return `// ${doc}
struct ${name}Options {\n${members.join('\n')}\n};
template <typename Visitor, RecordLike<${name}Options> Record>
void visitFields(Visitor&& v, Record& o) {\n${visits.join('\n')}\n}\n`;
  });
  return `// ${HEADER}
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>

#include "core/dtype.h"
#include "core/normalize.h"

namespace cps {

${definitions.join('\n')}

// How the values of an enumeration are written in a record.
template <typename E>
struct Spelling {
  const char* name;
  E value;
};
template <typename E>
struct Spelled;
${spelled.join('\n')}

// What a number may be; both ends count.
struct Limits {
  double least, most;
};
inline constexpr double kNoLimit = std::numeric_limits<double>::infinity();
inline constexpr double kLeastDouble = std::numeric_limits<double>::denorm_min();

template <typename T, typename Record>
concept RecordLike = std::same_as<std::remove_const_t<T>, Record>;

// visitFields calls v(name, field) for every field, with Limits for numbers.

${records.join('\n')}
}  // namespace cps
`;
}

/** test/native/default_options.h, before clang-format: the records of a call that gives nothing. */
function renderDefaults(schema, records) {
  const valueText = (spec, value) => {
    if (spec.field?.enum) return `cps::${spec.field.enum}::${nativeName(value)}`;
    if (typeof value === 'string') return JSON.stringify(value);
    if (typeof value === 'object')
      return `{${value.scale}, {${value.mean.join(', ')}}, {${value.std.join(', ')}}}`;
    return String(value);
  };
  const make = (record, fn) => {
    const type = `${RECORDS[record].name}Options`;
    const lines = fieldsOf(schema, record)
      .filter(([n]) => records[record][n] !== null)
      .map(([n, spec]) => `  o.${n} = ${valueText(spec, records[record][n])};`);
    return `inline cps::${type} ${fn}() {
  cps::${type} o = {};\n${lines.join('\n')}\n  return o;\n}`;
  };
  return `// ${HEADER}
#pragma once

#include "core/options.h"

// What a call on the CPU gets that gives no option. Native tests start from it.
namespace default_options {

${make('decode', 'defaultOptions')}

${make('patch', 'defaultPatch')}

${make('frame', 'defaultFrame')}

}  // namespace default_options
`;
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
async function render(schema, notes, records) {
  const prettier = require('prettier');
  const outputs = {
    'docs/options.md': renderDoc(schema),
    'docs/notes.md': renderNotes(notes),
    'src/options/config.ts': renderTypes(schema),
    'README.md': renderReadme(schema),
  };
  outputs['src/options/record-types.ts'] = renderRecordTypes(schema);
  for (const file of ['src/options/config.ts', 'src/options/record-types.ts']) {
    const filepath = path.join(root, file);
    const config = await prettier.resolveConfig(filepath);
    outputs[file] = await prettier.format(outputs[file], { ...config, filepath });
  }
  const native = {
    'native/core/option_records.h': renderNative(schema),
    'test/native/default_options.h': renderDefaults(schema, records),
  };
  for (const [file, text] of Object.entries(native)) {
    const formatted = clangFormat(text, file);
    // Without the formatter the layout is not known; .ci/run has it.
    if (formatted !== undefined) outputs[file] = formatted;
  }
  return outputs;
}

/** The records of a call that gives nothing but the video. */
function defaultRecords() {
  const { parseDecodeOnly, parsePatchStream } = require('../src/options/records.ts');
  const call = { videoPath: '/video', backend: 'cpu' };
  const { decode, patch } = parsePatchStream(call);
  return { decode, patch, frame: parseDecodeOnly(call).frame };
}

async function main() {
  const outputs = await render(
    require('../src/options/schema.ts').OPTIONS,
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
