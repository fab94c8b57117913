/**
 * Options of the API as flags. They are made of what the package says of its options
 * (describeOptions), so an option that it gains is a flag without a line here.
 */
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { describeOptions } from 'codec-patch-stream';
import type { OptionInfo } from 'codec-patch-stream';

export type Api = 'decodeOnly' | 'patchStream';

/** Shorter names that the command has always had. */
const SHORT: Readonly<Record<string, string>> = {
  '--frames': 'sequenceLength',
  '--topk': 'kKeep',
  '--patch': 'patchSize',
  '--dtype': 'outputDtype',
};

/** What the command sets itself, or what means nothing for one call. */
const NOT_FLAGS = new Set(['videoPath', 'signal', 'prefetchDepth']);

const HEADINGS: Readonly<Record<string, string>> = {
  sampling: 'Which frames:',
  patches: 'Patches:',
  selection: 'Which patches:',
  pixels: 'Pixels:',
  decoding: 'Decoding:',
  limits: 'Limits:',
};

/** kKeep is --k-keep. */
export const flagOf = (name: string): string =>
  `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** The options of `api` that are flags. */
export function flagOptions(api: Api, without: readonly string[] = []): readonly OptionInfo[] {
  const order = Object.keys(HEADINGS);
  const place = (group: string): number =>
    order.includes(group) ? order.indexOf(group) : order.length;
  return describeOptions(api)
    .filter(({ name }) => !NOT_FLAGS.has(name) && !without.includes(name))
    .sort((a, b) => place(a.group) - place(b.group));
}

const known = (['patchStream', 'decodeOnly'] as const).flatMap((api) => describeOptions(api));
const names = new Map(known.map(({ name }) => [name, flagOf(name)]));
/** Options that are what another one is unless given: decodeBackend is backend. */
const parents = new Map(
  known.flatMap(({ name, default: other = '' }) => (names.has(other) ? [[name, other]] : [])),
);

/** How each option was written this time, for messages: --topk rather than --k-keep. */
const written = new Map<string, string>();

/** Arguments with each option under the one name that commander knows: --topk and --kKeep are --k-keep. */
export function canonical(args: readonly string[]): string[] {
  let ended = false;
  return args.map((argument) => {
    ended ||= argument === '--';
    const [, flag = '', rest = ''] = /^(--[A-Za-z][\w-]*)(=[^]*)?$/.exec(argument) ?? [];
    if (ended || flag === '') return argument;
    const name =
      SHORT[flag] ?? [...names].find(([key, own]) => own === flag || `--${key}` === flag)?.[0];
    if (name === undefined) return argument;
    written.set(name, flag);
    return flagOf(name) + rest;
  });
}

/** What a person typed for the option `name`. */
function typed(name: string): string {
  const parent = parents.get(name);
  return (
    written.get(name) ??
    (parent === undefined ? undefined : written.get(parent)) ??
    names.get(name) ??
    name
  );
}

/** A message of commander, which knows one name of each flag, with the names that were typed. */
export function asTyped(message: string): string {
  let text = message;
  for (const [name, flag] of written) {
    text = text.replaceAll(new RegExp(`${flagOf(name)}(?![\\w-])`, 'g'), flag);
  }
  return text;
}

/**
 * A message of the API for somebody at a command line: options are called by their flags. Names of one
 * word may be words of a sentence, so those count only where a message names an option.
 */
export function inFlags(message: string): string {
  let text = message.replace(
    /^(Expected [^]*? for )([A-Za-z]+)([\w.[\]]*)( but received| \()/,
    (whole, before: string, name: string, member: string, after: string) =>
      names.has(name) ? `${before}${typed(name)}${member}${after}` : whole,
  );
  for (const name of names.keys()) {
    const own = /[A-Z]/.test(name)
      ? new RegExp(`(?<![\\w.'/-])${name}(?![\\w'])`, 'g')
      : new RegExp(`(?<=beside )${name}\\b|(?<=\\(|option )${name}(?= is|[ ,;.:)] ?'|:)`, 'g');
    text = text.replace(own, typed(name));
  }
  return text;
}

/** Splits at commas that are in no brackets and in no quotes. */
function topLevelParts(text: string): string[] {
  const parts = [''];
  let depth = 0;
  let quote = '';
  for (const letter of text) {
    if (quote) quote = letter === quote ? '' : quote;
    else if (letter === "'" || letter === '"') quote = letter;
    else if ('[{'.includes(letter)) depth++;
    else if (']}'.includes(letter)) depth--;
    if (letter === ',' && depth === 0 && !quote) parts.push('');
    else parts[parts.length - 1] += letter;
  }
  return parts;
}

/**
 * JSON in which names and words need no quotes, and .5 is a number: { count: 8, place: linspace }. What has no
 * brackets and is no JSON is the text itself.
 */
function looseJson(text: string): unknown {
  const strict = text.replace(
    /"(?:[^"\\]|\\.)*"|'([^']*)'|[A-Za-z_][\w-]*|(?<![\w.])\.(?=\d)/g,
    (found, inner: string | undefined) => {
      if (found === '.') return '0.';
      if (found.startsWith('"') || /^(true|false|null)$/.test(found)) return found;
      return JSON.stringify(inner ?? found);
    },
  );
  try {
    return JSON.parse(strict) as unknown;
  } catch {
    if (!/^[[{]/.test(text)) return text;
    throw new InvalidArgumentError(`Expected JSON but received '${text}'.`);
  }
}

/** count=8,place=linspace as an object; a dot goes one level down: count.fps=1. */
function assignments(text: string): unknown {
  const root: Record<string, unknown> = {};
  for (const part of topLevelParts(text)) {
    const at = part.indexOf('=');
    const keys = part.slice(0, Math.max(0, at)).trim().split('.');
    if (at < 1 || keys.some((key) => !/^\w+$/.test(key))) {
      throw new InvalidArgumentError(`Expected key=value but received '${part}'.`);
    }
    let into = root;
    for (const key of keys.slice(0, -1)) {
      const next = into[key];
      into = (into[key] = typeof next === 'object' && next !== null ? next : {}) as typeof root;
    }
    into[keys.at(-1) as string] = looseJson(part.slice(at + 1).trim());
  }
  return root;
}

/** The value that a text stands for; whether it is a good one, the API says. */
export function valueOf({ kind, expected }: OptionInfo, text: string): unknown {
  switch (kind) {
    case 'integer':
    case 'number': {
      const value = Number(text);
      if (text.trim() === '' || !Number.isFinite(value)) {
        throw new InvalidArgumentError(`Expected ${expected}.`);
      }
      return value;
    }
    case 'other':
      return /^\s*[A-Za-z_][\w.]*\s*=/.test(text) ? assignments(text) : looseJson(text.trim());
    default:
      return text;
  }
}

const PLACEHOLDER = {
  integer: '<n>',
  number: '<number>',
  choice: '<name>',
  string: '<text>',
  other: '<value>',
} as const;

/** The first sentence: the pages have the rest. */
const brief = (doc: string): string => /^[^]*?[.](?=\s|$)/.exec(doc)?.[0] ?? doc;

function toOption(info: OptionInfo, preset: string | number | undefined): Option[] {
  const { name, kind, choices, group, doc } = info;
  const flag = flagOf(name);
  const short = Object.keys(SHORT).find((key) => SHORT[key] === name);
  const shown = preset ?? info.default;
  const notes = [
    ...(short === undefined ? [] : [`also ${short}`]),
    ...(kind === 'choice' || kind === 'boolean' ? [] : [info.expected]),
    ...(choices === undefined ? [] : [choices.join(', ')]),
    ...(shown === undefined || kind === 'boolean'
      ? []
      : [`default: ${names.get(String(shown)) ?? String(shown)}`]),
  ];
  const text = `${brief(doc)}${notes.length > 0 ? ` (${notes.join('; ')})` : ''}`;
  const heading = HEADINGS[group] ?? 'Other options:';
  if (kind === 'boolean') {
    const off = new Option(`--no-${flag.slice(2)}`).hideHelp();
    return [new Option(flag, text).helpGroup(heading), off];
  }
  const option = new Option(`${flag} ${PLACEHOLDER[kind]}`, text).helpGroup(heading);
  return [option.argParser((value: string) => valueOf(info, value))];
}

/** The flags of `api` on a command; `presets` are the command's own defaults, for its help. */
export function addFlags(
  command: Command,
  options: readonly OptionInfo[],
  presets: Readonly<Record<string, string | number>> = {},
): void {
  for (const info of options) {
    for (const option of toOption(info, presets[info.name])) command.addOption(option);
  }
}

/** Those of `options` that were given, as the API takes them. */
export function givenOf(command: Command, options: readonly OptionInfo[]): Record<string, unknown> {
  const values = command.opts<Record<string, unknown>>();
  const given = options.filter(({ name }) => command.getOptionValueSource(name) === 'cli');
  return Object.fromEntries(given.map(({ name }) => [name, values[name]]));
}
