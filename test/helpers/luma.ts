/** Luma of clips as ffmpeg's own frames have it. */
import { displaySize, rawVideo } from './ffmpeg.js';
import type { Fixture } from './fixtures.js';
import type { LumaFrame } from './naive.js';

// A local: jest looks globals up through an interceptor, slow in a loop over samples.
const { floor } = Math;

/** How to get one luma sample per pixel out of ffmpeg without any arithmetic on its side. */
function lumaFormat(clip: Fixture): { pixFmt: string; bits: number; rgb: boolean } {
  const { pixFmt } = clip;
  const bits = Number(/(?:p|gray)(\d\d)/.exec(pixFmt)?.[1] ?? 8);
  if (clip.features.includes('rgb')) {
    return bits > 8
      ? { pixFmt: 'gbrp10le', bits, rgb: true }
      : { pixFmt: 'rgb24', bits, rgb: true };
  }
  // Bits have no luma: black and white are colours.
  if (clip.features.includes('mono')) return { pixFmt: 'rgb24', bits: 8, rgb: true };
  // Packed and half-planar layouts are only reordered by this.
  return { pixFmt: pixFmt === 'uyvy422' ? 'yuv422p' : pixFmt, bits, rgb: false };
}

/** The luma of any frame of the clip by display index; the clip is decoded here, once. */
export function lumaFrames(clip: Fixture): (index: number) => LumaFrame {
  const { width, height } = displaySize(clip);
  const { pixFmt, bits, rgb } = lumaFormat(clip);
  const raw = rawVideo(clip, pixFmt);
  expect(raw.length % clip.frames).toBe(0);
  const frameBytes = raw.length / clip.frames;
  const pixels = width * height;
  return (index) => {
    const bytes = raw.subarray(index * frameBytes, (index + 1) * frameBytes);
    const wide = (plane: number): Uint16Array =>
      Uint16Array.from({ length: pixels }, (_, i) => bytes.readUInt16LE((plane * pixels + i) * 2));
    if (!rgb)
      return { width, height, samples: bits > 8 ? wide(0) : bytes.subarray(0, pixels), bits };
    // BT.601 weights, rounded.
    const [g, b, r] = bits > 8 ? [wide(0), wide(1), wide(2)] : [];
    const channel = (i: number, c: number): number =>
      bits > 8 ? ([r, g, b][c]?.[i] ?? 0) : (bytes[i * 3 + c] ?? 0);
    const samples = Uint16Array.from({ length: pixels }, (_, i) =>
      floor((299 * channel(i, 0) + 587 * channel(i, 1) + 114 * channel(i, 2) + 500) / 1000),
    );
    return { width, height, samples, bits };
  };
}
