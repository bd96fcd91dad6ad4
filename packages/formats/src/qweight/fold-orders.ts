/**
 * Matrices whose inputs are in an order of their own: where what makes the inputs serves nobody else, its rows take the order,
 * and no Gather is left. The model stays the same, to the bit.
 * @module
 */
import { type ModelDescription, rowOrders } from '@awq/models'
import type { QuantizedMatrix, TensorEntry } from '@awq/tensor'
import type { Parameter, QuantizedParameter } from '../model.ts'
import type { OrderedParameter } from './gptq-read.ts'

/** Rows of `size` elements, row `at` taken from row `order[at]`. */
const movedRows = <T extends Uint8Array | Uint16Array>(values: T, order: Int32Array): T => {
  const size = values.length / order.length
  const moved = new (values.constructor as new (length: number) => T)(values.length)
  for (let at = 0; at < order.length; at++)
    moved.set(values.subarray(order[at]! * size, (order[at]! + 1) * size), at * size)
  return moved
}

const movedMatrix = (matrix: QuantizedMatrix, order: Int32Array): QuantizedMatrix => ({
  ...matrix,
  codes: movedRows(matrix.codes, order),
  scales: movedRows(matrix.scales, order),
  zeroPoints: matrix.zeroPoints && movedRows(matrix.zeroPoints, order),
})

const movedEntry = (entry: TensorEntry, order: Int32Array): TensorEntry => ({
  ...entry,
  file: `${entry.file}, rows in another order`,
  async read({ rows, ...options } = {}) {
    const moved = movedRows(await entry.read(options), order)
    const size = moved.length / order.length
    return rows ? moved.slice(rows[0] * size, rows[1] * size) : moved
  },
})

const moved = (parameter: Parameter, order: Int32Array): Parameter =>
  parameter.kind === 'float'
    ? { ...parameter, entry: movedEntry(parameter.entry, order) }
    : { ...parameter, read: async (options) => movedMatrix(await parameter.read(options), order) }

/** The matrix with columns as they are, for inputs that come in its order. */
const withoutOrder = (parameter: QuantizedParameter): OrderedParameter => ({
  ...parameter,
  inputOrder: false,
  order: undefined,
  async read(options) {
    const { inputOrder: _, ...matrix } = await parameter.read(options)
    return matrix
  },
})

const orderOf = (parameter: Parameter | undefined): Int32Array | undefined =>
  parameter?.kind === 'quantized' && parameter.inputOrder ? (parameter as OrderedParameter).order : undefined

/** Parameters with orders folded where they can be. */
export const foldOrders = (
  parameters: ReadonlyMap<string, Parameter>,
  { blocks, parameter }: ModelDescription,
): Map<string, Parameter> => {
  const result = new Map(parameters)
  for (const [layer, { steps, linears }] of blocks.entries()) {
    const weightOf = (name: string): string => parameter(layer, `${name}.weight`)
    const turned = new Set(linears.flatMap(({ name, transposed }) => (transposed ? [name] : [])))
    for (const site of new Set(linears.map((linear) => linear.site))) {
      const readers = linears.filter((linear) => linear.site === site).map(({ name }) => weightOf(name))
      const [order, ...others] = readers.map((name) => orderOf(result.get(name)))
      if (!order || others.some((other) => other?.join() !== order.join())) continue
      const rows = rowOrders(steps, site, order)
      const isHeld = (name: string): boolean => !turned.has(name) || result.get(weightOf(name))?.kind === 'quantized'
      if (!rows || ![...rows.keys()].every(isHeld)) continue
      for (const [name, own] of rows)
        for (const full of [weightOf(name), parameter(layer, `${name}.bias`)]) {
          const found = result.get(full)
          if (found) result.set(full, moved(found, own))
        }
      for (const name of readers) result.set(name, withoutOrder(result.get(name) as QuantizedParameter))
    }
  }
  return result
}
