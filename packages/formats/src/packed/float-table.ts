/**
 * Tables (embedding and head) that are quantized, for formats that have none: as float16 numbers.
 * @module
 */
import { AwqError, dequantize, fromFloat32, type QuantizedMatrix } from '@awq/tensor'

/** Elements that are float32 at a time. */
const PIECE = 2 ** 22

/**
 * The float16 numbers that a matrix stands for, some rows at a time, [rows, width] little-endian; products of codes and
 * scales are rounded to 11 bits.
 * @throws AwqError NUMERIC for one beyond float16
 */
export function* float16Rows(matrix: QuantizedMatrix, name: string): Generator<Uint8Array> {
  const { shape, codes, scales, zeroPoints } = matrix
  const [out, width] = shape
  const groups = scales.length / out
  const step = Math.max(1, Math.floor(PIECE / width))
  for (let start = 0; start < out; start += step) {
    const end = Math.min(out, start + step)
    const part = dequantize({
      ...matrix,
      shape: [end - start, width],
      codes: codes.subarray(start * width, end * width),
      scales: scales.subarray(start * groups, end * groups),
      zeroPoints: zeroPoints?.subarray(start * groups, end * groups) ?? null,
    })
    const large = part.findIndex((value) => Math.abs(value) >= 65520)
    if (large >= 0)
      throw new AwqError(
        'NUMERIC',
        `${name}: ${part[large]} in row ${start + Math.floor(large / width)} is beyond float16`,
      )
    yield fromFloat32(part, 'F16')
  }
}
