/** What probe and openVideo say. */

/** What is known of a video before a picture is wanted. */
export interface VideoInfo {
  /** FFmpeg's name of the codec, e.g. 'h264'. */
  readonly codec: string;
  /** FFmpeg's name of the container, e.g. 'mov,mp4,m4a,3gp,3g2,mj2'. */
  readonly format: string;
  /** Width in pixels as a viewer sees it, rotation applied. */
  readonly width: number;
  /** The same of its height. */
  readonly height: number;
  /** Degrees clockwise that stored pictures are turned by to be shown; frames and patches are. */
  readonly rotation: 0 | 90 | 180 | 270;
  /** Whether they are mirrored, left and right, before that. */
  readonly mirrored: boolean;
  /** How its colours are written. */
  readonly color: VideoColor;
  /** N, the number of frames. */
  readonly totalFrames: number;
  /** Average frame rate; 0 where nothing tells it. */
  readonly fps: number;
  /** Seconds from the first frame to the end of the last. */
  readonly durationSec: number;
}

/** How the colours of a video are written: its tags, as FFmpeg reads them. */
export interface VideoColor {
  /** What YUV becomes RGB by under colorMatrix 'auto': 'bt601', 'bt709', 'bt2020', ..., 'rgb' for RGB. */
  readonly matrix: string | null;
  /** 'limited': luma 16..235 in 8 bits; 'full': 0..255. */
  readonly range: 'limited' | 'full' | null;
  /** FFmpeg's name of the primaries; null where there is no tag. */
  readonly primaries: string | null;
  /** FFmpeg's name of the transfer function; null where there is no tag. */
  readonly transfer: string | null;
  /** Bits per sample. */
  readonly bitDepth: number | null;
}
