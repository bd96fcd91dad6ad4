/**
 * The product of columns that stayed float, beside the product of a matrix's codes.
 * @module
 */
import type { ActivationType } from '@awq/models'
import { type Graph, int64s, scalar, type Value } from '@awq/onnx'
import { adjoiningRange } from '@awq/quantize'
import type { FileRange } from '@awq/tensor'
import type { WeightLinks } from './weight-links.ts'

/** Columns of a packed matrix that stay float: y += x[indices] values^T. The codes of these columns add nothing. */
export interface PackedColumns {
  /** `[count]`, ascending. */
  readonly indices: Int32Array
  /** float16 `[out, count]` */
  readonly values: FileRange
}

/** The columns of siblings as those of one matrix: the same indices, and values side by side. Undefined if they are not. */
export const joinColumns = (siblings: readonly (PackedColumns | null)[]): PackedColumns | null | undefined => {
  const [first] = siblings
  const columns = siblings.filter((sibling) => sibling !== null)
  if (!first || columns.length < siblings.length) return columns.length === 0 ? null : undefined
  const same = ({ indices }: PackedColumns): boolean =>
    indices.length === first.indices.length && indices.every((column, at) => column === first.indices[at])
  const values = adjoiningRange(columns.map((sibling) => sibling.values))
  return values && columns.every(same) ? { indices: first.indices, values } : undefined
}

const indicesOf = (graph: Graph, { indices }: PackedColumns): Value =>
  graph.constant('int32', [indices.length], indices)

/**
 * `x` with zeros in dense columns, for products that round activations block by block: the large activations are what
 * these columns were chosen for, and would coarsen the grid of their blocks.
 * @param x `[..., width]`
 */
export const withoutColumns = (graph: Graph, x: Value, columns: PackedColumns, width: number): Value => {
  const dtype = x.dtype as ActivationType
  // Both are constants, computed while the graph is loaded.
  const ones = graph.add('Expand', [scalar(graph, dtype, 1), int64s(graph, [width])])
  const zeros = graph.add('Expand', [scalar(graph, dtype, 0), int64s(graph, [columns.indices.length])])
  return graph.add('Mul', [x, graph.add('ScatterElements', [ones, indicesOf(graph, columns), zeros], { axis: 0 })])
}

/**
 * `x[..., indices] values^T`, in the type of `x`.
 * @param x `[..., width]`
 * @param out rows of the matrix
 */
export const emitColumns = (
  graph: Graph,
  links: WeightLinks,
  x: Value,
  name: string,
  columns: PackedColumns,
  out: number,
): Value => {
  const stored = graph.external(
    `${name}.denseValues`,
    'float16',
    [out, columns.indices.length],
    links.link(columns.values),
  )
  const values = x.dtype === 'float16' ? stored : graph.add('Cast', [stored], { to: x.dtype })
  const chosen = graph.add('Gather', [x, indicesOf(graph, columns)], { axis: -1 })
  return graph.add('MatMul', [chosen, graph.add('Transpose', [values], { perm: [1, 0] })])
}
