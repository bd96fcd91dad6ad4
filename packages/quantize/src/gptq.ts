import type { Engine } from '@awq/ort'
import { AwqError, type QuantizedMatrix } from '@awq/tensor'
import { copyBlock } from './cholesky.ts'
import { factorGramBy, type GptqFactor, type GptqFactorOptions } from './gptq-factor.ts'
import { roundPanel } from './gptq-panel.ts'
import { type QuantizationGrid, quantizationGrid } from './grid.ts'
import { gridByGroup } from './grid-by-group.ts'
import { engineProduct, type MatrixProduct } from './product.ts'
import { type GroupRanges, groupRanges } from './ranges.ts'
import { checkRanges, roundRtn } from './rtn.ts'
import { checkMatrix, checkSpec, effectiveGroupSize, type QuantSpec, stepsOf } from './spec.ts'

/** Options of {@link roundGptq}. */
export interface GptqOptions extends GptqFactorOptions {
  /** What the codes of each group must cover, fixed beforehand; by default all of its weights. */
  readonly ranges?: GroupRanges | undefined
  /** Called after each panel with the part that is done, 0..1. */
  readonly onProgress?: ((done: number) => void) | undefined
}

/** Columns that are rounded in TypeScript between two products on the engine: fewer mean less plain arithmetic. */
const PANEL = 64
/** Rows are rounded in chunks of about this many weights, which bounds the working memory to a few times 64 MiB. */
const CHUNK = 2 ** 24

/**
 * Rounds a matrix by GPTQ (arXiv 2210.17323) with static groups: column by column, each column first corrected for the
 * errors of those before it, so that tr(E G E^T) becomes small. The grid of every group is fixed beforehand from
 * `ranges`, which is why columns may be taken in order of decreasing activation without a group index.
 * A column whose input is always zero becomes zero, as in GPTQ; when all are, the result is that of `roundRtn`.
 *
 * @param weight float32 [out, in]
 * @param gram float32 [in, in], the mean of x x^T over the inputs x; or the result of `factorGram`, which siblings
 *   that read the same input can share (damping and order are then the factor's).
 * @throws AwqError NUMERIC for weights or Gram matrices that are not finite, or a Gram matrix that is not positive
 *   definite with any damping; INVALID_ARGUMENT for shapes that do not fit. Rejects with `signal.reason`.
 */
export function roundGptq(
  engine: Engine,
  weight: Float32Array,
  shape: readonly [out: number, inputs: number],
  gram: Float32Array | GptqFactor,
  spec: QuantSpec,
  options: GptqOptions = {},
): Promise<QuantizedMatrix> {
  return roundGptqBy(engineProduct(engine), weight, shape, gram, spec, options)
}

/** {@link roundGptq} with any matrix product. */
export async function roundGptqBy(
  product: MatrixProduct,
  weight: Float32Array,
  shape: readonly [out: number, inputs: number],
  gram: Float32Array | GptqFactor,
  spec: QuantSpec,
  options: GptqOptions = {},
): Promise<QuantizedMatrix> {
  const name = options.name ?? 'weight'
  checkSpec(spec)
  checkMatrix(weight, shape, name)
  const [out, inputs] = shape
  options.signal?.throwIfAborted()
  // Also run when ranges are given: it is what finds weights that are not finite.
  const full = groupRanges(weight, shape, spec, { name })
  if (options.ranges !== undefined) checkRanges(options.ranges, shape, spec, name)
  const ranges = options.ranges ?? full
  const factor = gram instanceof Float32Array ? await factorGramBy(product, gram, inputs, options) : gram
  if (factor.width !== inputs) {
    throw new AwqError(
      'INVALID_ARGUMENT',
      `${name}: the factor is for ${factor.width} inputs, the matrix has ${inputs}`,
    )
  }
  if (factor.feedback === null) return roundRtn(weight, shape, spec, ranges, { name })

  const grid = quantizationGrid(ranges, spec, { name })
  const codes = new Uint8Array(out * inputs)
  const rowsPerChunk = Math.max(128, Math.floor(CHUNK / inputs))
  for (let start = 0; start < out; start += rowsPerChunk) {
    const rows = Math.min(rowsPerChunk, out - start)
    const chunk = { weight, codes, start, rows, inputs, spec, grid }
    await roundRows(product, chunk, factor, factor.feedback, options.signal, (done) =>
      options.onProgress?.((start + rows * done) / out),
    )
  }
  const groupSize = effectiveGroupSize(spec.groupSize, inputs)
  return { bits: spec.bits, groupSize, shape: [out, inputs], codes, ...grid }
}

interface Chunk {
  readonly weight: Float32Array
  /** Receives the codes of the rows `start`..`start + rows`. */
  readonly codes: Uint8Array
  readonly start: number
  readonly rows: number
  readonly inputs: number
  readonly spec: QuantSpec
  readonly grid: QuantizationGrid
}

async function roundRows(
  product: MatrixProduct,
  chunk: Chunk,
  factor: GptqFactor,
  feedback: Float32Array,
  signal: AbortSignal | undefined,
  onProgress: (done: number) => void,
): Promise<void> {
  const { codes, start, rows, inputs, spec } = chunk
  const { order, dead } = factor
  // Columns become rows, in rounding order: then every inner loop runs along contiguous memory.
  const errors = columnsInOrder(chunk, order, dead)
  const { scales, zeros } = gridByGroup(chunk.grid, spec, inputs, start, rows)
  const groupSize = effectiveGroupSize(spec.groupSize, inputs)
  for (let first = 0; first < inputs; first += PANEL) {
    signal?.throwIfAborted()
    const size = Math.min(PANEL, inputs - first)
    const target = errors.subarray(first * rows, (first + size) * rows)
    // Row j of `errors` still holds the weights of column j until it is rounded, and then its error.
    const corrected =
      first === 0
        ? target.slice()
        : await product(
            {
              left: copyBlock(feedback, inputs, first, size, 0, first),
              right: errors.subarray(0, first * rows),
              addend: target,
              rows: size,
              inner: first,
              columns: rows,
            },
            signal,
          )
    const groups = Int32Array.from({ length: size }, (_, row) => Math.floor((order[first + row] as number) / groupSize))
    const panelCodes = roundPanel({
      corrected,
      errors: target,
      feedback: copyBlock(feedback, inputs, first, size, first, size),
      size,
      rows,
      groups,
      scales,
      zeros,
      steps: stepsOf(spec.bits),
    })
    for (let row = 0; row < rows; row++) {
      const base = (start + row) * inputs
      for (let column = 0; column < size; column++) {
        codes[base + (order[first + column] as number)] = panelCodes[column * rows + row] as number
      }
    }
    onProgress((first + size) / inputs)
  }
}

/** [in, rows]: the weights of each column in rounding order, zero where the column is dead. */
function columnsInOrder({ weight, start, rows, inputs }: Chunk, order: Int32Array, dead: Uint8Array): Float32Array {
  const columns = new Float32Array(inputs * rows)
  // Sixteen rows at a time: their cache lines are read whole while a column is gathered.
  for (let first = 0; first < rows; first += 16) {
    const last = Math.min(rows, first + 16)
    for (let position = 0; position < inputs; position++) {
      const column = order[position] as number
      if (dead[column] === 1) continue
      for (let row = first; row < last; row++) {
        columns[position * rows + row] = weight[(start + row) * inputs + column] as number
      }
    }
  }
  return columns
}
