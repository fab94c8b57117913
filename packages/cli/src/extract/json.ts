/** KEY.json, and JSON whose text is the same whatever the order in which an object was made. */
import type { Json, SampleFacts, VideoRow } from './shards.js';

/** With a point in every number: readers infer types from the first few samples. */
function seconds(value: number): string {
  const text = String(value);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

const object = (members: readonly (readonly [string, string])[]): string =>
  `{${members.map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(',')}}`;

const TIMES = ['seconds', 'stepSeconds'];

/** What a reader of shards gets beside the tensors; `files`: where those of the video are, of a layout. */
export function sampleJson(row: VideoRow, facts: SampleFacts, files?: string): string {
  const { index, path, fromSec, toSec, columns } = row;
  const video = Object.entries(facts).map(([name, value]): [string, string] => [
    name,
    TIMES.includes(name)
      ? `[${(value as readonly number[]).map(seconds).join(',')}]`
      : JSON.stringify(value),
  ]);
  const time = (value: number | null): string => (value === null ? 'null' : seconds(value));
  return object([
    ['index', String(index)],
    ['path', JSON.stringify(path)],
    ...(fromSec === undefined ? [] : [['fromSec', time(fromSec)] as const]),
    ...(toSec === undefined ? [] : [['toSec', time(toSec)] as const]),
    ...Object.entries(columns).map(([name, value]) => [name, JSON.stringify(value)] as const),
    ...(files === undefined ? [] : [['files', JSON.stringify(files)] as const]),
    ['video', object(video)],
  ]);
}

/** JSON with the keys of objects in order, for comparing and hashing. */
export function ordered(value: Json | undefined): string {
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map(ordered).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null);
  const entries = Object.entries(value).filter(([, one]) => (one as unknown) !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return object(entries.map(([name, one]) => [name, ordered(one)]));
}
