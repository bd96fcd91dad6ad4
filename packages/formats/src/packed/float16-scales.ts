/**
 * Scales of other programs, which may be bfloat16 or float32, as the float16 that ours are.
 * @module
 */
import { AwqError, type DType, float16BitsToFloat32, float32ToFloat16Bits, toFloat32 } from '@awq/tensor'
import type { ReadOptions } from '../model.ts'

/**
 * A group whose scale is 2^11 times smaller than another of its matrix is below the other's rounding: it may become zero. The
 * scales of a matrix that has none as large as this, the smallest that float16 holds with all its bits, may not.
 */
const SMALLEST_NORMAL = 2 ** -14

/** Makes float16 scales, and remembers what was rounded on the way. */
export interface Float16Scales {
  /**
   * The float16 bits of scales.
   * @throws AwqError INVALID_FILE for other types than F16, BF16 and F32, NUMERIC for a scale that is not finite, beyond
   *   float16, or so small that it becomes zero while none of its matrix is large, naming the tensor
   */
  convert(bytes: Uint8Array, dtype: DType, name: string): Uint16Array
  /** One warning line when some scale was rounded: with the largest relative change, and where. */
  report(): void
}

/** A collector for one model; `report` is called when it is closed. */
export const float16Scales = ({ onWarning }: Pick<ReadOptions, 'onWarning'>): Float16Scales => {
  const rounded = new Set<string>()
  let largest = 0
  let where = ''
  return {
    convert(bytes, dtype, name) {
      if (dtype !== 'F16' && dtype !== 'BF16' && dtype !== 'F32') {
        throw new AwqError('INVALID_FILE', `${name} holds scales of type ${dtype}; F16, BF16 and F32 are read`)
      }
      const values = toFloat32(bytes, dtype)
      const scales = Uint16Array.from(values, float32ToFloat16Bits)
      let vanished: number | undefined
      let largestScale = 0
      for (const [i, bits] of scales.entries()) {
        const value = values[i]!
        if ((bits & 0x7c00) === 0x7c00) {
          throw new AwqError('NUMERIC', `${name}: the scale ${value} at index ${i} is not finite in float16`)
        }
        if ((bits & 0x7fff) === 0 && value !== 0) vanished ??= value
        largestScale = Math.max(largestScale, Math.abs(value))
        const change = value === 0 ? 0 : Math.abs(float16BitsToFloat32(bits) / value - 1)
        if (change > 0) rounded.add(name)
        if (change > largest) [largest, where] = [change, name]
      }
      if (vanished !== undefined && largestScale < SMALLEST_NORMAL)
        throw new AwqError(
          'NUMERIC',
          `${name}: its scales, ${largestScale.toExponential(1)} at most, are too small for float16: ` +
            `${vanished.toExponential(1)} would become zero`,
        )
      return scales
    },
    report() {
      if (rounded.size === 0) return
      onWarning?.(
        `scales of ${rounded.size} matrices were rounded to float16; the largest relative change is ` +
          `${largest.toExponential(1)}, in ${where}`,
      )
    },
  }
}
