/**
 * Kinds of value that consist of others: objects, one of several forms, lists. Each checks what a
 * caller wrote and makes the record of it that the addon takes; the types of both, and the addon's
 * structs with their ranges, are generated (scripts/gen-options.cjs).
 */
import { invalid, nearestName } from '../support/is.js';
import type { Kind, MemberText, OptionSpec, OptionText, WithDefault } from './kinds.js';

// Plain unions of objects accept mixtures of them; OneOf refuses those in the types, too.
type Keys<T> = T extends unknown ? keyof T : never;
/** A union of object types of which a value is exactly one: mixtures are refused by the types, too. */
export type OneOf<U, A = U> = U extends unknown
  ? U & { readonly [K in Exclude<Keys<A>, keyof U>]?: never }
  : never;

type Members = Readonly<Record<string, Kind<unknown>>>;

/** What a text says besides: `default` is in the words of a caller, and is checked like theirs. */
interface Written {
  readonly default?: unknown;
  /** In place of what is made of the parts. */
  readonly expected?: string;
}
type OptionWritten = Omit<OptionText, 'default'> & Written;
type MemberWritten = Omit<MemberText<unknown>, 'default'> & Written;

/** The kind of a text: with `default` checked, and with what it expects. */
function kindOf<T>(
  { default: written, ...rest }: OptionWritten | MemberWritten,
  kind: Omit<Kind<T>, 'default'>,
): Kind<T> {
  const checked = written === undefined ? undefined : kind.parse('default', written);
  return { ...kind, ...rest, default: checked };
}

/** Whether a member or an option can be left out. */
export const isOptional = ({ default: value, field }: Kind<unknown>): boolean =>
  value !== undefined || field?.absent !== undefined;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * An object with these members. Its record has all of them: what is left out is the member's default,
 * or what its `field.absent` says. `name` is that of the generated types: `name` for callers,
 * `${name}Record`, and `name` in C++.
 */
export function structure<T = object>(
  name: string,
  members: Members,
  text: OptionWritten & { readonly default: unknown },
): WithDefault<T>;
export function structure<T = object>(
  name: string,
  members: Members,
  text: OptionWritten,
): OptionSpec<T>;
export function structure<T = object>(
  name: string,
  members: Members,
  text?: MemberWritten,
): Kind<T>;
export function structure<T = object>(
  name: string,
  members: Members,
  text: OptionWritten | MemberWritten = {},
): Kind<T> {
  const keys = Object.entries(members).map(([key, kind]) => `${key}${isOptional(kind) ? '?' : ''}`);
  const expected = text.expected ?? `{ ${keys.join(', ')} }`;
  return kindOf<T>(text, {
    type: name,
    expected,
    shape: { structure: name, members },
    parse: (at, value) => {
      if (!isObject(value)) throw invalid(at, expected, value);
      for (const key of Object.keys(value)) {
        if (Object.hasOwn(members, key)) continue;
        const nearest = nearestName(key, Object.keys(members));
        const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`;
        throw invalid(`${at}.${key}`, `no such key (${expected})`, value[key], hint);
      }
      const record = Object.entries(members).map(([key, kind]) => {
        const given = value[key];
        if (given !== undefined) return [key, kind.parse(`${at}.${key}`, given)] as const;
        if (!isOptional(kind)) throw invalid(`${at}.${key}`, kind.expected, given);
        return [key, kind.default ?? kind.field?.absent] as const;
      });
      return Object.freeze(Object.fromEntries(record)) as T;
    },
  });
}

/** Whether a value is meant as this alternative; an object is by the key that bears its name. */
function isMeantAs(name: string, { shape, range, values }: Kind<unknown>, value: unknown): boolean {
  if (shape !== undefined && 'list' in shape) return Array.isArray(value);
  if (shape !== undefined) return isObject(value) && value[name] !== undefined;
  if (range !== undefined) return typeof value === 'number';
  return typeof value === (values === undefined ? 'boolean' : 'string');
}

/** The record of a union: which of its alternatives was given, and the record of that. */
export interface UnionRecord {
  readonly kind: string;
  readonly value: unknown;
}

/**
 * One of several forms: a number, a string, a list (one of each), or objects that are told apart by a
 * key of their own, which is the name of the alternative. Mixtures are refused.
 */
export function union<T = UnionRecord>(
  name: string,
  alternatives: Members,
  text: OptionWritten & { readonly default: unknown },
): WithDefault<T>;
export function union<T = UnionRecord>(
  name: string,
  alternatives: Members,
  text: OptionWritten,
): OptionSpec<T>;
export function union<T = UnionRecord>(
  name: string,
  alternatives: Members,
  text?: MemberWritten,
): Kind<T>;
export function union<T = UnionRecord>(
  name: string,
  alternatives: Members,
  text: OptionWritten | MemberWritten = {},
): Kind<T> {
  const all = Object.entries(alternatives);
  const expected = text.expected ?? all.map(([, kind]) => kind.expected).join(' or ');
  return kindOf<T>(text, {
    type: name,
    expected,
    shape: { union: name, alternatives },
    parse: (at, value) => {
      const meant = all.filter(([kind, spec]) => isMeantAs(kind, spec, value));
      const [first, second] = meant;
      if (first === undefined) throw invalid(at, expected, value);
      if (second !== undefined) {
        const names = meant.map(([kind]) => kind).join(' and ');
        throw invalid(at, expected, value, `, which has ${names} at once`);
      }
      const [kind, spec] = first;
      return Object.freeze({ kind, value: spec.parse(at, value) }) as T;
    },
  });
}

interface Length {
  /** How many there may be; 1 to a million unless given. */
  readonly least?: number;
  readonly most?: number;
}

/** A list of values of one kind. */
export function listOf<T>(item: Kind<T>, text: Length & MemberWritten = {}): Kind<readonly T[]> {
  const { least = 1, most = 1_000_000, ...rest } = text;
  const expected = text.expected ?? `array of ${least} to ${most} (${item.expected})`;
  return kindOf<readonly T[]>(rest, {
    type: `readonly (${item.type})[]`,
    expected,
    shape: { list: item },
    parse: (at, value) => {
      if (!Array.isArray(value) || value.length < least || value.length > most) {
        throw invalid(at, expected, value);
      }
      // By index: what is missing in the list is a value that is not right.
      const items = Array.from(value as unknown[], (one, i) => item.parse(`${at}[${i}]`, one));
      return Object.freeze(items);
    },
  });
}

/** Values in a fixed order, written as an array: `[1.5, 8]`. Its record is a structure. */
export function tuple<T = object>(
  name: string,
  members: Members,
  text: MemberWritten = {},
): Kind<T> {
  const keys = Object.keys(members);
  const expected = text.expected ?? `[${keys.join(', ')}]`;
  const inner = structure<T>(name, members, { ...text, expected });
  const types = keys.map((key) => `${key}: ${members[key]?.type ?? 'never'}`);
  return {
    ...inner,
    type: `readonly [${types.join(', ')}]`,
    parse: (at, value) => {
      if (!Array.isArray(value) || value.length !== keys.length) throw invalid(at, expected, value);
      return inner.parse(at, Object.fromEntries(keys.map((key, i) => [key, value[i] as unknown])));
    },
  };
}
