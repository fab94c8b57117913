/** Single values of a processor's file, checked as they are read. */
import { checkInteger, checkNumber, invalid } from '../support/is.js';
import { isObject } from './define.js';
import type { Json } from './config-files.js';

const MOST_PIXELS = 2 ** 31 - 1;

export function flag(file: Json, key: string, unless: boolean): boolean {
  const value = file[key];
  if (value === undefined) return unless;
  if (typeof value !== 'boolean') throw invalid(key, 'boolean', value);
  return value;
}

export const integerOf = (file: Json, key: string, most = MOST_PIXELS): number | undefined =>
  file[key] === undefined ? undefined : checkInteger(key, file[key], 1, most);

export const numberOf = (file: Json, key: string): number | undefined =>
  file[key] === undefined
    ? undefined
    : checkNumber(key, file[key], Number.MIN_VALUE, Number.MAX_VALUE);

/** image_mean and image_std: one number or three. */
export function channels(
  file: Json,
  key: string,
): number | readonly [number, number, number] | undefined {
  const value = file[key];
  if (value === undefined) return undefined;
  if (typeof value === 'number') return checkNumber(key, value, -1e6, 1e6);
  if (!Array.isArray(value) || value.length !== 3) throw invalid(key, 'three numbers', value);
  const [a, b, c] = Array.from(value as unknown[], (v, i) =>
    checkNumber(`${key}[${i}]`, v, -1e6, 1e6),
  );
  return [a as number, b as number, c as number];
}

/** `size`, `crop_size` and the like in the forms that files have. */
export type SizeValue =
  | { readonly form: 'number'; readonly side: number }
  | { readonly form: 'sides'; readonly height: number; readonly width: number }
  | { readonly form: 'edges'; readonly shortest?: number; readonly longest?: number };

export function sizeValue(key: string, value: unknown): SizeValue | undefined {
  if (value === undefined || value === null) return undefined;
  const expected =
    'a number, { height, width }, { shortest_edge }, { longest_edge }, or both of these';
  if (typeof value === 'number') {
    return { form: 'number', side: checkInteger(key, value, 1, MOST_PIXELS) };
  }
  if (!isObject(value)) throw invalid(key, expected, value);
  const given = Object.entries(value).filter(([, v]) => v !== null && v !== undefined);
  const names = given.map(([name]) => name).sort();
  const side = (name: string): number =>
    checkInteger(`${key}.${name}`, value[name], 1, MOST_PIXELS);
  const has = (...wanted: string[]): boolean =>
    names.length === wanted.length && wanted.every((name, i) => names[i] === name);
  if (has('height', 'width')) {
    return { form: 'sides', height: side('height'), width: side('width') };
  }
  if (has('longest_edge', 'shortest_edge')) {
    return { form: 'edges', shortest: side('shortest_edge'), longest: side('longest_edge') };
  }
  if (has('shortest_edge')) return { form: 'edges', shortest: side('shortest_edge') };
  if (has('longest_edge')) return { form: 'edges', longest: side('longest_edge') };
  throw invalid(key, expected, value);
}

/** Pillow's numbers for its filters. */
const FILTERS = { 1: 'lanczos', 2: 'bilinear', 3: 'bicubic', 4: 'area' } as const;

export function resampleOf(file: Json): (typeof FILTERS)[keyof typeof FILTERS] | undefined {
  const value = file.resample;
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Object.hasOwn(FILTERS, value)) {
    const expected = '1 (Lanczos), 2 (bilinear), 3 (bicubic) or 4 (box), as Pillow numbers them,';
    throw invalid('resample', expected, value);
  }
  return FILTERS[value as keyof typeof FILTERS];
}
