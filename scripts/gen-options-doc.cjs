/**
 * Generates docs/options.md, src/config.ts and the knobs in README.md from the schema in
 * src/options.ts, and docs/notes.md from the codes in src/notes.ts.
 *   node scripts/gen-options-doc.cjs          writes them
 *   node scripts/gen-options-doc.cjs --check  exits with 1 when one is out of date
 */
'use strict';
const fs = require('node:fs');
const path = require('node:path');
require('./require-ts.cjs');

const root = path.resolve(__dirname, '..');
const HEADER = 'Generated from src/options.ts by scripts/gen-options-doc.cjs; do not edit.';

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
  return `<!-- ${HEADER.replace('options.ts', 'notes.ts')} -->

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

/** src/config.ts, before prettier. */
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

/** The files as they should be: path relative to the package -> text. */
async function render(schema, notes) {
  const prettier = require('prettier');
  const outputs = {
    'docs/options.md': renderDoc(schema),
    'docs/notes.md': renderNotes(notes),
    'src/config.ts': renderTypes(schema),
    'README.md': renderReadme(schema),
  };
  const filepath = path.join(root, 'src/config.ts');
  const config = await prettier.resolveConfig(filepath);
  outputs['src/config.ts'] = await prettier.format(outputs['src/config.ts'], {
    ...config,
    filepath,
  });
  return outputs;
}

async function main() {
  const outputs = await render(
    require('../src/options.ts').OPTIONS,
    require('../src/notes.ts').NOTE_CODES,
  );
  const stale = Object.entries(outputs).filter(([file, text]) => {
    const target = path.join(root, file);
    return !fs.existsSync(target) || fs.readFileSync(target, 'utf8') !== text;
  });
  if (process.argv.includes('--check')) {
    for (const [file] of stale)
      console.error(`${file} is out of date: node scripts/gen-options-doc.cjs`);
    process.exitCode = stale.length > 0 ? 1 : 0;
    return;
  }
  for (const [file, text] of stale) {
    fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    fs.writeFileSync(path.join(root, file), text);
    console.log(`wrote ${file}`);
  }
}

module.exports = { render, renderTable };
if (require.main === module) void main();
