/** What a result says of option `augment`. */

/** What option `augment` drew. */
export interface Augmentation {
  /**
   * The part of the video's picture that the results show, in its pixels as a viewer sees it and before
   * the mirror; fractional where a resized picture was cropped.
   */
  readonly crop: {
    readonly top: number;
    readonly left: number;
    readonly height: number;
    readonly width: number;
  };
  /** Whether it is mirrored, left to right. */
  readonly flipped: boolean;
}
