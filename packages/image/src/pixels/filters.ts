/** A resampling filter: its weight at a distance from the centre, and how far it reaches, in pixels of the coarser image. */
export interface Filter {
  readonly reach: number
  readonly weight: (distance: number) => number
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI))

/** Cubic convolution with a = -0.5 (Keys 1981), which Pillow and PyTorch's antialiased resize both use. */
function cubic(distance: number): number {
  const x = Math.abs(distance)
  const a = -0.5
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0
}

function hamming(distance: number): number {
  const x = Math.abs(distance)
  return x >= 1 ? 0 : sinc(x) * (0.54 + 0.46 * Math.cos(x * Math.PI))
}

/** The filters by Pillow's names. */
export const filters = {
  box: { reach: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { reach: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: { reach: 1, weight: hamming },
  bicubic: { reach: 2, weight: cubic },
  lanczos: { reach: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
} as const satisfies Record<string, Filter>

/** How pixels are found when an image changes its size. */
export type Resampling = keyof typeof filters | 'nearest'

/** Pillow's numbers for them, which is how `preprocessor_config.json` names them. */
export const resamplingByNumber: readonly Resampling[] = ['nearest', 'lanczos', 'bilinear', 'bicubic', 'box', 'hamming']
