/** docs/lab/selection-evidence.md, of what run.mjs measured. */
import { FORMS } from './oracle.mjs';
import { DIRECTION, FLAT, LENGTHS, TIMES, WHY, measuredOn, partOf, writtenPage } from './parts.mjs';
import {
  clipTable,
  flatTable,
  gapTable,
  kindTable,
  meansTable,
  moving,
  ofLength,
  otherTable,
} from './tables.mjs';

export function pageOf(report) {
  const still = report.results.filter((r) => r.mostResidual < 1).map((r) => r.clip);
  const counts = report.lengths.map((s) => moving(ofLength(report, s)).results.length);
  return `# How good the energies are

An energy is good when the patches it chooses hold what happens in the video. A codec has to know that: it spends
its bits there. So each clip is encoded once more by x264 with one reference and no B pictures, and its own
motion vectors and residuals are taken as the measure.

![Share of the codec's effort that the chosen patches hold](../images/selection-evidence.svg)

\`\`\`
node bench/selection/run.mjs [--videos FOLDER] [--seconds 8,32] [--write]
\`\`\`

makes this page. The clips are made by recipe (bench/selection/clips.mjs): what videos consist of, each by itself, ${report.lengths.join(' and ')} s long.

## What is measured

16 frames of each clip, spread over it: ${report.lengths.map((s) => (s / 16).toFixed(1)).join(' and ')} s apart in the clips by recipe. On cells of 4x4 samples: the length of the codec's motion vectors, in samples, and what
the luma differs from the cell that these predict, in whole levels. A key picture of the encoder has none of both, every 16th picture. All
of it is what energy 'codec' sees in such a stream. The measure is the mean of the two maps, of a patch the mean over what it covers.

| measure | of what |
| --- | --- |
| frame | the sampled frame alone; each map divided by its 95th percentile, at least a quarter of a sample and one level, and cut at 1 |
| interval | the sum of all frames since the last sampled one, then the same |
| raw | the same sum in samples and levels, not divided: what a codec spends |

The captured share is the measure's sum over the patches that an energy ranks highest, divided by the sum over the measure's
own best patches. 1 is perfect. The first frame, which nothing comes before, is left out, and so are clips in which
the residual of no patch adds up to one level${still.length > 0 ? ` (${still.join(', ')})` : ''}. Ranks are Spearman's correlation
over all patches. *whole video*: energyScope 'video'. *By chance*: what patches drawn at random hold in the mean.

${partOf(writtenPage(), LENGTHS)}

## Captured share

Means over ${counts.join(' and ')} clips, for 6, 12.5 and 25 % of the patches.

${meansTable(report)}

## How much of what 'block' leaves

(captured − captured of 'block') / (1 − captured of 'block'), of the means above, at 12.5 %. The design's text can be read in other
ways, so here are these, too. *Not cut*: what lies above a percentile counts in full, and 'raw' is divided by the percentiles of the
whole clip; a strip of new picture at the edge of a pan then counts twenty times as much as what moves. *Fractions of levels*: the
residual is a mean of differences of samples, predicted bilinearly, so that the encoder's rounding counts; a key picture takes the maps
of the picture before it. *Both*: as this page had it at first.

${gapTable(report)}

${partOf(writtenPage(), WHY)}

## By kind of clip

What happens between sampled frames, at 12.5 %.

${kindTable(report)}

## Ranks, and where the budget goes

Of an eighth of the patches: *flat* is the share whose luma differs by at most 8 (clips with noise left out), *flat throughout* the share whose
luma does so over all frames since the sampled one before, *no energy* the share that scores 0 and is taken because nothing else is left, *flat, of the others* is what is flat of those that score more. *bars* and *subtitles*: the
share that lies there.

${otherTable(report)}

Clip by clip: flat / flat throughout / no energy / flat of the others, in per cent.

${flatTable(report)}

${partOf(writtenPage(), FLAT)}

${partOf(writtenPage(), TIMES)}

${partOf(writtenPage(), DIRECTION)}

${FORMS.map((form) => `## Clip by clip, 12.5 %, measure '${form}'\n\n${clipTable(report, form)}`).join('\n\n')}

${measuredOn(report)}
`;
}
