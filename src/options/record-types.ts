// Generated from src/options/schema.ts by scripts/gen-options.cjs; do not edit.

import type { NormalizeRecord } from './kinds.js';

/** What both calls need. struct DecodeOptions of the addon. */
export interface DecodeRecord {
  readonly sequenceLength: number;
  readonly decodeBackend: 'auto' | 'gpu' | 'cpu';
  readonly processBackend: 'auto' | 'gpu' | 'cpu';
  readonly decodeDeviceId: number;
  readonly processDeviceId: number;
  readonly decodeMode: 'throughput' | 'latency';
  readonly uniformStrategy: 'auto' | 'seek' | 'stream';
  readonly uniformAutoRatio: number | null;
  readonly nvdecSessionPoolSize: number;
  readonly nvdecReuseOpenDecoder: boolean;
  readonly decodeThreads: number;
  readonly decodeThreadType: 'auto' | 'frame' | 'slice';
  readonly readerCacheSize: number;
  readonly readerCacheDir: string;
  readonly colorMatrix: 'auto' | 'bt601' | 'bt709' | 'bt2020';
  readonly damaged: 'error' | 'skip' | 'nearest';
  readonly maxFramePixels: number;
  readonly maxFrames: number;
  readonly maxMemoryBytes: number;
  readonly timeoutMs: number;
}

/** What patchStream needs. struct PatchOptions of the addon. */
export interface PatchRecord {
  readonly energy: 'block' | 'reference';
  readonly minPixels: number;
  readonly maxPixels: number;
  readonly patchSize: number;
  readonly kKeep: number;
  readonly selectionUnit: 'patch' | 'block2x2';
  readonly staticFallback: boolean;
  readonly staticAbsThresh: number;
  readonly staticRelThresh: number;
  readonly staticUniformFrames: number;
  readonly energyPct: number;
  readonly outputDtype: 'bfloat16' | 'float16' | 'float32' | 'uint8';
  readonly layout: 'nchw' | 'nhwc';
  readonly normalize: NormalizeRecord;
}

/** What decodeOnly needs. struct FrameOptions of the addon. */
export interface FrameRecord {
  readonly width: number;
  readonly height: number;
}
