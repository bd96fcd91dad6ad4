/** An image as processors take it: 8 bits for each of red, green and blue, row by row from the top left. */
export interface RgbImage {
  /** Pixels in a row. */
  readonly width: number
  /** Rows. */
  readonly height: number
  /** `height * width * 3` bytes. */
  readonly data: Uint8Array
}

/** What a decoder gives: samples of 8 bits, interleaved; 3 channels are RGB, 4 are RGB and alpha (not premultiplied). */
export interface DecodedPixels {
  readonly width: number
  readonly height: number
  readonly channels: 3 | 4
  /** `height * width * channels` bytes. */
  readonly data: Uint8Array
}
