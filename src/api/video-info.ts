/** What probe and openVideo say. */

/** What is known of a video before a picture is wanted. */
export interface VideoInfo {
  /** FFmpeg's name of the codec, e.g. 'h264'. */
  readonly codec: string;
  /** FFmpeg's name of the container, e.g. 'mov,mp4,m4a,3gp,3g2,mj2'. */
  readonly format: string;
  /** Size in pixels as a viewer sees it, rotation applied. */
  readonly width: number;
  readonly height: number;
  /** Degrees clockwise that stored pictures are turned by to be shown; frames and patches are. */
  readonly rotation: 0 | 90 | 180 | 270;
  /** Whether they are mirrored, left and right, before that. */
  readonly mirrored: boolean;
  readonly color: VideoColor;
  /** N, the number of frames. */
  readonly totalFrames: number;
  /** Average frame rate; 0 where nothing tells it. */
  readonly fps: number;
  readonly durationSec: number;
}

export interface VideoColor {
  /** What YUV becomes RGB by under colorMatrix 'auto': 'bt601', 'bt709', 'bt2020', ..., 'rgb' for RGB. */
  readonly matrix: string | null;
  readonly range: 'limited' | 'full' | null;
  /** FFmpeg's names of the tags; null where there is none. */
  readonly primaries: string | null;
  readonly transfer: string | null;
  /** Bits per sample. */
  readonly bitDepth: number | null;
}
