/**
 * Tower and projector as one ONNX graph: pixels in, rows of the language model's residual stream out.
 * @module
 */
import { Graph, reshape, scalar, slice, type Value } from '@awq/onnx'
import { AwqError } from '@awq/tensor'
import type { BlockBinding } from '../binding.ts'
import { emitSteps } from '../emit-steps.ts'
import type { ActivationType } from '../sequence.ts'
import type { Step } from '../steps.ts'
import type { Size } from './any-resolution.ts'
import { patchKernel, patchValues, type VisionDescription } from './describe-vision.ts'
import { emitTowerAttention, type TowerInputs } from './emit-tower-attention.ts'
import { bucketPositions } from './grid.ts'
import type { Rearrangement, TowerTable } from './table.ts'
import { servingVisionPort, type VisionPort } from './vision-port.ts'

/** How a vision graph is emitted. */
export interface VisionOptions {
  /** Type of activations, `float32` by default. The binding must give its parameters in it. */
  readonly dtype?: ActivationType | undefined
  /** Pixels of a tile; default those that the tower was trained on. Towers that are given patches do not need it. */
  readonly tile?: Size | undefined
  /** What inputs and outputs are, `servingVisionPort` by default. */
  readonly port?: VisionPort | undefined
}

const cast = (graph: Graph, x: Value, to: ActivationType): Value =>
  x.dtype === to ? x : graph.add('Cast', [x], { to })

/** Tiles `[tiles, channels, height, width]` cut into squares: `[tiles, patches, channels * patch * patch]`. */
const cutTiles = (graph: Graph, x: Value, channels: number, patch: number, [height, width]: Size): Value => {
  const [rows, columns] = [Math.floor(height / patch), Math.floor(width / patch)]
  let whole = x
  if (height % patch !== 0) whole = slice(graph, whole, { axis: 2, start: 0, end: rows * patch })
  if (width % patch !== 0) whole = slice(graph, whole, { axis: 3, start: 0, end: columns * patch })
  const cut = reshape(graph, whole, [-1, channels, rows, patch, columns, patch])
  const ordered = graph.add('Transpose', [cut], { perm: [0, 2, 4, 1, 3, 5] })
  return reshape(graph, ordered, [-1, rows * columns, channels * patch * patch])
}

const emitPatches = (graph: Graph, x: Value, tower: TowerTable, binding: BlockBinding): Value => {
  const { weight, bias } = tower.patches
  const kernel = binding.matrix(graph, `${weight}.weight`, patchKernel(tower))
  const rows = reshape(graph, kernel, [tower.hiddenSize, patchValues(tower)])
  const product = graph.add('MatMul', [x, graph.add('Transpose', [rows], { perm: [1, 0] })])
  return bias ? graph.add('Add', [product, binding.vector(graph, `${weight}.bias`, tower.hiddenSize)]) : product
}

/** Adds the class token and the learned positions to `[tiles, patches, hidden]`. */
const emitPositions = (graph: Graph, x: Value, tower: TowerTable, binding: BlockBinding, tile: Size): Value => {
  const { classToken, positions, hiddenSize } = tower
  let tokens = x
  if (classToken) {
    const vector = reshape(graph, binding.vector(graph, classToken, hiddenSize), [1, 1, hiddenSize])
    const first = slice(graph, x, { axis: 1, start: 0, end: 1 })
    const each = graph.add('Add', [graph.add('Mul', [first, scalar(graph, x.dtype, 0)]), vector])
    tokens = graph.add('Concat', [each, x], { axis: 1 })
  }
  if (!positions) return tokens
  const table = binding.matrix(graph, positions.table, [positions.rows, hiddenSize])
  if (positions.lookup === 'ordered') return graph.add('Add', [tokens, table])
  const { patch } = tower.pixels
  const grid = { rows: Math.floor(tile[0] / patch), columns: Math.floor(tile[1] / patch) }
  const rows = bucketPositions(grid, Math.sqrt(positions.rows))
  return graph.add('Add', [
    tokens,
    graph.add('Gather', [table, graph.constant('int64', [rows.length], rows)], { axis: 0 }),
  ])
}

/** Rearranges `[tiles, rows * columns, width]`. */
const emitRearranged = (graph: Graph, x: Value, { kind, factor }: Rearrangement, tile: Size, width: number): Value => {
  if (kind === 'merge') return reshape(graph, x, [1, -1, width * factor ** 2])
  const [rows, columns] = tile
  const [down, across] = [Math.floor(rows / factor), Math.floor(columns / factor)]
  if (kind === 'average') {
    // Patches past the last whole square are left out.
    const map = reshape(graph, x, [-1, rows, columns, width])
    const cut = slice(graph, slice(graph, map, { axis: 1, start: 0, end: down * factor }), {
      ...{ axis: 2, start: 0, end: across * factor },
    })
    const squares = reshape(graph, cut, [-1, down, factor, across, factor, width])
    const axes = graph.constant('int64', [2], [2, 4])
    return reshape(graph, graph.add('ReduceMean', [squares, axes], { keepdims: 0 }), [-1, down * across, width])
  }
  if (rows % factor !== 0 || columns % factor !== 0)
    throw new AwqError('CONFIG', `a grid of ${rows} x ${columns} patches does not fall into squares of ${factor}`)
  const squares = reshape(graph, x, [-1, down, factor, across, factor, width])
  const ordered = graph.add('Transpose', [squares], { perm: [0, 1, 3, 2, 4, 5] })
  return reshape(graph, ordered, [-1, down * across, factor * factor * width])
}

/**
 * Emits tower and projector: from what the port takes, by default `servingVisionPort`, to float32 `[rows, hidden]` in the order
 * in which they stand in a prompt.
 */
export const emitVision = (vision: VisionDescription, binding: BlockBinding, options: VisionOptions = {}): Graph => {
  const { tower, projector, anyResolution, rowSize } = vision
  const { dtype = 'float32' } = options
  const { pixels } = tower
  const tile: Size = options.tile ?? (pixels.kind === 'tiles' ? [pixels.size, pixels.size] : [0, 0])
  const grid: Size = [Math.floor(tile[0] / pixels.patch), Math.floor(tile[1] / pixels.patch)]
  const graph = new Graph('vision')
  const { port = servingVisionPort } = options
  const given = port(graph, { vision, tile })
  const typed = cast(graph, given.pixels, dtype)
  const cut =
    pixels.kind === 'tiles'
      ? cutTiles(graph, typed, pixels.channels, pixels.patch, tile)
      : reshape(graph, typed, [1, -1, patchValues(tower)])
  const { rope } = given.tower
  const inputs: TowerInputs = {
    ...given.tower,
    rope: rope && { cos: cast(graph, rope.cos, dtype), sin: cast(graph, rope.sin, dtype) },
  }
  const run = (x: Value, steps: readonly Step[], inWindows = false): Value =>
    emitSteps(graph, { steps, name: 'vision' }, new Map([['hidden', x]]), {
      ...{ binding, attention: 'plain', results: ['hidden'] },
      attend: (step, read) => emitTowerAttention(graph, step, read, inputs, inWindows),
    }).read('hidden')
  let hidden = emitPositions(graph, emitPatches(graph, cut, tower, binding), tower, binding, tile)
  hidden = run(hidden, tower.before)
  const streams = [hidden]
  for (const { steps, windowed: inWindows } of tower.blocks) {
    hidden = run(hidden, steps, inWindows)
    streams.push(hidden)
  }
  const taken = tower.taken.map((at) => streams[at]!)
  hidden = taken.length === 1 ? taken[0]! : graph.add('Concat', taken, { axis: -1 })
  hidden = run(hidden, tower.after)
  if (tower.dropsClass) hidden = slice(graph, hidden, { axis: 1, start: 1 })
  hidden = run(hidden, projector.before)
  if (projector.rearrange)
    hidden = emitRearranged(graph, hidden, projector.rearrange, grid, tower.hiddenSize * taken.length)
  const rows = reshape(graph, run(hidden, projector.after), [-1, rowSize])
  const features =
    anyResolution && given.order ? emitPacked(graph, rows, given.order, anyResolution.newline, rowSize, binding) : rows
  given.finish(cast(graph, features, 'float32'))
  return graph
}

/** Rows in the order of a prompt, the vector that ends a row behind them all. */
const emitPacked = (
  graph: Graph,
  rows: Value,
  order: Value,
  newline: string,
  rowSize: number,
  binding: BlockBinding,
): Value => {
  const last = reshape(graph, binding.vector(graph, newline, rowSize), [1, rowSize])
  const all = graph.add('Concat', [rows, last], { axis: 0 })
  return graph.add('Gather', [all, order], { axis: 0 })
}
