import type { MatrixProduct } from './product.ts'
import { upperCholesky, upperInverse } from './triangular.ts'

/** Rows that are factored or solved in TypeScript between two products on the engine. */
const PANEL = 128

/**
 * Replaces the upper triangle of a symmetric matrix by its upper Cholesky factor, a panel of rows at a time: what the
 * rows above contribute, and the panel's part right of its diagonal block, are products on the engine.
 * Returns -1, or the row whose pivot is not positive.
 */
export async function choleskyRows(
  product: MatrixProduct,
  matrix: Float32Array,
  width: number,
  signal?: AbortSignal,
): Promise<number> {
  for (let start = 0; start < width; start += PANEL) {
    signal?.throwIfAborted()
    const size = Math.min(PANEL, width - start)
    const columns = width - start
    let panel = copyBlock(matrix, width, start, size, start, columns)
    if (start > 0) {
      const left = copyBlock(matrix, width, 0, start, start, size)
      const right = copyBlock(matrix, width, 0, start, start, columns)
      const request = { left, right, addend: panel, rows: size, inner: start, columns }
      panel = await product({ ...request, transposeLeft: true, subtract: true }, signal)
    }
    const factor = upperCholesky(panel, size, columns)
    if (typeof factor === 'number') return start + factor
    for (let row = 0; row < size; row++) {
      matrix.set(factor.subarray(row * size, (row + 1) * size), (start + row) * width + start)
    }
    const rest = columns - size
    if (rest === 0) continue
    const solved = await product(
      {
        left: upperInverse(factor, size),
        right: copyBlock(panel, columns, 0, size, size, rest),
        rows: size,
        inner: size,
        columns: rest,
        transposeLeft: true,
      },
      signal,
    )
    for (let row = 0; row < size; row++) {
      matrix.set(solved.subarray(row * rest, (row + 1) * rest), (start + row) * width + start + size)
    }
  }
  return -1
}

/**
 * Solves (G + lambda I) Z = B for Z, lambda = damping times the mean of the diagonal's entries that are not zero, by
 * Cholesky's factors G + lambda I = U^T U: forward with U^T, back with U, a panel of rows at a time.
 *
 * @param gram float32 [width, width], symmetric positive semidefinite; only the upper triangle is read
 * @param right B, float32 [width, columns]
 * @param damping a fraction above 0
 * @returns Z, [width, columns]; null when the damped matrix is not positive definite
 */
export async function solveGramBy(
  product: MatrixProduct,
  gram: Float32Array,
  width: number,
  right: Float32Array,
  damping: number,
  signal?: AbortSignal,
): Promise<Float32Array | null> {
  const columns = right.length / width
  const factor = gram.slice()
  let sum = 0
  let live = 0
  for (let row = 0; row < width; row++) {
    const value = gram[row * width + row] as number
    if (value !== 0) live++
    sum += value
  }
  const lambda = live === 0 ? 1 : (damping * sum) / live
  for (let row = 0; row < width; row++) factor[row * width + row]! += lambda
  if ((await choleskyRows(product, factor, width, signal)) >= 0) return null
  const solution = new Float32Array(right.length)
  const panels = Array.from({ length: Math.ceil(width / PANEL) }, (_, index) => index * PANEL)
  const solve = async (start: number, from: Float32Array, done: readonly [from: number, to: number], back: boolean) => {
    signal?.throwIfAborted()
    const size = Math.min(PANEL, width - start)
    const [first, last] = done
    const addend = from.subarray(start * columns, (start + size) * columns)
    const rest =
      last === first
        ? addend
        : await product(
            {
              left: back
                ? copyBlock(factor, width, start, size, first, last - first)
                : copyBlock(factor, width, first, last - first, start, size),
              right: solution.subarray(first * columns, last * columns),
              addend,
              rows: size,
              inner: last - first,
              columns,
              transposeLeft: !back,
              subtract: true,
            },
            signal,
          )
    const inverse = upperInverse(Float64Array.from(copyBlock(factor, width, start, size, start, size)), size)
    const request = { left: inverse, right: rest, rows: size, inner: size, columns, transposeLeft: !back }
    solution.set(await product(request, signal), start * columns)
  }
  for (const start of panels) await solve(start, right, [0, start], false)
  for (const start of panels.reverse()) await solve(start, solution, [Math.min(width, start + PANEL), width], true)
  return solution
}

/** A copy of rows `row`..`row + rows`, columns `column`..`column + columns` of a row-major matrix. */
export function copyBlock(
  matrix: Float32Array,
  stride: number,
  row: number,
  rows: number,
  column: number,
  columns: number,
): Float32Array {
  const block = new Float32Array(rows * columns)
  for (let index = 0; index < rows; index++) {
    const from = (row + index) * stride + column
    block.set(matrix.subarray(from, from + columns), index * columns)
  }
  return block
}
