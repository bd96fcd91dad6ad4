import type { Engine } from '@awq/ort'
import { AwqError } from '@awq/tensor'
import { choleskyRows } from './cholesky.ts'
import { engineProduct, type MatrixProduct } from './product.ts'

/** Options of {@link factorGram}. */
export interface GptqFactorOptions {
  /** What is added to the diagonal, as a fraction of the mean of its entries that are not zero. Default 0.01. */
  readonly damping?: number | undefined
  /** `activation` (default): columns in order of decreasing diagonal, over the whole row. `column`: as they stand. */
  readonly order?: 'activation' | 'column' | undefined
  /** Called when the damping had to be raised, with one line that says so. */
  readonly onNote?: ((note: string) => void) | undefined
  /** The matrix's name for messages. */
  readonly name?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** What GPTQ needs of a Gram matrix; siblings that read the same input (q, k, v) share one. */
export interface GptqFactor {
  readonly width: number
  /** `[width]`: the column that is rounded first, second, ... */
  readonly order: Int32Array
  /** [width], by column: 1 where the input is always zero. */
  readonly dead: Uint8Array
  /**
   * [width, width] row-major, unit lower triangular, in the order of `order`: column i is rounded after adding
   * sum over j < i of feedback[i, j] · (error of column j). `null` when every column is dead.
   */
  readonly feedback: Float32Array | null
  /**
   * [width], by column: what is left of the damped variance of its input when those of all columns rounded after it are
   * known, which is what a squared error of its weights costs: theirs make up for the rest. 0 where the column is dead.
   */
  readonly pivots: Float32Array
  /** The fraction of the mean diagonal that was added. */
  readonly damping: number
}

const MAXIMUM_DAMPING = 1

/**
 * Factors a damped Gram matrix for GPTQ.
 *
 * With H = G + damping · mean(diag G) · I in rounding order, GPTQ (arXiv 2210.17323) uses the upper factor U of
 * H^-1 = U^T U. Reversing the indices turns this into one Cholesky factorisation without an inverse: H = R R^T with R
 * upper, U = R^-1. Written for the errors of the original weights, which is the same arithmetic (arXiv 2307.13304,
 * section 4.1), GPTQ adds to column i the error of each earlier column j times R[j, i] / R[i, i]; that is `feedback`.
 *
 * A column whose input is always zero (zero diagonal) gets 1 on the diagonal, as GPTQ does, and plays no part.
 *
 * @param gram float32 [width, width], symmetric positive semidefinite: mean of x x^T. Not changed.
 * @throws AwqError NUMERIC when the matrix is not finite, has a negative diagonal, or is not positive definite even
 *   with damping 1; INVALID_ARGUMENT for a wrong size, damping or order.
 */
export function factorGram(
  engine: Engine,
  gram: Float32Array,
  width: number,
  options: GptqFactorOptions = {},
): Promise<GptqFactor> {
  return factorGramBy(engineProduct(engine), gram, width, options)
}

/** {@link factorGram} with any matrix product. */
export async function factorGramBy(
  product: MatrixProduct,
  gram: Float32Array,
  width: number,
  options: GptqFactorOptions = {},
): Promise<GptqFactor> {
  const name = options.name ?? 'gram'
  const requested = options.damping ?? 0.01
  if (!(requested >= 0 && requested <= MAXIMUM_DAMPING)) {
    throw new AwqError('INVALID_ARGUMENT', `${name}: damping must be between 0 and 1, not ${requested}`)
  }
  if (gram.length !== width * width) {
    throw new AwqError('INVALID_ARGUMENT', `${name}: ${gram.length} values are not a Gram matrix of ${width} inputs`)
  }
  const { dead, mean, alive } = readDiagonal(gram, width, name)
  const { order: by = 'activation' } = options
  if (by !== 'activation' && by !== 'column') {
    throw new AwqError('INVALID_ARGUMENT', `${name}: columns are rounded in order of activation or column, not "${by}"`)
  }
  const order = roundingOrder(gram, width, by)
  const pivots = new Float32Array(width)
  if (alive === 0) return { width, order, dead, feedback: null, pivots, damping: requested }

  for (let damping = requested; ; damping = nextDamping(damping)) {
    const matrix = reversedMatrix(gram, order, dead, damping * mean, name)
    const failed = await choleskyRows(product, matrix, width, options.signal)
    if (failed < 0) {
      // Row r of the reversed factor is column width - 1 - r of R.
      for (let row = 0; row < width; row++) {
        const column = order[width - 1 - row] as number
        if (dead[column] === 0) pivots[column] = (matrix[row * width + row] as number) ** 2
      }
      return { width, order, dead, feedback: feedbackOf(matrix, width), pivots, damping }
    }
    const column = order[width - 1 - failed] as number
    if (damping >= MAXIMUM_DAMPING) {
      throw new AwqError(
        'NUMERIC',
        `${name}: the Gram matrix is not positive definite at column ${column} even with damping ${damping}; ` +
          'it is damaged, or the statistics were not accumulated as a mean of x x^T: collect them again, or use RTN',
      )
    }
    options.onNote?.(
      `${name}: the Gram matrix is not positive definite at column ${column} with damping ${damping}; ` +
        `trying ${nextDamping(damping)}`,
    )
  }
}

const nextDamping = (damping: number): number => Math.min(MAXIMUM_DAMPING, Math.max(0.01, damping * 10))

function readDiagonal(gram: Float32Array, width: number, name: string) {
  const dead = new Uint8Array(width)
  let sum = 0
  let alive = 0
  for (let column = 0; column < width; column++) {
    const value = gram[column * width + column] as number
    if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) {
      throw new AwqError(
        'NUMERIC',
        `${name}: the Gram matrix has ${value} on its diagonal at column ${column}; ` +
          'the activations are not finite or the statistics are damaged',
      )
    }
    if (value === 0) dead[column] = 1
    else alive++
    sum += value
  }
  // The mean of the live columns: GPTQ's mean over all of them, with 1 for the dead, depends on the units of x.
  return { dead, alive, mean: alive === 0 ? 0 : sum / alive }
}

function roundingOrder(gram: Float32Array, width: number, order: 'activation' | 'column'): Int32Array {
  const columns = Int32Array.from({ length: width }, (_, column) => column)
  if (order === 'column') return columns
  const diagonal = (column: number) => gram[column * width + column] as number
  return columns.sort((one, other) => diagonal(other) - diagonal(one) || one - other)
}

/** The damped matrix in reversed rounding order, upper triangle only: element (r, c) = H[order[n-1-r], order[n-1-c]]. */
function reversedMatrix(gram: Float32Array, order: Int32Array, dead: Uint8Array, damp: number, name: string) {
  const width = order.length
  const matrix = new Float32Array(width * width)
  const reversed = Int32Array.from(order).reverse()
  let notFinite = 0
  for (let row = 0; row < width; row++) {
    const source = (reversed[row] as number) * width
    for (let column = row; column < width; column++) {
      const value = gram[source + (reversed[column] as number)] as number
      notFinite += value - value
      matrix[row * width + column] = value
    }
    const diagonal = dead[reversed[row] as number] === 1 ? 1 : (matrix[row * width + row] as number)
    matrix[row * width + row] = diagonal + damp
  }
  if (notFinite !== 0) {
    throw new AwqError('NUMERIC', `${name}: the Gram matrix has values that are NaN or infinite; collect it again`)
  }
  return matrix
}

/** R from the reversed factor, in place, with row i (column i of R) divided by its diagonal. */
function feedbackOf(factor: Float32Array, width: number): Float32Array {
  factor.reverse()
  for (let row = 0; row < width; row++) {
    const inverse = 1 / (factor[row * width + row] as number)
    for (let column = 0; column < row; column++) {
      factor[row * width + column] = (factor[row * width + column] as number) * inverse
    }
    factor[row * width + row] = 1
  }
  return factor
}
