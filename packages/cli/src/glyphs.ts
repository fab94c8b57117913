/** A font of 3 × 5 pixels for the labels of the pictures: figures and the few letters they need. */
import type { Picture, Rgb } from './picture.js';

const GLYPHS: Readonly<Record<string, string>> = {
  '0': '111 101 101 101 111',
  '1': '010 110 010 010 111',
  '2': '111 001 111 100 111',
  '3': '111 001 111 001 111',
  '4': '101 101 111 001 001',
  '5': '111 100 111 001 111',
  '6': '111 100 111 101 111',
  '7': '111 001 010 010 010',
  '8': '111 101 111 101 111',
  '9': '111 101 111 001 111',
  '.': '000 000 000 000 010',
  '/': '001 001 010 100 100',
  '#': '101 111 101 111 101',
  '%': '101 001 010 100 101',
  I: '111 010 010 010 111',
  s: '000 011 110 011 110',
};

export function textHeight(scale: number): number {
  return 5 * scale;
}

/** Draws what GLYPHS knows; other characters leave a gap. */
export function drawText(
  target: Picture,
  text: string,
  left: number,
  top: number,
  scale: number,
  colour: Rgb,
): void {
  [...text].forEach((letter, i) => {
    GLYPHS[letter]?.split(' ').forEach((row, y) => {
      [...row].forEach((dot, x) => {
        if (dot !== '1') return;
        for (let dy = 0; dy < scale; dy++) {
          for (let dx = 0; dx < scale; dx++) {
            const px = left + (i * 4 + x) * scale + dx;
            const py = top + y * scale + dy;
            if (px >= target.width || py >= target.height) continue;
            target.data.set(colour, (py * target.width + px) * 3);
          }
        }
      });
    });
  });
}
