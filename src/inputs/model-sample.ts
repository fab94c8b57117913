/** Rules of models that pick frames by time, where no rule of option `sample` does. */
import { checkInteger, checkNumber, invalid } from '../support/is.js';
import { linspace } from './spread.js';
import type { ModelSample } from './types.js';

const RULES: Readonly<Record<ModelSample['as'], readonly string[]>> = {
  'glm-4v': ['as', 'fps', 'maxSeconds'],
  'glm-4.6v': ['as', 'framesPerStep'],
};

export const isModelSample = (sample: unknown): sample is ModelSample =>
  typeof sample === 'object' && sample !== null && 'as' in sample;

export function checkModelSample(at: string, sample: ModelSample): void {
  const { as } = sample;
  const names = Object.keys(RULES).map((name) => `'${name}'`);
  if (typeof as !== 'string' || !Object.hasOwn(RULES, as)) {
    throw invalid(`${at}.as`, names.join(' or '), as);
  }
  const other = Object.keys(sample).find((key) => !RULES[as].includes(key));
  if (other !== undefined) {
    const given = (sample as Readonly<Record<string, unknown>>)[other];
    throw invalid(`${at}.${other}`, `no such key (${RULES[as].join(', ')})`, given);
  }
  if (sample.as === 'glm-4v') {
    const { fps = 2, maxSeconds = 300 } = sample;
    checkNumber(`${at}.fps`, fps, Number.MIN_VALUE, 1e6);
    checkNumber(`${at}.maxSeconds`, maxSeconds, Number.MIN_VALUE, 1e6);
  } else {
    const { framesPerStep = 2 } = sample;
    checkInteger(`${at}.framesPerStep`, framesPerStep, 1, 1024);
  }
}

/** Each once, then the last one again where their number is odd. */
function evenly(ids: readonly number[]): number[] {
  const once = [...new Set(ids)];
  const last = once.at(-1);
  if (once.length % 2 === 1 && last !== undefined) once.push(last);
  return once;
}

const count = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** The frame at or after each of the times i / fps. */
function glm4v(frames: number, rate: number, fps: number, maxSeconds: number): number[] {
  const duration = frames / rate;
  const at = (seconds: number): number => Math.min(frames - 1, Math.ceil(seconds));
  if (duration <= maxSeconds) {
    const n = Math.max(1, Math.floor(duration * fps));
    return evenly(count(n).map((i) => at((i * rate) / fps)));
  }
  const n = Math.trunc(maxSeconds * fps);
  if (n >= frames) return evenly(count(frames));
  // numpy's linspace(0, duration, n)
  const step = n > 1 ? duration / (n - 1) : 0;
  return evenly(count(n).map((i) => at((n > 1 && i === n - 1 ? duration : i * step) * rate)));
}

/** Seconds up to which so many temporal patches a second are taken. */
const GLM_46_RATES = [
  [30, 3],
  [300, 1],
  [2400, 0.5],
] as const;
const GLM_46_MOST = 640;

function glm46v(frames: number, rate: number, perStep: number): number[] {
  const duration = frames / rate;
  const seconds = Math.min(duration, 2400);
  const fps = (GLM_46_RATES.find(([below]) => seconds <= below) ?? GLM_46_RATES[2])[1];
  const wanted = Math.min(Math.trunc(seconds * fps * perStep), GLM_46_MOST);
  const within = (from: number, to: number): number[] => linspace(from, to, wanted);
  let ids: number[] = [];
  if (frames < wanted) {
    ids = within(0, frames - 1);
  } else {
    const each = 1 / rate;
    const step = 1 / (perStep * fps);
    const end = Math.trunc(duration);
    for (let id = 0, next = 0; id < frames; id++) {
      if (id * each < next) continue;
      next += step;
      ids.push(id);
      if (next >= end) break;
    }
  }
  if (ids.length < wanted) {
    ids = ids.length > 0 ? within(ids[0] as number, ids.at(-1) as number) : within(0, frames - 1);
  } else if (ids.length > wanted) {
    ids = within(0, frames - 1);
  }
  return evenly(ids);
}

/** The display indices that a rule gives of a video of so many frames, `rate` a second. */
export function modelSampleIds(sample: ModelSample, frames: number, rate: number): number[] {
  if (sample.as === 'glm-4v') return glm4v(frames, rate, sample.fps ?? 2, sample.maxSeconds ?? 300);
  return glm46v(frames, rate, sample.framesPerStep ?? 2);
}
