/** The part of docs/lab/selection-evidence.md that direction.mjs measures. */
import * as fs from 'node:fs';
import { evidencePage, measuredOn, part, partOf, writtenPage } from './parts.mjs';

export const DIRECTION = 'the task with distractors';

const percent = (v) => `${(100 * v).toFixed(1)} %`;

export function directionPart(report) {
  const { clips, heldOut, epochs, rows } = report;
  const lines = rows.map(({ energy, k, share, accuracies }) => {
    const mean = accuracies.reduce((a, b) => a + b) / accuracies.length;
    return `| ${energy} | ${k} (${percent(share)}) | ${percent(mean)} | ${accuracies.map(percent).join(', ')} |`;
  });
  return part(
    DIRECTION,
    `## A task that needs the right patches

In which direction does the red square move? Beside it two squares of other colours move in directions of their
own, one flickers where it stands, a red one stands still, and the sensor has noise. H.264 in MP4, 64x64,
48 frames, of which 8 are sampled: 512 patches. A small model (examples/train-tfjs.ts has the same) is trained on ${clips} clips
for ${epochs} epochs; the share of ${heldOut} others that it gets right, of three seeds. One direction in four is 25 %.
*random* are as many patches chosen by chance.

\`\`\`
node bench/selection/direction.mjs [--write]
\`\`\`

| energy | patches | right | each seed |
| --- | --- | --- | --- |
${lines.join('\n')}

${measuredOn(report)}`,
  );
}

export function writeDirection(report) {
  const page = writtenPage();
  const old = partOf(page, DIRECTION);
  if (!page.includes(old)) throw new Error(`Expected a part "${DIRECTION}" in ${evidencePage}`);
  fs.writeFileSync(
    evidencePage,
    page.replace(old, () => directionPart(report)),
  );
}
