import { Graph, int64s, reshape, type Value } from '@awq/onnx'
import { cachedSession, type Engine, type Tensor, tensor } from '@awq/ort'
import { checkSpec, effectiveGroupSize, type GroupRanges, groupsPerRow, type QuantSpec } from '@awq/quantize'
import { AwqError } from '@awq/tensor'
import { emitError, emitGrid, emitRanges } from './fake-quantize.ts'
import { resident } from './resident.ts'
import { type RowChunk, rowChunks } from './row-chunks.ts'
import { chunkTensor, type SearchOptions } from './scale-loss.ts'

/** How far a group's range may shrink: 1.00, 0.95 ... 0.45. */
export const CLIP_RATIOS: readonly number[] = Array.from({ length: 12 }, (_, index) => (20 - index) / 20)

/** A clip search over one matrix, after its columns were scaled. */
export interface ClipSearch extends SearchOptions {
  /** [rows, width] */
  readonly weight: Float32Array
  readonly rows: number
  readonly width: number
  /** [width, width], symmetric, of the scaled input (`scaleStats`); only its diagonal blocks are read. */
  readonly gram: Float32Array
  readonly spec: QuantSpec
  /** Ratios to try beside 1; default {@link CLIP_RATIOS}. */
  readonly ratios?: readonly number[] | undefined
  /** What error messages call the matrix. */
  readonly name?: string | undefined
}

/** The ranges a clip search chose. */
export interface ClipChoice {
  /** For `roundRtn` or `roundGptq`. */
  readonly ranges: GroupRanges
  /** Sum over groups of e G_g e^T, e the error of one row in one group; never above `unclippedLoss`. */
  readonly loss: number
  readonly unclippedLoss: number
}

/**
 * AWQ's clip search, per row and group: both ends of the range shrink by the ratio that gives the least
 * e G_g e^T, where e is that group's rounding error and G_g the diagonal block of `gram` (the published code takes the
 * mean squared partial product over sampled tokens instead). Ratio 1 is always tried, first; of equal losses the first wins.
 *
 * Peers leave out query and key projections, whose errors pass through the softmax; that is the caller's choice here.
 *
 * @throws AwqError INVALID_ARGUMENT for shapes or ratios that do not fit; NUMERIC when a group has no finite loss;
 *   `signal.reason` when aborted.
 */
export async function searchClip(engine: Engine, search: ClipSearch): Promise<ClipChoice> {
  const { weight, rows, width, gram, name = 'clip search' } = search
  const spec = checkSpec(search.spec)
  if (!Number.isSafeInteger(width) || width < 1 || gram.length !== width * width) {
    throw new AwqError(
      'INVALID_ARGUMENT',
      `${name}: a gram matrix of ${gram.length} values is not [${width}, ${width}]`,
    )
  }
  const wrong = search.ratios?.find((ratio) => !(ratio > 0 && ratio <= 1))
  if (wrong !== undefined)
    throw new AwqError('INVALID_ARGUMENT', `${name}: a clip ratio must be in (0, 1], not ${wrong}`)
  const ratios = [1, ...(search.ratios ?? CLIP_RATIOS).filter((ratio) => ratio !== 1)]
  const groupSize = effectiveGroupSize(spec.groupSize, width)
  const groups = groupsPerRow(spec.groupSize, width)
  const chunks = rowChunks([{ data: weight, rows }], width, groups * groupSize)
  const ranges = { low: new Float32Array(rows * groups), high: new Float32Array(rows * groups) }
  const result = { ranges, loss: 0, unclippedLoss: 0 }
  const total = chunks.length * ratios.length
  const problem = { groups, groupSize, blocks: diagonalBlocks(gram, width, groups, groupSize), spec, ratios, name }
  let firstRow = 0
  for (const [index, chunk] of chunks.entries()) {
    const onRatio = (done: number) => search.onProgress?.({ done: index * ratios.length + done, total })
    const choice = await clipChunk(engine, { ...problem, chunk, firstRow }, search.signal, onRatio)
    ranges.low.set(choice.ranges.low, firstRow * groups)
    ranges.high.set(choice.ranges.high, firstRow * groups)
    result.loss += choice.loss
    result.unclippedLoss += choice.unclippedLoss
    firstRow += chunk.rows
  }
  return result
}

interface ClipProblem {
  readonly chunk: RowChunk
  /** Of the chunk in the matrix, for messages. */
  readonly firstRow: number
  readonly groups: number
  readonly groupSize: number
  /** The diagonal blocks of the gram matrix, [groups, groupSize, groupSize]. */
  readonly blocks: Tensor
  readonly spec: QuantSpec
  readonly ratios: readonly number[]
  readonly name: string
}

async function clipChunk(
  engine: Engine,
  problem: ClipProblem,
  signal: AbortSignal | undefined,
  onRatio: (done: number) => void,
): Promise<ClipChoice> {
  const { chunk, groups, groupSize, spec, ratios } = problem
  const { rows } = chunk
  const key = `${groups} ${groupSize} ${spec.bits} ${spec.symmetric}`
  const prepare = await cachedSession(engine, `search clip ranges ${groups} ${groupSize}`, () =>
    rangesGraph(groups, groupSize).toBytes(),
  )
  const measure = await cachedSession(engine, `search clip loss ${key}`, () =>
    clipLossGraph(groups, groupSize, spec).toBytes(),
  )
  const held = resident(engine)
  try {
    signal?.throwIfAborted()
    const prepared = await prepare.run({ weight: chunkTensor(chunk, groups * groupSize) })
    const { byGroup, low, high } = prepared as Record<'byGroup' | 'low' | 'high', (typeof prepared)[string]>
    const feeds = {
      weight: held.keep(byGroup),
      low: held.keep(low),
      high: held.keep(high),
      gram: held.keep(problem.blocks),
    }
    const best = new Float32Array(groups * rows).fill(Number.POSITIVE_INFINITY)
    const chosen = new Float32Array(groups * rows)
    let unclippedLoss = 0
    for (const [index, ratio] of ratios.entries()) {
      signal?.throwIfAborted()
      const outputs = await measure.run({ ...feeds, ratio: tensor('float32', [], Float32Array.of(ratio)) })
      const losses = outputs.loss!.data as Float32Array
      for (let at = 0; at < losses.length; at++) {
        const loss = losses[at]!
        if (index === 0) unclippedLoss += loss
        if (loss < best[at]!) {
          best[at] = loss
          chosen[at] = ratio
        }
      }
      onRatio(index + 1)
    }
    return {
      ...chooseRanges(problem, low.data as Float32Array, high.data as Float32Array, best, chosen),
      unclippedLoss,
    }
  } finally {
    held.dispose()
  }
}

/** From [groups, rows], as the graphs have it, to the quantizer's [rows, groups]. */
function chooseRanges(
  { chunk: { rows }, firstRow, groups, name }: ClipProblem,
  low: Float32Array,
  high: Float32Array,
  best: Float32Array,
  chosen: Float32Array,
): { ranges: GroupRanges; loss: number } {
  const ranges = { low: new Float32Array(rows * groups), high: new Float32Array(rows * groups) }
  let loss = 0
  for (let group = 0; group < groups; group++) {
    for (let row = 0; row < rows; row++) {
      const from = group * rows + row
      if (chosen[from] === 0) {
        throw new AwqError(
          'NUMERIC',
          `${name}: no ratio gives row ${firstRow + row}, group ${group} a finite loss; the weights or the gram matrix are not finite`,
        )
      }
      // Rounded to float32 as in the graph that found the loss.
      ranges.low[row * groups + group] = low[from]! * chosen[from]!
      ranges.high[row * groups + group] = high[from]! * chosen[from]!
      loss += best[from]!
    }
  }
  return { ranges, loss }
}

/** The diagonal blocks of the gram matrix, [groups, groupSize, groupSize], zeros behind the last column. */
function diagonalBlocks(gram: Float32Array, width: number, groups: number, groupSize: number): Tensor {
  const blocks = new Float32Array(groups * groupSize * groupSize)
  for (let column = 0; column < width; column++) {
    const start = column - (column % groupSize)
    const end = Math.min(width, start + groupSize)
    blocks.set(gram.subarray(column * width + start, column * width + end), column * groupSize)
  }
  return tensor('float32', [groups, groupSize, groupSize], blocks)
}

/** `weight` [rows, padded] -> `byGroup`, the same as [groups, rows, groupSize], and `low`, `high` [groups * rows]. */
function rangesGraph(groups: number, groupSize: number): Graph {
  const graph = new Graph('clip-ranges')
  const weight = graph.input('weight', 'float32', ['rows', groups * groupSize])
  const split = reshape(graph, weight, [-1, groups, groupSize])
  const byGroup = graph.add('Transpose', [split], { perm: [1, 0, 2] })
  const { low, high } = emitRanges(graph, reshape(graph, byGroup, [-1, groupSize]))
  graph.output('byGroup', byGroup)
  graph.output('low', low)
  graph.output('high', high)
  return graph
}

/** `weight` [groups, rows, groupSize], `low`, `high` [groups * rows], `gram`, `ratio` -> `loss` [groups * rows]. */
function clipLossGraph(groups: number, groupSize: number, spec: QuantSpec): Graph {
  const graph = new Graph('clip-loss')
  const weight = graph.input('weight', 'float32', [groups, 'rows', groupSize])
  const gram = graph.input('gram', 'float32', [groups, groupSize, groupSize])
  const ratio = graph.input('ratio', 'float32', [])
  const shrunk = (end: Value) => graph.add('Mul', [end, ratio])
  const low = shrunk(graph.input('low', 'float32', ['ranges']))
  const high = shrunk(graph.input('high', 'float32', ['ranges']))
  const flat = reshape(graph, weight, [-1, groupSize])
  const error = emitError(graph, flat, emitGrid(graph, low, high, spec), spec)
  const byGroup = reshape(graph, error, [groups, -1, groupSize])
  const product = graph.add('Mul', [graph.add('MatMul', [byGroup, gram]), byGroup])
  const flatProduct = reshape(graph, product, [-1, groupSize])
  graph.output('loss', graph.add('ReduceSum', [flatProduct, int64s(graph, [1])], { keepdims: 0 }))
  return graph
}
