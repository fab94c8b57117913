/**
 * Every option: name, type, default, range, meaning, and which of the addon's records carries it.
 * The only place that knows them; the files of schema/ are its parts.
 *
 * `node scripts/gen-options.cjs` makes everything else of it: the public interfaces (config.ts), the
 * records (record-types.ts, native/core/option_values.h and option_records.h: structs, enumerations with their
 * spellings, ranges), docs/options.md, the table of docs/performance.md and the defaults of native tests. A test
 * fails when one is out of date. records.ts turns what a caller passes into the records.
 *
 * A value may consist of others (structures.ts), and an option may be another one in each of the
 * functions (perCall): all that is generated and checked follows.
 */
import type { Api, OptionSpec, PerCall, RecordName } from './kinds.js';
import { DECODING } from './schema/decoding.js';
import { LIMITS } from './schema/limits.js';
import { PATCHES } from './schema/patches.js';
import { PIXELS } from './schema/pixels.js';
import { SAMPLING } from './schema/sampling.js';
import { SELECTION } from './schema/selection.js';

export const OPTIONS = {
  ...DECODING,
  ...SAMPLING,
  ...PIXELS,
  ...SELECTION,
  ...PATCHES,
  ...LIMITS,
} as const;

/** The same by what they are about. */
export const GROUPS = {
  sampling: SAMPLING,
  patches: { ...SELECTION, ...PATCHES },
  pixels: PIXELS,
  decoding: DECODING,
  limits: LIMITS,
} as const;

export type OptionName = keyof typeof OPTIONS;

/** What holds for an option in a call of `api`. */
export function specOf(name: OptionName, api: Api): OptionSpec<unknown> {
  const spec = OPTIONS[name] as OptionSpec<unknown> & Partial<PerCall<unknown, unknown>>;
  return spec.per ? spec.per[api] : spec;
}

/** The addon's records: what each is for. A call hands each level of the addon those that it needs. */
export const RECORDS: Readonly<Record<RecordName, string>> = {
  source: 'What opening and decoding a video needs.',
  sampling: 'Which frames are wanted.',
  devices: 'Where decoding and all after it run.',
  call: 'What holds for a call as a whole.',
  patch: 'What becomes of the frames in patchStream.',
  frame: 'What becomes of the frames in decodeOnly.',
};

/** The records of a call, in the order in which the addon reads them. */
export const CALLS = {
  decodeOnly: ['source', 'sampling', 'devices', 'call', 'frame'],
  patchStream: ['source', 'sampling', 'devices', 'call', 'patch'],
} as const satisfies Record<Api, readonly RecordName[]>;

/** The options that `api` takes, in the order of the schema. */
export function optionNames(api: Api): OptionName[] {
  return (Object.keys(OPTIONS) as OptionName[]).filter((name) =>
    specOf(name, api).apis.includes(api),
  );
}
