/** The sections of the benchmark, in the order in which they run. */
import * as concurrency from '../sections/concurrency.mjs';
import * as energies from '../sections/energies.mjs';
import * as floor from '../sections/floor.mjs';
import * as frames from '../sections/frames.mjs';
import * as growth from '../sections/growth.mjs';
import * as inputs from '../sections/inputs.mjs';
import * as peers from '../sections/peers.mjs';
import * as pixels from '../sections/pixels.mjs';
import * as stages from '../sections/stages.mjs';

export const sections = {
  floor,
  stages,
  peers,
  growth,
  concurrency,
  energies,
  pixels,
  frames,
  inputs,
};
