import { AwqError } from '@awq/tensor'

/** One of the matrices that read the same input: [rows, width], rows after rows. */
export interface WeightRows {
  readonly data: Float32Array
  readonly rows: number
}

/** Some rows [rows, padded] of the siblings laid one under the other. */
export interface RowChunk {
  readonly data: Float32Array
  readonly rows: number
}

/** Elements of a chunk: small enough for a processor's cache, large enough for a product to be worth its start. */
const CHUNK_ELEMENTS = 2 ** 19
const LEAST_ROWS = 512

/**
 * Cuts siblings into chunks of about equal height. A chunk is a view where it lies in one weight and needs no padding;
 * zeros fill the columns from `width` to `padded`.
 * @throws AwqError INVALID_ARGUMENT for a weight whose length is not rows times width.
 */
export function rowChunks(weights: readonly WeightRows[], width: number, padded: number): RowChunk[] {
  weights.forEach(({ data, rows }, index) => {
    if (!Number.isSafeInteger(rows) || rows < 1 || data.length !== rows * width) {
      throw new AwqError(
        'INVALID_ARGUMENT',
        `weight ${index} has ${data.length} values, which are not ${rows} rows of ${width}`,
      )
    }
  })
  const total = weights.reduce((sum, { rows }) => sum + rows, 0)
  if (total === 0) throw new AwqError('INVALID_ARGUMENT', 'a search needs at least one weight')
  const most = Math.max(LEAST_ROWS, Math.floor(CHUNK_ELEMENTS / padded))
  const height = Math.ceil(total / Math.ceil(total / most))
  const chunks: RowChunk[] = []
  for (let start = 0; start < total; start += height) {
    const rows = Math.min(height, total - start)
    chunks.push({ data: copyRows(weights, width, padded, start, rows), rows })
  }
  return chunks
}

function copyRows(weights: readonly WeightRows[], width: number, padded: number, start: number, rows: number) {
  let first = 0
  let copy: Float32Array | undefined
  for (const weight of weights) {
    const from = Math.max(start, first)
    const to = Math.min(start + rows, first + weight.rows)
    if (from < to) {
      const part = weight.data.subarray((from - first) * width, (to - first) * width)
      if (padded === width && to - from === rows) return part
      copy ??= new Float32Array(rows * padded)
      for (let row = 0; row < to - from; row++) {
        copy.set(part.subarray(row * width, (row + 1) * width), (from - start + row) * padded)
      }
    }
    first += weight.rows
  }
  return copy as Float32Array
}
