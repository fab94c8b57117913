/** Options of the pixels that decodeOnly gives. */
import {
  FRAMES_ONLY,
  integer,
} from '../kinds.js';

export const PIXELS = {
  width: integer({
    apis: FRAMES_ONLY,
    record: 'frame',
    field: { absent: 0 },
    min: 1,
    max: 16384,
    defaultText: "the video's",
    doc: 'Width of the returned frames in pixels (bilinear). Give width and height, or neither.',
  }),
  height: integer({
    apis: FRAMES_ONLY,
    record: 'frame',
    field: { absent: 0 },
    min: 1,
    max: 16384,
    defaultText: "the video's",
    doc: 'Height of the returned frames in pixels (bilinear). Give width and height, or neither.',
  }),
} as const;
