/** Options that can be obeyed and are hardly meant: the result says so in its notes. */
import type { NativeSampleInfo } from '../native/binding.js';
import type { PatchRecord, SamplingRecord } from '../options/record-types.js';
import type { ResultNote } from './notes.js';

/** Twice as many frames as there are: models ask for somewhat more than short videos have every day. */
const MANY = 2;

/** Of a rule that counts frames; whoever lists indices or times knows what they repeat. */
export function repeatedFrames(
  { sample }: SamplingRecord,
  { sampledFrameIds, replacedFrames }: NativeSampleInfo,
): ResultNote[] {
  if (sample.kind === 'indices' || sample.kind === 'timesSec') return [];
  const distinct = new Set(sampledFrameIds).size;
  const asked = sampledFrameIds.length;
  if (distinct * MANY >= asked || replacedFrames.length > 0) return [];
  const there = distinct === 1 ? 'there is 1: it' : `there are ${distinct}: each`;
  const message =
    `${asked} frames were asked for and ${there} stands there about ` +
    `${Math.round(asked / distinct)} times. sample with short: 'all' takes each once.`;
  return [{ code: 'repeated-frames', message }];
}

/** Of a patch that no frame of the video can hold. */
export function patchAboveFrame(
  { patchSize }: PatchRecord,
  { width, height }: NativeSampleInfo,
  target: { readonly width: number; readonly height: number },
): ResultNote[] {
  if (patchSize <= width && patchSize <= height) return [];
  const message =
    `A patch of ${patchSize}x${patchSize} pixels is larger than the frame of ${width}x${height}, which ` +
    `was enlarged to ${target.width}x${target.height} for it.`;
  return [{ code: 'patch-above-frame', message }];
}
