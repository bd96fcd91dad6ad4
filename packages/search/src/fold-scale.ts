import { AwqError } from '@awq/tensor'

/** The parameters that make the scaled channels. `norm1p` is a norm that multiplies by 1 + weight (Gemma). */
export type Producer =
  | { readonly kind: 'norm' | 'norm1p'; readonly weight: Float32Array; readonly bias?: Float32Array | undefined }
  | {
      readonly kind: 'linear' | 'value'
      /** [rows, width] */
      readonly weight: Float32Array
      readonly rows: number
      readonly bias?: Float32Array | undefined
    }

/** A producer after the fold: its weight, and its bias if it has one. */
export interface FoldedProducer {
  readonly weight: Float32Array
  readonly bias?: Float32Array
}

/**
 * The consumers' columns times their scale: W S.
 * @param weight [rows, width] with width = scale.length
 * @throws AwqError INVALID_ARGUMENT when the weight is no whole number of rows.
 */
export function scaleColumns(weight: Float32Array, scale: Float32Array): Float32Array {
  const width = scale.length
  checkScale(scale)
  if (weight.length % width !== 0) {
    throw new AwqError('INVALID_ARGUMENT', `a weight of ${weight.length} values has no rows of ${width}`)
  }
  const result = new Float32Array(weight.length)
  for (let start = 0; start < weight.length; start += width) {
    for (let column = 0; column < width; column++) {
      result[start + column] = weight[start + column]! * scale[column]!
    }
  }
  return result
}

/**
 * The producer with the inverse scale folded in, so that the consumers scaled by {@link scaleColumns} compute what they
 * did: weight / s for a norm, (1 + weight) / s - 1 for `norm1p`, rows and bias / s for a linear. Each row or channel is
 * divided once, however many columns it feeds (grouped-query attention); those that feed none stay.
 *
 * @param scale [width of the consumers]
 * @param producerRow [width of the consumers], the producer's row or channel behind each column
 * @throws AwqError INVALID_ARGUMENT when columns of one row differ in scale, or a row is out of range.
 */
export function foldIntoProducer(producer: Producer, scale: Float32Array, producerRow: Int32Array): FoldedProducer {
  const rows = 'rows' in producer ? producer.rows : producer.weight.length
  const divisor = rowDivisors(scale, producerRow, rows)
  if (producer.weight.length % rows !== 0 || (producer.bias !== undefined && producer.bias.length !== rows)) {
    throw new AwqError(
      'INVALID_ARGUMENT',
      `a producer of ${producer.weight.length} values with a bias of ${producer.bias?.length ?? 0} does not have ${rows} rows`,
    )
  }
  const size = producer.weight.length / rows
  const offset = producer.kind === 'norm1p' ? 1 : 0
  const weight = new Float32Array(producer.weight.length)
  for (let row = 0; row < rows; row++) {
    const by = divisor[row]!
    for (let at = row * size; at < (row + 1) * size; at++) {
      weight[at] = (producer.weight[at]! + offset) / by - offset
    }
  }
  return { weight, ...(producer.bias && { bias: producer.bias.map((value, row) => value / divisor[row]!) }) }
}

/** The scale of each of the producer's rows; 1 for those that no column reads. */
function rowDivisors(scale: Float32Array, producerRow: Int32Array, rows: number): Float32Array {
  checkScale(scale)
  if (producerRow.length !== scale.length) {
    throw new AwqError('INVALID_ARGUMENT', `producerRow has ${producerRow.length} entries for ${scale.length} scales`)
  }
  const divisor = new Float32Array(rows)
  producerRow.forEach((row, column) => {
    if (row < 0 || row >= rows) {
      throw new AwqError('INVALID_ARGUMENT', `column ${column} comes from row ${row} of a producer with ${rows} rows`)
    }
    if (divisor[row] !== 0 && divisor[row] !== scale[column]) {
      throw new AwqError(
        'INVALID_ARGUMENT',
        `columns of the producer's row ${row} have the scales ${divisor[row]} and ${scale[column]}: they must be equal`,
      )
    }
    divisor[row] = scale[column]!
  })
  return divisor.map((value) => (value === 0 ? 1 : value))
}

function checkScale(scale: Float32Array): void {
  const wrong = scale.findIndex((value) => !(value > 0 && value < Number.POSITIVE_INFINITY))
  if (scale.length === 0 || wrong >= 0) {
    throw new AwqError(
      'INVALID_ARGUMENT',
      `the scale of channel ${wrong} is ${scale[wrong]}: it must be positive and finite`,
    )
  }
}
