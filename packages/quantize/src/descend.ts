import type { Engine } from '@awq/ort'
import { AwqError, type QuantizedMatrix } from '@awq/tensor'
import { copyBlock } from './cholesky.ts'
import { roundPanel } from './gptq-panel.ts'
import { gridByGroup } from './grid-by-group.ts'
import { engineProduct, type MatrixProduct } from './product.ts'
import { checkMatrix, stepsOf } from './spec.ts'

/** Options of {@link descendCodes}. */
export interface DescentOptions {
  /** How often each column is visited; default 2. Stops early when a visit of all columns changes nothing. */
  readonly sweeps?: number | undefined
  /** The matrix's name for messages. */
  readonly name?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** Columns that are rounded in TypeScript between two products on the engine. */
const PANEL = 64
/** Rows are taken in chunks of about this many weights, which bounds the working memory. */
const CHUNK = 2 ** 23

/**
 * Coordinate descent on the codes of a matrix: column by column, each code is set to the one with the least
 * tr(E G E^T), E = dequantized - weight, while all other columns stay (QuantEase, arXiv 2309.01885, section 3). The
 * minimum over column j is reached at q_j - (E G)_j / G_jj, rounded to the grid, so the loss never rises. The grid stays
 * as it is. A good start matters: after `roundGptq` it finds what GPTQ, which never looks back, left.
 *
 * Columns come in order of decreasing G_jj; a column whose input is always zero keeps its codes.
 *
 * @param weight float32 [out, in]
 * @param matrix its codes so far
 * @param gram float32 [in, in], symmetric: mean of x x^T
 * @throws AwqError INVALID_ARGUMENT for shapes that do not fit, NUMERIC for a Gram matrix that is not finite. Rejects
 *   with `signal.reason`.
 */
export function descendCodes(
  engine: Engine,
  weight: Float32Array,
  matrix: QuantizedMatrix,
  gram: Float32Array,
  options: DescentOptions = {},
): Promise<QuantizedMatrix> {
  return descendCodesBy(engineProduct(engine), weight, matrix, gram, options)
}

/** {@link descendCodes} with any matrix product. */
export async function descendCodesBy(
  product: MatrixProduct,
  weight: Float32Array,
  matrix: QuantizedMatrix,
  gram: Float32Array,
  options: DescentOptions = {},
): Promise<QuantizedMatrix> {
  const { sweeps = 2, name = 'weight', signal } = options
  const [out, inputs] = matrix.shape
  checkMatrix(weight, matrix.shape, name)
  if (gram.length !== inputs * inputs) {
    throw new AwqError('INVALID_ARGUMENT', `${name}: ${gram.length} values are not a Gram matrix of ${inputs} inputs`)
  }
  if (!(Number.isSafeInteger(sweeps) && sweeps >= 0)) {
    throw new AwqError('INVALID_ARGUMENT', `${name}: sweeps must be a whole number from 0, not ${sweeps}`)
  }
  const problem = orderedGram(gram, inputs, name)
  const codes = matrix.codes.slice()
  const rowsPerChunk = Math.max(128, Math.floor(CHUNK / inputs))
  for (let start = 0; start < out; start += rowsPerChunk) {
    const rows = Math.min(rowsPerChunk, out - start)
    await descendRows(product, { ...problem, weight, matrix, codes, start, rows, sweeps, signal })
  }
  return { ...matrix, codes }
}

interface OrderedGram {
  /** [live]: the columns that are visited, by decreasing diagonal. */
  readonly order: Int32Array
  /** [live, live], in that order, each row divided by its diagonal. */
  readonly relative: Float32Array
}

/** The live columns of a Gram matrix in the order of their visits. */
function orderedGram(gram: Float32Array, width: number, name: string): OrderedGram {
  const diagonal = (column: number) => gram[column * width + column] as number
  const order = Int32Array.from({ length: width }, (_, column) => column)
    .filter((column) => diagonal(column) !== 0)
    .sort((one, other) => diagonal(other) - diagonal(one) || one - other)
  const size = order.length
  const relative = new Float32Array(size * size)
  let notFinite = 0
  for (let row = 0; row < size; row++) {
    const source = (order[row] as number) * width
    const inverse = 1 / diagonal(order[row] as number)
    for (let column = 0; column < size; column++) {
      const value = (gram[source + (order[column] as number)] as number) * inverse
      notFinite += value - value
      relative[row * size + column] = value
    }
  }
  if (notFinite !== 0) {
    throw new AwqError('NUMERIC', `${name}: the Gram matrix has values that are not finite; collect it again`)
  }
  return { order, relative }
}

interface RowProblem extends OrderedGram {
  readonly weight: Float32Array
  readonly matrix: QuantizedMatrix
  /** [out, in]: changed in place in the rows `start`..`start + rows`. */
  readonly codes: Uint8Array
  readonly start: number
  readonly rows: number
  readonly sweeps: number
  readonly signal: AbortSignal | undefined
}

async function descendRows(product: MatrixProduct, problem: RowProblem): Promise<void> {
  const { order, relative, weight, matrix, codes, start, rows, sweeps, signal } = problem
  const [, inputs] = matrix.shape
  const { scales, zeros } = gridByGroup(matrix, matrix, inputs, start, rows)
  const size = order.length
  const group = (position: number) => Math.floor((order[position] as number) / matrix.groupSize)
  const dequantized = (position: number, row: number) => {
    const at = group(position) * rows + row
    const code = codes[(start + row) * inputs + (order[position] as number)] as number
    return (code - (zeros[at] as number)) * (scales[at] as number)
  }
  // Columns become rows, in the order of visits. Dead columns add nothing to the loss and stay out.
  const missing = new Float32Array(size * rows)
  for (let position = 0; position < size; position++) {
    const column = order[position] as number
    for (let row = 0; row < rows; row++) {
      missing[position * rows + row] = (weight[(start + row) * inputs + column] as number) - dequantized(position, row)
    }
  }
  for (let sweep = 0; sweep < sweeps; sweep++) {
    let changed = false
    for (let first = 0; first < size; first += PANEL) {
      signal?.throwIfAborted()
      const count = Math.min(PANEL, size - first)
      const before = new Float32Array(count * rows)
      for (let column = 0; column < count; column++) {
        for (let row = 0; row < rows; row++) before[column * rows + row] = dequantized(first + column, row)
      }
      // Where each column would best stand: q - (E G)_j / G_jj, from the errors of all columns as they are now.
      const corrected = await product(
        {
          left: relative.subarray(first * size, (first + count) * size),
          right: missing,
          addend: before,
          rows: count,
          inner: size,
          columns: rows,
        },
        signal,
      )
      const moved = before.slice()
      const panelCodes = roundPanel({
        corrected,
        errors: moved,
        feedback: copyBlock(relative, size, first, count, first, count),
        size: count,
        rows,
        groups: Int32Array.from({ length: count }, (_, column) => group(first + column)),
        scales,
        zeros,
        steps: stepsOf(matrix.bits),
      })
      for (let at = 0; at < moved.length; at++) missing[first * rows + at]! += moved[at] as number
      for (let row = 0; row < rows; row++) {
        const base = (start + row) * inputs
        for (let column = 0; column < count; column++) {
          const at = base + (order[first + column] as number)
          const code = panelCodes[column * rows + row] as number
          changed ||= codes[at] !== code
          codes[at] = code
        }
      }
    }
    if (!changed) return
  }
}
