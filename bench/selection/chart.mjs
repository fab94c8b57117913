/** The chart of docs/lab/selection-evidence.md. */
import { FORMS } from './oracle.mjs';
import { energiesOf, moving, ofLength, over } from './tables.mjs';

const escape = (text) => `${text}`.replace(/[<>&]/g, (c) => `&#${c.charCodeAt(0)};`);
const COLOURS = ['#4c72b0', '#dd8452', '#55a868', '#8c8c8c', '#c44e52', '#8172b3', '#937860'];

/** Bars: an energy each, in a group for each measure, at 12.5 %. */
export function chartOf(all) {
  const seconds = Math.max(...all.lengths);
  const report = moving(ofLength(all, seconds));
  const energies = energiesOf(report);
  const middle = report.shares.indexOf(0.125);
  const [width, height, left, top, bottom] = [720, 300, 48, 40, 34];
  const plot = { w: width - left - 190, h: height - top - bottom };
  const group = plot.w / FORMS.length;
  const bar = (group * 0.82) / energies.length;
  const y = (v) => top + plot.h * (1 - v);
  const out = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
      'font-family="sans-serif" font-size="12" fill="#555">',
    '<rect width="100%" height="100%" fill="#fff"/>',
    `<text x="${left}" y="20" font-size="14" fill="#222">Captured share at 12.5 % of the patches, clips of ${seconds} s</text>`,
  ];
  for (const v of [0, 0.2, 0.4, 0.6, 0.8, 1]) {
    out.push(`<path d="M${left} ${y(v)}H${left + plot.w}" stroke="#e5e5e5"/>`);
    out.push(`<text x="${left - 6}" y="${y(v) + 4}" text-anchor="end">${v}</text>`);
  }
  FORMS.forEach((form, f) => {
    const from = left + f * group + group * 0.09;
    energies.forEach((energy, e) => {
      const v = over(report, energy, (one) => one.captured[form][middle]) ?? 0;
      const at = [from + e * bar, y(v), bar - 2, plot.h * v].map((n) => n.toFixed(1));
      out.push(
        `<rect x="${at[0]}" y="${at[1]}" width="${at[2]}" height="${at[3]}" fill="${COLOURS[e % COLOURS.length]}"/>`,
      );
    });
    out.push(
      `<text x="${(left + (f + 0.5) * group).toFixed(1)}" y="${height - 12}" text-anchor="middle">${form}</text>`,
    );
  });
  energies.forEach((energy, e) => {
    const at = top + 12 + e * 20;
    out.push(
      `<rect x="${left + plot.w + 16}" y="${at - 10}" width="12" height="12" fill="${COLOURS[e % COLOURS.length]}"/>`,
    );
    out.push(`<text x="${left + plot.w + 34}" y="${at}">${escape(energy)}</text>`);
  });
  return `${out.join('\n')}\n</svg>\n`;
}
