/** Options of patchStream alone: how patches are made, scored and given. */
import { boolean, INT32_MAX, integer, number, oneOf, PATCHES_ONLY } from '../kinds.js';

/** Pixels on one side of the square whose area is the default of minPixels and maxPixels. */
const DEFAULT_INPUT_SIZE = 224;

export const PATCHES = {
  energy: oneOf(['block', 'adjacent', 'accumulated', 'codec', 'reference'], {
    apis: PATCHES_ONLY,
    record: 'patch',
    field: { enum: 'Energy' },
    default: 'block',
    doc:
      "How motion and residual are measured. 'block': block matching with the sampled frame before; " +
      "'adjacent': block matching down to single pixels with the frame that is shown just before, " +
      "which is decoded as well; 'accumulated': every change since the sampled frame before, so " +
      "that all frames in between are decoded; 'codec': the stream's own motion vectors, in streams whose " +
      "pictures refer only to the one before (docs/energies.md); 'reference': the arithmetic of the " +
      'Python original, for models prepared with it.',
    impact:
      "'adjacent' follows what a codec spends more closely; 'accumulated' sees what happens between " +
      "the sampled frames, at the price of decoding them all; 'reference' is several times slower " +
      'than block and noisier in flat areas.',
  }),
  energyScope: oneOf(['frame', 'video'], {
    apis: PATCHES_ONLY,
    record: 'patch',
    field: { enum: 'EnergyScope' },
    default: 'frame',
    doc:
      "Motion and residual are divided by percentiles: 'frame', each frame's own; 'video', those of " +
      'all sampled frames together, so that still frames get no share of their own. Not with energy ' +
      "'reference'.",
    impact:
      "'video' keeps the maps of all sampled frames until the last one is there (maxMemoryBytes).",
  }),
  intraEnergy: oneOf(['zero', 'texture'], {
    apis: PATCHES_ONLY,
    record: 'patch',
    field: { enum: 'IntraEnergy' },
    default: 'zero',
    doc:
      "How frames score that have no frame before them: 'zero', or 'texture', by how much " +
      "neighbouring cells differ. Not with energy 'reference'.",
  }),
  globalMotion: oneOf(['keep', 'subtract'], {
    apis: PATCHES_ONLY,
    record: 'patch',
    field: { enum: 'GlobalMotion' },
    default: 'keep',
    doc:
      "'subtract' subtracts the displacement that most blocks share (the camera's) from all of " +
      "them. Not with energies 'reference' and 'accumulated'.",
  }),
  maps: boolean({
    apis: PATCHES_ONLY,
    record: 'patch',
    default: false,
    doc:
      'Also gives what the energy saw in each frame, cell by cell, as `energyMaps`. Not with energy ' +
      "'reference'.",
    impact: "12 bytes per cell and frame (maxMemoryBytes); with 'adjacent' a cell is a pixel.",
  }),
  inputSize: integer({
    apis: PATCHES_ONLY,
    default: DEFAULT_INPUT_SIZE,
    min: 1,
    max: 16384,
    doc: 'Side in pixels of the square whose area frames are scaled to, keeping their shape.',
    impact: 'Patches per frame grow with its square.',
  }),
  minPixels: integer({
    apis: PATCHES_ONLY,
    record: 'patch',
    min: 1,
    max: INT32_MAX,
    defaultText: 'inputSize²',
    doc:
      'Frames with fewer pixels are scaled up to this area. An error above a given maxPixels; ' +
      'above the default of maxPixels, maxPixels wins.',
  }),
  maxPixels: integer({
    apis: PATCHES_ONLY,
    record: 'patch',
    min: 1,
    max: INT32_MAX,
    defaultText: 'inputSize²',
    doc:
      'Frames with more pixels are scaled down to this area. Below the default of minPixels, ' +
      'maxPixels wins.',
  }),
  patchSize: integer({
    apis: PATCHES_ONLY,
    record: 'patch',
    default: 14,
    min: 1,
    max: 1024,
    doc: 'Side P of a patch in pixels; both sides of a scaled frame are multiples of 2·P (with size: of P).',
  }),
  energyPct: number({
    apis: PATCHES_ONLY,
    record: 'patch',
    default: 95,
    doc: 'Percentile that motion and residual are divided by; clamped to [1, 100].',
    impact: 'Lower values saturate more patches.',
  }),
  prefetchDepth: integer({
    apis: PATCHES_ONLY,
    default: 3,
    min: 1,
    max: 64,
    doc: 'Videos that the datasets of the adapters decode ahead. No effect on a single call.',
    impact: 'More overlap of decoding and training; at most that many results live at once.',
  }),
} as const;
