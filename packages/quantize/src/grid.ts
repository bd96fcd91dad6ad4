import { AwqError, float16BitsToFloat32, float32ToFloat16Bits } from '@awq/tensor'
import type { GroupRanges, NameOption } from './ranges.ts'
import { checkSpec, type QuantSpec, SMALLEST_SCALE, stepsOf } from './spec.ts'

/** Scale and zero point of every group: weight = (code - zero) * scale. */
export interface QuantizationGrid {
  /** float16 bits [out * groups]. */
  readonly scales: Uint16Array
  /** [out * groups], 0..2^bits-1; `null` when symmetric: 2^(bits-1) everywhere. */
  readonly zeroPoints: Uint8Array | null
}

const SMALLEST_SCALE_BITS = float32ToFloat16Bits(SMALLEST_SCALE)

/** x + ROUNDER - ROUNDER is x rounded half to even: 1.5 * 2^52 leaves no room for a fraction, and the sum rounds so. */
export const ROUNDER = 6755399441055744

/**
 * The grid of each group, in the precision it is stored in.
 *
 * Asymmetric: scale = float16((high - low) / (2^b - 1)), zero = clamp(round(-low / scale), 0, 2^b - 1).
 * Symmetric: scale = float16(2·max(-low, high) / (2^b - 1)), zero = 2^(b-1).
 * Rounding is half to even, arithmetic float32, as in compressed-tensors. The scale is rounded to float16 before the
 * zero point and the codes are computed, so these fit the scale that is stored. An empty range (all weights zero)
 * gets scale 1; a range too small for float16 gets {@link SMALLEST_SCALE}.
 *
 * @throws AwqError NUMERIC when a scale exceeds float16 (65504), INVALID_ARGUMENT when a range does not hold zero.
 */
export function quantizationGrid(ranges: GroupRanges, spec: QuantSpec, options: NameOption = {}): QuantizationGrid {
  const { bits, symmetric } = checkSpec(spec)
  const { low, high } = ranges
  const count = low.length
  if (high.length !== count) {
    throw new AwqError('INVALID_ARGUMENT', `group ranges with ${count} low and ${high.length} high ends`)
  }
  const steps = stepsOf(bits)
  const scales = new Uint16Array(count)
  const zeroPoints = symmetric ? null : new Uint8Array(count)
  for (let group = 0; group < count; group++) {
    const least = low[group] as number
    const most = high[group] as number
    if (!(least <= 0 && most >= 0)) refuseRange(least, most, group, options.name)
    const width = symmetric ? 2 * Math.max(-least, most) : Math.fround(most - least)
    let bitsOfScale = width === 0 ? 0x3c00 : float32ToFloat16Bits(Math.fround(width / steps))
    if (bitsOfScale === 0) bitsOfScale = SMALLEST_SCALE_BITS
    if (bitsOfScale >= 0x7c00) refuseScale(width / steps, group, options.name)
    scales[group] = bitsOfScale
    if (zeroPoints !== null) {
      const zero = Math.fround(-least / float16BitsToFloat32(bitsOfScale)) + ROUNDER - ROUNDER
      zeroPoints[group] = Math.min(zero, steps)
    }
  }
  return { scales, zeroPoints }
}

function refuseRange(least: number, most: number, group: number, name = 'weight'): never {
  throw new AwqError(
    'INVALID_ARGUMENT',
    `${name}: the range ${least}..${most} of group ${group} must include zero and be finite`,
  )
}

function refuseScale(scale: number, group: number, name = 'weight'): never {
  throw new AwqError(
    'NUMERIC',
    `${name}: group ${group} needs the scale ${scale.toPrecision(4)}, but scales are stored as float16 (at most 65504); ` +
      'weights this large cannot be quantized: look for a damaged checkpoint, or use more bits',
  )
}

/** The scales as float32, widened exactly. */
export function scalesToFloat32(scales: Uint16Array): Float32Array {
  const values = new Float32Array(scales.length)
  for (let index = 0; index < scales.length; index++) values[index] = float16BitsToFloat32(scales[index] as number)
  return values
}

/** The zero points as float32; 2^(bits-1) for each of `count` groups when symmetric. */
export const zerosToFloat32 = (zeroPoints: Uint8Array | null, bits: number, count: number): Float32Array =>
  zeroPoints === null ? new Float32Array(count).fill(2 ** (bits - 1)) : Float32Array.from(zeroPoints)
