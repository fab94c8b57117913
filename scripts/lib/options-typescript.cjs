/** The types that scripts/gen-options.cjs makes of the schema: what callers write, and the records. */
'use strict';
const {
  capital,
  fieldsOf,
  isOptional,
  nameOf,
  ownOf,
  shapesOf,
  shared,
  specsOf,
  valuesOf,
  withParts,
} = require('./options-schema.cjs');

const defaultOf = (spec) =>
  spec.defaultText ??
  (typeof spec.default === 'string' ? `'${spec.default}'` : String(spec.default));

function wrap(text, indent) {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines[lines.length - 1];
    if (last !== '' && indent.length + last.length + word.length + 1 > 97) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines;
}

function comment(text) {
  if (text === '') return [];
  const lines = wrap(text, '   * ');
  return lines.length === 1
    ? [`  /** ${lines[0]} */`]
    : ['  /**', ...lines.map((line) => `   * ${line}`), '   */'];
}

const rangeOf = (kind) =>
  kind.type === 'number' ? ` ${kind.expected[0].toUpperCase()}${kind.expected.slice(1)}.` : '';

function renderOption(name, spec) {
  const fallback =
    spec.defaultText === 'required' || spec.defaultText === 'none'
      ? ''
      : ` Default: ${defaultOf(spec)}.`;
  const required = spec.defaultText === 'required';
  const type = required ? spec.type : `${spec.type} | undefined`;
  return [
    ...comment(`${spec.doc}${rangeOf(spec)}${fallback}`),
    `  readonly ${name}${required ? '' : '?'}: ${type};`,
  ].join('\n');
}

function renderMember(name, kind) {
  const plain = ['string', 'number', 'boolean'].includes(typeof kind.default);
  const fallback = plain ? ` Default: ${defaultOf(kind)}.` : '';
  const optional = isOptional(kind);
  return [
    ...comment(`${kind.doc ?? ''}${rangeOf(kind)}${fallback}`.trim()),
    `  readonly ${name}${optional ? '?' : ''}: ${kind.type}${optional ? ' | undefined' : ''};`,
  ].join('\n');
}

/** What a named shape is, in words: what its kind says, or what it is a form of. */
function docOf(name, kinds) {
  const own = kinds.find((kind) => nameOf(kind) === name && kind.doc);
  if (own) return own.doc;
  const whole = kinds.find(({ shape }) =>
    Object.values(shape?.alternatives ?? {}).some((kind) => nameOf(kind) === name),
  );
  const list = kinds.find(({ shape }) => shape?.list && nameOf(shape.list) === name);
  if (whole) return `One form of ${nameOf(whole)}.`;
  return list ? 'One row of a list.' : `${name}, a part of options.`;
}

const docComment = (doc) =>
  comment(doc)
    .map((line) => line.slice(2))
    .join('\n');

/** What callers write for a value that consists of others. */
function renderShape(name, shape, doc) {
  const head = docComment(doc);
  if (shape.members) {
    const members = Object.entries(shape.members).map(([key, kind]) => renderMember(key, kind));
    return `${head}\nexport interface ${name} {\n${members.join('\n')}\n}\n`;
  }
  const all = Object.values(shape.alternatives);
  const objects = all.filter((kind) => kind.shape?.structure).map((kind) => kind.type);
  const others = all.filter((kind) => !kind.shape?.structure).map((kind) => kind.type);
  const apart = objects.length > 1 ? [`OneOf<${objects.join(' | ')}>`] : objects;
  return `${head}\nexport type ${name} = ${[...others, ...apart].join(' | ')};\n`;
}

/** src/options/config.ts, before prettier. */
function renderTypes(schema, header) {
  const options = (list) => list.map(([name, spec]) => renderOption(name, spec)).join('\n');
  const shapes = shapesOf(Object.values(schema.OPTIONS).flatMap(specsOf));
  const kinds = withParts(Object.values(schema.OPTIONS).flatMap(specsOf));
  const named = [...shapes]
    .map(([name, shape]) => renderShape(name, shape, docOf(name, kinds)))
    .join('\n');
  const mixes = named.includes('OneOf<');
  const uses = (name) =>
    Object.values(schema.OPTIONS)
      .flatMap(specsOf)
      .some(({ type }) => type.split(/\W+/).includes(name));
  const imports = [
    ['VideoSource', '../native/source.js'],
    ['OpenVideo', '../native/video-handles.js'],
  ].filter(([name]) => uses(name));
  return `// ${header}
${imports.map(([name, file]) => `import type { ${name} } from '${file}';\n`).join('')}${mixes ? "\nimport type { OneOf } from './structures.js';\n" : ''}
${named}
/** Options that decodeOnly and patchStream share. */
export interface DecodeConfig {
${options(shared(schema))}
}

/** Options of patchStream. */
export interface PatchStreamConfig extends DecodeConfig {
${options(ownOf(schema, 'patchStream'))}
}

/** Options of decodeOnly. */
export interface DecodeOnlyConfig extends DecodeConfig {
${options(ownOf(schema, 'decodeOnly'))}
}
`;
}

function recordType(kind) {
  const nothing = kind.field?.absent === null ? ' | null' : '';
  if (kind.field?.type) return kind.field.type.record + nothing;
  if (nameOf(kind)) return `${nameOf(kind)}Record${nothing}`;
  if (kind.shape) return `readonly (${recordType(kind.shape.list)})[]${nothing}`;
  const values = valuesOf(kind);
  return (values ? values.map((v) => `'${v}'`).join(' | ') : kind.type) + nothing;
}

function renderRecordShape(name, shape) {
  if (shape.members) {
    const members = Object.entries(shape.members);
    const fields = members.map(([key, kind]) => `  readonly ${key}: ${recordType(kind)};`);
    return `export interface ${name}Record {\n${fields.join('\n')}\n}\n`;
  }
  const forms = Object.entries(shape.alternatives).map(
    ([key, kind]) => `{ readonly kind: '${key}'; readonly value: ${recordType(kind)} }`,
  );
  return `export type ${name}Record = ${forms.join(' | ')};\n`;
}

/** src/options/record-types.ts, before prettier. */
function renderRecordTypes(schema, header) {
  const records = Object.entries(schema.RECORDS);
  const fields = records.flatMap(([record]) => fieldsOf(schema, record).map(([, kind]) => kind));
  const byHand = withParts(fields).flatMap((kind) => kind.field?.type?.record ?? []);
  const shapes = [...shapesOf(fields)].map(([name, shape]) => renderRecordShape(name, shape));
  const types = records.map(([record, doc]) => {
    const lines = fieldsOf(schema, record).map(
      ([name, kind]) => `  readonly ${name}: ${recordType(kind)};`,
    );
    const name = capital(record);
    return `/** ${doc} struct ${name}Options of the addon. */
export interface ${name}Record {\n${lines.join('\n')}\n}\n`;
  });
  const map = records.map(([record]) => `  readonly ${record}: ${capital(record)}Record;`);
  const calls = Object.entries(schema.CALLS).map(
    ([api, names]) => `/** The records of a call of ${api}. */
export type ${capital(api)}Records = Pick<RecordTypes, ${names.map((n) => `'${n}'`).join(' | ')}>;
`,
  );
  const imports = `import type { ${[...new Set(byHand)].join(', ')} } from './kinds.js';\n`;
  return `// ${header}

${byHand.length > 0 ? imports : ''}
${shapes.join('\n')}
${types.join('\n')}
export interface RecordTypes {\n${map.join('\n')}\n}

${calls.join('\n')}`;
}

module.exports = { defaultOf, renderRecordTypes, renderTypes };
