/**
 * The exact effect of moving the scales of a few channels on tr(E G E^T), from the columns of their groups alone: with D
 * the change of E, which is zero outside of these columns, it is the sum of D * (2 E G + D G) over them.
 * @module
 */
import { Graph, reshape, type Value } from '@awq/onnx'
import { cachedSession, type DeviceTensor, type Tensor, tensor } from '@awq/ort'
import { effectiveGroupSize, groupsPerRow, type QuantSpec } from '@awq/quantize'
import { emitError, emitGrid, emitRanges } from './fake-quantize.ts'
import { resident } from './resident.ts'
import { rowChunks } from './row-chunks.ts'
import type { ScaleContext } from './strategy.ts'

/** The columns of some quantization groups, opened for moves of their scales. */
export interface MoveWindow {
  /** Their scales as they stand; with ones behind the last column of the matrix. */
  readonly scale: Float32Array
  /** Where a column of the matrix lies within. */
  indexOf(column: number): number
  /** What each of these scales would change the loss by; NaN where one leaves float16. */
  changes(scales: readonly Float32Array[]): Promise<number[]>
  take(scale: Float32Array): Promise<void>
  /** Writes the errors back to the whole. */
  close(): void
}

/** Moves over a whole matrix. */
export interface ChannelMoves {
  open(groups: readonly number[], scale: Float32Array): Promise<MoveWindow>
  dispose(): void
}

/** Some rows: their weights and errors in full, and what a window has cut out of them. */
interface Rows {
  readonly rows: number
  readonly weight: Float32Array
  readonly error: Float32Array
}

interface WindowRows {
  readonly weight: Tensor | DeviceTensor
  error: Tensor
  pull: Tensor
}

/** Starts from the errors that `scale` [width] has. */
export async function openChannelMoves(context: ScaleContext, scale: Float32Array): Promise<ChannelMoves> {
  const { engine, weights, width, stats, spec, signal } = context
  const groupSize = effectiveGroupSize(spec.groupSize, width)
  const padded = groupSize * groupsPerRow(spec.groupSize, width)
  const key = `search channel ${groupSize} ${spec.bits} ${spec.symmetric}`
  const [errors, products, tries, steps] = await Promise.all([
    cachedSession(engine, `${key} error`, () => errorGraph(groupSize, spec).toBytes()),
    cachedSession(engine, 'search channel product', () => productGraph().toBytes()),
    cachedSession(engine, `${key} try`, () => changeGraph(groupSize, spec, false).toBytes()),
    cachedSession(engine, `${key} take`, () => changeGraph(groupSize, spec, true).toBytes()),
  ])
  const whole = scaleFeeds([padScale(scale, padded)])
  const chunks: Rows[] = []
  for (const { data, rows } of rowChunks(weights, width, padded)) {
    signal?.throwIfAborted()
    const { error } = await errors.run({ weight: tensor('float32', [rows, padded], data), ...whole })
    chunks.push({ rows, weight: data, error: (error!.data as Float32Array).slice() })
  }

  const open = async (groups: readonly number[], current: Float32Array): Promise<MoveWindow> => {
    const size = groups.length * groupSize
    const columns = groups.flatMap((group) => Array.from({ length: groupSize }, (_, at) => group * groupSize + at))
    const indexOf = new Map(columns.map((column, at) => [column, at]))
    const held = resident(engine)
    const beside = gramColumns(stats.gram, width, padded, columns)
    const gram = held.keep(tensor('float32', [size, size], cut(beside, size, columns)))
    const besideTensor = held.keep(tensor('float32', [padded, size], beside))
    const parts: WindowRows[] = []
    for (const { rows, weight, error } of chunks) {
      const { product } = await products.run({ left: tensor('float32', [rows, padded], error), right: besideTensor })
      parts.push({
        weight: held.keep(tensor('float32', [rows, size], pick(weight, padded, columns, groups, groupSize))),
        error: tensor('float32', [rows, size], pick(error, padded, columns, groups, groupSize)),
        pull: product!,
      })
    }
    let now: Float32Array = Float32Array.from(columns, (column) => (column < width ? current[column]! : 1))
    return {
      get scale() {
        return now
      },
      indexOf: (column) => indexOf.get(column)!,
      async changes(scales) {
        const sums = scales.map(() => 0)
        const vectors = scaleFeeds(scales)
        for (const part of parts) {
          const { change } = await tries.run({ ...part, gram, ...vectors })
          const values = change!.data as Float32Array
          sums.forEach((_, at) => {
            sums[at]! += values[at]!
          })
        }
        return sums
      },
      async take(taken) {
        for (const part of parts) {
          const { errorNext, pullNext } = await steps.run({ ...part, gram, ...scaleFeeds([taken]) })
          part.error = errorNext!
          part.pull = pullNext!
        }
        now = taken
      },
      close() {
        parts.forEach((part, at) => {
          const { error, rows } = chunks[at]!
          const values = part.error.data as Float32Array
          groups.forEach((group, index) => {
            for (let row = 0; row < rows; row++) {
              const from = row * size + index * groupSize
              error.set(values.subarray(from, from + groupSize), row * padded + group * groupSize)
            }
          })
        })
        held.dispose()
      },
    }
  }
  return { open, dispose: () => {} }
}

/** Scales [size] and their inverses as [count, 1, size]. */
function scaleFeeds(scales: readonly Float32Array[]): Record<'scale' | 'inverse', Tensor> {
  const size = scales[0]!.length
  const data = new Float32Array(scales.length * size)
  scales.forEach((scale, at) => {
    data.set(scale, at * size)
  })
  const shape = [scales.length, 1, size]
  return {
    scale: tensor('float32', shape, data),
    inverse: tensor(
      'float32',
      shape,
      data.map((value) => 1 / value),
    ),
  }
}

function padScale(scale: Float32Array, padded: number): Float32Array {
  const result = new Float32Array(padded).fill(1)
  result.set(scale)
  return result
}

/** The columns of whole groups out of [rows, padded]. */
function pick(
  matrix: Float32Array,
  padded: number,
  columns: readonly number[],
  groups: readonly number[],
  groupSize: number,
): Float32Array {
  const rows = matrix.length / padded
  const size = columns.length
  const result = new Float32Array(rows * size)
  for (let row = 0; row < rows; row++) {
    groups.forEach((group, index) => {
      const from = row * padded + group * groupSize
      result.set(matrix.subarray(from, from + groupSize), row * size + index * groupSize)
    })
  }
  return result
}

/** Columns of the Gram matrix, [padded, columns], zeros for those behind the last one. */
function gramColumns(gram: Float32Array, width: number, padded: number, columns: readonly number[]): Float32Array {
  const size = columns.length
  const result = new Float32Array(padded * size)
  for (let row = 0; row < width; row++) {
    columns.forEach((column, at) => {
      if (column < width) result[row * size + at] = gram[row * width + column]!
    })
  }
  return result
}

/** The rows of `beside` [padded, size] that its columns stand for, [size, size]. */
function cut(beside: Float32Array, size: number, columns: readonly number[]): Float32Array {
  const result = new Float32Array(size * size)
  columns.forEach((column, at) => {
    result.set(beside.subarray(column * size, (column + 1) * size), at * size)
  })
  return result
}

/** Errors [.., rows, size] of `weight` [rows, size] with scales [.., 1, size]. */
function emitScaledErrors(graph: Graph, weight: Value, groupSize: number, spec: QuantSpec): Value {
  const scale = graph.input('scale', 'float32', ['scales', 1, 'size'])
  const inverse = graph.input('inverse', 'float32', ['scales', 1, 'size'])
  const scaled = graph.add('Mul', [weight, scale])
  const groups = reshape(graph, scaled, [-1, groupSize])
  const { low, high } = emitRanges(graph, groups)
  const error = emitError(graph, groups, emitGrid(graph, low, high, spec), spec)
  const whole = graph.add('Reshape', [error, graph.add('Shape', [scaled])])
  return graph.add('Mul', [whole, inverse])
}

/** `weight` [rows, size], one scale -> `error` [1, rows, size]. */
function errorGraph(groupSize: number, spec: QuantSpec): Graph {
  const graph = new Graph('channel-error')
  graph.output('error', emitScaledErrors(graph, graph.input('weight', 'float32', ['rows', 'size']), groupSize, spec))
  return graph
}

function productGraph(): Graph {
  const graph = new Graph('channel-product')
  const left = graph.input('left', 'float32', ['rows', 'inner'])
  graph.output('product', graph.add('MatMul', [left, graph.input('right', 'float32', ['inner', 'columns'])]))
  return graph
}

/**
 * `weight`, `error`, `pull` = E G [rows, size], `gram` [size, size], scales -> `change` [scales], or with `take`, for one
 * scale, `errorNext` and `pullNext` [rows, size].
 */
function changeGraph(groupSize: number, spec: QuantSpec, take: boolean): Graph {
  const graph = new Graph(take ? 'channel-take' : 'channel-try')
  const [weight, error, pull] = ['weight', 'error', 'pull'].map((name) =>
    graph.input(name, 'float32', ['rows', 'size']),
  ) as [Value, Value, Value]
  const gram = graph.input('gram', 'float32', ['size', 'size'])
  const next = emitScaledErrors(graph, weight, groupSize, spec)
  const change = graph.add('Sub', [next, error])
  const pulled = graph.add('MatMul', [change, gram])
  if (take) {
    const flat = (value: Value) => graph.add('Reshape', [value, graph.add('Shape', [error])])
    graph.output('errorNext', flat(next))
    graph.output('pullNext', graph.add('Add', [flat(pulled), pull]))
    return graph
  }
  const twice = graph.add('Add', [graph.add('Add', [pull, pull]), pulled])
  const product = reshape(graph, graph.add('Mul', [twice, change]), [0, -1])
  const rowSums = graph.constant('int64', [1], [1])
  graph.output('change', graph.add('ReduceSum', [product, rowSums], { keepdims: 0 }))
  return graph
}
