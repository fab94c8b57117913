/** The options as data, for programs that offer them to people: command lines, forms, documentation. */
import type { Api, OptionSpec } from './kinds.js';
import { GROUPS, optionNames, specOf } from './schema.js';
import type { OptionName } from './schema.js';

/** One option of decodeOnly or patchStream. */
export interface OptionInfo {
  /** Its key in the object that the function takes, e.g. 'kKeep'. */
  readonly name: string;
  /** What it is about, e.g. 'sampling'; options of one group follow one another. */
  readonly group: string;
  /** 'other': objects, lists, several forms; `expected` says which. */
  readonly kind: 'boolean' | 'integer' | 'number' | 'choice' | 'string' | 'other';
  /** Of a choice: every spelling that is accepted. */
  readonly choices?: readonly string[];
  /** What is accepted, as errors say it, e.g. 'integer between 1 and 1024'. */
  readonly expected: string;
  /** The default as text; absent where there is none. */
  readonly default?: string;
  /** What it means. */
  readonly doc: string;
  /** What turning it changes in speed, memory or result. */
  readonly impact?: string;
}

function kindOf({ type, expected, values, range, shape }: OptionSpec<unknown>): OptionInfo['kind'] {
  if (shape !== undefined) return 'other';
  if (values !== undefined) return 'choice';
  if (range !== undefined) return expected.startsWith('integer') ? 'integer' : 'number';
  return type === 'boolean' || type === 'string' ? type : 'other';
}

function defaultOf({ default: value, defaultText }: OptionSpec<unknown>): string | undefined {
  if (defaultText !== undefined)
    return defaultText === 'none' ? undefined : defaultText.replace(/^'(.*)'$/, '$1');
  const plain = ['string', 'number', 'boolean'].includes(typeof value);
  return plain ? String(value) : undefined;
}

const groupOf = (name: OptionName): string =>
  Object.entries(GROUPS).find(([, options]) => Object.hasOwn(options, name))?.[0] ?? 'other';

/**
 * Every option of decodeOnly or patchStream: what its name is, what it accepts, its default, what it
 * means. Checks of values are those of the functions themselves (checkDecodeOnlyOptions,
 * checkPatchStreamOptions).
 */
export function describeOptions(api: Api): readonly OptionInfo[] {
  return optionNames(api).map((name) => {
    const spec = specOf(name, api);
    const { values, aliases, impact } = spec;
    const fallback = defaultOf(spec);
    return Object.freeze({
      name,
      group: groupOf(name),
      kind: kindOf(spec),
      ...(values && { choices: [...values, ...Object.keys(aliases ?? {})] }),
      expected: spec.expected,
      ...(fallback !== undefined && { default: fallback }),
      doc: spec.doc,
      ...(impact !== undefined && { impact }),
    });
  });
}
