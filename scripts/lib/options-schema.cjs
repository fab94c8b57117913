/** What the generators of scripts/gen-options.cjs ask of the schema. */
'use strict';

const capital = (word) => word[0].toUpperCase() + word.slice(1);

/** The spec of an option, or both where the calls differ. */
const specsOf = (spec) => (spec.per ? [spec.per.decodeOnly, spec.per.patchStream] : [spec]);

/** One kind that covers both of an option's, for a record that both calls have. */
function merged(name, kinds) {
  const [first, second] = kinds;
  if (!second) return first;
  if (first.field?.enum !== second.field?.enum || Boolean(first.range) !== Boolean(second.range)) {
    throw new Error(`${name}: kinds this different need a record each`);
  }
  const values = first.values && [...new Set([...first.values, ...second.values])];
  const range = first.range && [
    Math.min(first.range[0], second.range[0]),
    Math.max(first.range[1], second.range[1]),
  ];
  return { ...first, values, range };
}

/** The fields of a record: [name, kind]. */
const fieldsOf = ({ OPTIONS }, record) =>
  Object.entries(OPTIONS)
    .map(([name, spec]) => [name, specsOf(spec).filter((one) => one.record === record)])
    .filter(([, specs]) => specs.length > 0)
    .map(([name, specs]) => [name, merged(name, specs)]);

/** Options that both calls take and mean alike, and what a call has of its own: [name, spec]. */
const shared = ({ OPTIONS }) =>
  Object.entries(OPTIONS).filter(([, spec]) => !spec.per && spec.apis.length === 2);
const ownOf = ({ OPTIONS }, api) =>
  Object.entries(OPTIONS)
    .filter(([, spec]) => spec.per || (spec.apis.length === 1 && spec.apis[0] === api))
    .map(([name, spec]) => [name, spec.per ? spec.per[api] : spec]);

const partsOf = ({ shape }) => {
  if (!shape) return [];
  return shape.list ? [shape.list] : Object.values(shape.members ?? shape.alternatives);
};
const nameOf = ({ shape }) => shape?.structure ?? shape?.union;

/** The named shapes of these kinds, each after those that it consists of: name -> shape. */
function shapesOf(kinds, found = new Map()) {
  for (const kind of kinds) {
    shapesOf(partsOf(kind), found);
    const name = nameOf(kind);
    if (name) found.set(name, kind.shape);
  }
  return found;
}

/** These kinds and all that they consist of. */
const withParts = (kinds) => kinds.flatMap((kind) => [kind, ...withParts(partsOf(kind))]);

const valuesOf = (kind) => kind.field?.values ?? kind.values;
/** Whether a member or an option can be left out. */
const isOptional = (kind) => kind.default !== undefined || kind.field?.absent !== undefined;

module.exports = {
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
};
