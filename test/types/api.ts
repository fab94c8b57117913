/** Types of the public API, checked by tsc (tsconfig.test.json); nothing here ever runs. */
import * as api from '../../src/index.js';
import { backendInfo, decodeOnly, patchStream, Tensor } from '../../src/index.js';
import type {
  CallReport,
  CodecPatchStreamError,
  DecodedFrames,
  DecodeOnlyConfig,
  DType,
  ErrorCode,
  PatchMetadata,
  PatchStream,
  PatchStreamConfig,
  ResultNote,
} from '../../src/index.js';
import type { OptionName } from '../../src/options/schema.js';

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function expectType<A>(): <B>(...same: Equal<A, B> extends true ? [B] : [never]) => void {
  return () => undefined;
}
const type = <T>(): T => undefined as T;

// --- the interfaces are exactly the schema ------------------------------------------------------
expectType<OptionName>()(type<keyof PatchStreamConfig | keyof DecodeOnlyConfig>());

// --- results ------------------------------------------------------------------------------------
expectType<Promise<PatchStream>>()(patchStream({ videoPath: 'a.mp4' }));
expectType<Promise<DecodedFrames>>()(decodeOnly({ videoPath: new URL('file:///a.mp4') }));

export async function patches(): Promise<void> {
  const stream = await patchStream({ videoPath: new Uint8Array(), outputDtype: 'fp32' });
  expectType<number>()(stream.length);
  expectType<readonly number[]>()(stream.sampledFrameIds);
  expectType<readonly ResultNote[]>()(stream.notes);
  expectType<readonly PatchMetadata[]>()(stream.metadata);
  expectType<Int32Array | undefined>()(stream.metadataTensors.fields.data);
  expectType<Float32Array | undefined>()(stream.metadataTensors.scores.data);
  expectType<Tensor<'int32'>>()(stream.positions);
  expectType<Tensor<'float32'>>()(stream.frameScores);
  expectType<Promise<Float32Array>>()(stream.patches.toFloat32());
  for (const { patch, metadata } of stream) {
    expectType<readonly number[]>()(patch.shape);
    expectType<boolean>()(metadata.isI);
  }
  const { patches: next, metadata } = stream.nextN(4);
  expectType<PatchMetadata[]>()(metadata);
  const { fields, scores } = stream.nextNTensors(4);
  const everyTensor: Tensor[] = [next, fields, scores, stream.patches];
  everyTensor.forEach((tensor) => expectType<DType>()(tensor.dtype));
  expectType<string>()(stream.backend.decode);
  expectType<number | undefined>()(stream.timings['decodeMs']);
  const disposable: Disposable & AsyncDisposable = stream;
  disposable[Symbol.dispose]();
}

export async function frames(): Promise<void> {
  const result = await decodeOnly({ videoPath: new ArrayBuffer(8), width: 64, height: 64 });
  expectType<Tensor<'uint8'>>()(result.frames);
  expectType<Uint8Array | undefined>()(result.frame(0).data);
  expectType<readonly boolean[]>()(result.isKeyFrame);
}

expectType<boolean>()(backendInfo().gpu.decode);
expectType<ErrorCode>()(type<CodecPatchStreamError>().code);
expectType<'patchStream' | 'decodeOnly'>()(type<CallReport>().api);

// --- undefined is welcome where an option is optional ---------------------------------------------
void patchStream({ videoPath: 'a', kKeep: undefined, signal: undefined });
void patchStream({ videoPath: 'a', normalize: { mean: [1, 2, 3], std: 2 } });
void patchStream({ videoPath: 'a', normalize: 'imagenet', layout: 'nhwc' });

// --- what must not compile -------------------------------------------------------------------------
// @ts-expect-error videoPath is required
void patchStream({});
// @ts-expect-error the Python names are not ours
void patchStream({ videoPath: 'a', k_keep: 4 });
// @ts-expect-error not a dtype
void patchStream({ videoPath: 'a', outputDtype: 'float64' });
// @ts-expect-error an option of patchStream
void decodeOnly({ videoPath: 'a', kKeep: 4 });
// @ts-expect-error an option of decodeOnly
void patchStream({ videoPath: 'a', width: 4 });
// @ts-expect-error not a backend
void decodeOnly({ videoPath: 'a', backend: 'cuda' });
// @ts-expect-error tensors are made by streams
export const made = (): unknown => new Tensor();
// @ts-expect-error named exports only
export const missing: unknown = api.default;
export function readOnly(stream: PatchStream): void {
  // @ts-expect-error results cannot be changed
  stream.fps = 3;
  // @ts-expect-error nor their arrays
  stream.sampledFrameIds.push(1);
}
