/** The C++ that scripts/gen-options.cjs makes of the schema: the records, and tests' defaults. */
'use strict';
const {
  capital,
  fieldsOf,
  nameOf,
  shapesOf,
  valuesOf,
  withParts,
} = require('./options-schema.cjs');

/** The type of a value in C++. */
function nativeType(kind) {
  const type = presentType(kind);
  return kind.field?.absent === null ? `std::optional<${type}>` : type;
}
function presentType(kind) {
  if (kind.field?.enum) return kind.field.enum;
  if (kind.field?.type) return kind.field.type.native;
  if (nameOf(kind)) return nameOf(kind);
  if (kind.shape) return `std::vector<${nativeType(kind.shape.list)}>`;
  if (kind.type === 'boolean') return 'bool';
  if (kind.values) throw new Error(`field.enum names the C++ type of ${kind.expected}`);
  if (!kind.range) return 'std::string';
  if (!kind.expected.startsWith('integer')) return 'double';
  // Counts of things that fit an int; whatever counts pixels, bytes or milliseconds is wider.
  return kind.range.every((end) => Math.abs(end) <= 1e6) ? 'int' : 'int64_t';
}

const NATIVE_NAMES = { bfloat16: 'BF16', float16: 'F16', float32: 'F32', uint8: 'U8' };
/** 'ends-round' -> EndsRound */
const nativeName = (value) => NATIVE_NAMES[value] ?? value.split('-').map(capital).join('');
/** Enumerations that stand elsewhere. */
const DEFINED = { DType: 'core/dtype.h' };

function nativeLimit(end) {
  if (end === Infinity) return 'kNoLimit';
  if (end === -Infinity) return '-kNoLimit';
  return end === Number.MIN_VALUE ? 'kLeastDouble' : String(end);
}

/** ", Limits{...}" of a number, or of the numbers of a list. */
function limitsOf(kind) {
  const { range, field } = kind.shape?.list ?? kind;
  if (!range) return '';
  const [min, max] = range;
  const absent = typeof field?.absent === 'number' ? field.absent : min;
  return `, Limits{${nativeLimit(Math.min(min, absent))}, ${nativeLimit(max)}}`;
}

/** Names that C++ has taken get a line behind them. */
const nativeKey = (key) => (['short', 'long'].includes(key) ? `${key}_` : key);

const struct = (name, fields) => {
  const members = fields.map(([key, kind]) => {
    const absent = kind.field?.absent;
    const note = absent === undefined || absent === null ? '' : `  // ${absent}: not given`;
    return `  ${nativeType(kind)} ${nativeKey(key)};${note}`;
  });
  const visits = fields.map(
    ([key, kind]) => `  v("${key}", o.${nativeKey(key)}${limitsOf(kind)});`,
  );
  return `struct ${name} {\n${members.join('\n')}\n};
template <typename Visitor, RecordLike<${name}> Record>
void visitFields(Visitor&& v, Record& o) {\n${visits.join('\n')}\n}
template <>
inline constexpr bool kHasFields<${name}> = true;\n`;
};

const unionOf = (name, alternatives) => {
  const all = Object.entries(alternatives);
  const visits = all.map(
    ([key, kind], i) =>
      `  if (auto* p = std::get_if<${i}>(&o.value)) v("${key}", *p${limitsOf(kind)});`,
  );
  const holds = all.map(
    ([key], i) => `  if (kind == "${key}") return o.value.emplace<${i}>(), true;`,
  );
  return `struct ${name} {
  std::variant<${all.map(([, kind]) => nativeType(kind)).join(', ')}> value;
};
template <typename Visitor, RecordLike<${name}> Record>
void visitValue(Visitor&& v, Record& o) {\n${visits.join('\n')}\n}
inline bool holdKind(${name}& o, std::string_view kind) {\n${holds.join('\n')}\n  return false;\n}
template <>
inline constexpr bool kIsUnion<${name}> = true;\n`;
};

/** Enumerations of these kinds: name -> values. */
function enumsOf(kinds) {
  const enums = new Map();
  for (const kind of withParts(kinds)) {
    const name = kind.field?.enum;
    if (name) enums.set(name, [...new Set([...(enums.get(name) ?? []), ...valuesOf(kind)])]);
  }
  return enums;
}

/** Everything that stands in a record: of every record and all their parts. */
const kindsOf = (schema) =>
  Object.keys(schema.RECORDS).flatMap((record) => fieldsOf(schema, record).map(([, kind]) => kind));

const includesOf = (standard, own) => `${standard.map((name) => `#include <${name}>`).join('\n')}

${own.map((name) => `#include "${name}"`).join('\n')}`;

/** native/core/option_values.h, before clang-format: enumerations and how records spell them. */
function renderValues(schema, header) {
  const enums = enumsOf(kindsOf(schema));
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
  const used = [...enums.keys()].flatMap((name) => DEFINED[name] ?? []);
  const own = [...new Set([...used, 'core/record_visit.h'])].sort();
  return `// ${header}
#pragma once

${own.map((name) => `#include "${name}"`).join('\n')}

namespace cps {

${definitions.join('\n')}

${spelled.join('\n')}

}  // namespace cps
`;
}

/** native/core/option_records.h, before clang-format. */
function renderRecords(schema, header) {
  const kinds = kindsOf(schema);
  const shapes = [...shapesOf(kinds)].map(([name, { members, alternatives }]) =>
    members ? struct(name, Object.entries(members)) : unionOf(name, alternatives),
  );
  const structs = Object.entries(schema.RECORDS).map(
    ([record, doc]) =>
      `// ${doc}\n${struct(`${capital(record)}Options`, fieldsOf(schema, record))}`,
  );
  const calls = Object.entries(schema.CALLS).map(([api, names]) => {
    const type = `${capital(api)}Options`;
    return `// The records of a call of ${api}.
struct ${type} {\n${names.map((n) => `  ${capital(n)}Options ${n};`).join('\n')}\n};
template <typename Visitor, RecordLike<${type}> Call>
void visitRecords(Visitor&& v, Call& o) {\n${names.map((n) => `  v("${n}", o.${n});`).join('\n')}\n}\n`;
  });
  const byHand = withParts(kinds).flatMap((kind) => kind.field?.type?.header ?? []);
  const own = [...new Set([...byHand, 'core/option_values.h', 'core/record_visit.h'])].sort();
  const has = (word) => [...shapes, ...structs].some((text) => text.includes(`std::${word}<`));
  const standard = [
    'cstdint',
    'optional',
    'string',
    ...(has('variant') ? ['string_view', 'variant'] : []),
    ...(has('vector') ? ['vector'] : []),
  ];
  return `// ${header}
#pragma once

${includesOf(standard, own)}

namespace cps {

${shapes.join('\n')}
${structs.join('\n')}
${calls.join('\n')}
}  // namespace cps
`;
}

/** A value of a record in C++. */
function nativeValue(kind, value) {
  if (value === null) return 'std::nullopt';
  if (kind.field?.enum) return `cps::${kind.field.enum}::${nativeName(value)}`;
  if (kind.shape?.members) {
    const members = Object.entries(kind.shape.members);
    return `cps::${nameOf(kind)}{${members.map(([key, one]) => nativeValue(one, value[key])).join(', ')}}`;
  }
  if (kind.shape?.alternatives) {
    const at = Object.keys(kind.shape.alternatives).indexOf(value.kind);
    const held = nativeValue(kind.shape.alternatives[value.kind], value.value);
    const type = `cps::${nameOf(kind)}`;
    return `${type}{decltype(${type}::value)(std::in_place_index<${at}>, ${held})}`;
  }
  if (kind.shape) {
    const items = value.map((one) => nativeValue(kind.shape.list, one)).join(', ');
    const item = nativeType(kind.shape.list);
    return `std::vector<${nameOf(kind.shape.list) ? `cps::${item}` : item}>{${items}}`;
  }
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'object')
    return `{${value.scale}, {${value.mean.join(', ')}}, {${value.std.join(', ')}}}`;
  return String(value);
}

/**
 * test/native/default_options.h, before clang-format: the records of calls that give nothing.
 * `calls`: api -> its records.
 */
function renderDefaults(schema, header, calls) {
  const assign = (at, record, values) =>
    fieldsOf(schema, record)
      .filter(([name]) => values[name] !== null)
      .map(([name, kind]) => `  ${at}.${name} = ${nativeValue(kind, values[name])};`);
  const make = (type, name, lines) =>
    `inline cps::${type} default${name}() {\n  cps::${type} o = {};\n${lines.join('\n')}\n  return o;\n}`;
  const common = { ...calls.decodeOnly, ...calls.patchStream };
  const records = Object.keys(schema.RECORDS).map((record) =>
    make(`${capital(record)}Options`, capital(record), assign('o', record, common[record])),
  );
  const whole = Object.entries(schema.CALLS).map(([api, names]) => {
    const lines = names.flatMap((record) => {
      // A default may be another one in each of the calls.
      const usual = assign(`o.${record}`, record, common[record]);
      const own = assign(`o.${record}`, record, calls[api][record]);
      return [
        `  o.${record} = default${capital(record)}();`,
        ...own.filter((line) => !usual.includes(line)),
      ];
    });
    return make(`${capital(api)}Options`, capital(api), lines);
  });
  return `// ${header}
#pragma once

#include "core/options.h"

// What a call on the CPU gets that gives no option. Native tests start from it.
namespace default_options {

${[...records, ...whole].join('\n\n')}

}  // namespace default_options
`;
}

module.exports = { renderDefaults, renderRecords, renderValues };
