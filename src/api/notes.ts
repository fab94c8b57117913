/**
 * What a result says beside its data (`notes`). A test compares NOTE_CODES with native/core/notes.h
 * (and with what unlikely-options.ts adds), another one docs/notes.md with this file.
 */

/** Every value of `ResultNote.code`, with what it means. */
export const NOTE_CODES = {
  'assumed-matrix':
    'The colour tags name no usable matrix. The matrix that FFmpeg takes in this case was used.',
  'index-not-kept':
    'readerCacheDir cannot be used, so the frame index was made for this call only.',
  'key-frames-alone':
    'Key frames come before all others and fill kKeep, so no other frame gave a patch. ' +
    "keyFramePatches 'compete' or maxPerFrame spread the selection.",
  'key-frames-compete':
    "keyFramePatches 'auto' took 'compete', because kKeep is less than two frames' patches. Set " +
    'keyFramePatches to avoid this note.',
  'missing-frames':
    'Some pictures of the file do not come out of the decoder, and are not counted as frames. They ' +
    'are damaged, or refer to others that are damaged or missing. `frames` are the frames right ' +
    'after such pictures (at the end of the file: before).',
  'patch-above-frame':
    'A patch is larger than the frame: frames were enlarged to hold it. Check patchSize.',
  'repeated-frames':
    'The video has less than half as many frames as were asked for, so frames are repeated. Check ' +
    "sequenceLength or sample (short: 'all' takes each frame once).",
  'replaced-frames':
    'Some frames cannot be decoded, and the nearest good ones were taken instead (option damaged ' +
    "'nearest'). `replacedFrames` says which.",
  'restarted-clock':
    'The timestamps step back or restart at these frames (joined captures, clock changes); frames ' +
    'are in the order of the file.',
  'skipped-frames': "Some frames cannot be decoded and were left out (option damaged 'skip').",
  'truncated-file':
    'The file ends before the frames that it declares, or cannot be read to its end. The frames that ' +
    'are there are used.',
} as const;

/** A sampled frame that cannot be decoded, under damaged 'nearest'. */
export interface ReplacedFrame {
  /** Position among the sampled frames, 0..T-1. */
  readonly seqPos: number;
  /** Display index of the frame that was sampled. */
  readonly wantedId: number;
  /** Display index of the frame that stands there, also in `sampledFrameIds`. */
  readonly givenId: number;
}

/** What a note is about; NOTE_CODES says what each means. More may come in later versions. */
export type NoteCode = keyof typeof NOTE_CODES;

/** Something a user should know of a result: an assumption, an ignored tag. */
export interface ResultNote {
  /** What it is about; stable. */
  readonly code: NoteCode;
  /** The same in words, for people; may change. */
  readonly message: string;
  /** Display indices of the frames that it is about, ascending; absent: the whole video. */
  readonly frames?: readonly number[];
}
