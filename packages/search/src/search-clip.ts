import { cachedSession, type Engine, type Tensor, tensor } from '@awq/ort'
import { checkSpec, effectiveGroupSize, type GroupRanges, groupsPerRow, type QuantSpec } from '@awq/quantize'
import { AwqError } from '@awq/tensor'
import { type ClipForm, clipLossGraph, clipRangesGraph } from './clip-graph.ts'
import { type ClipOptions, clipStages } from './clip-options.ts'
import { resident } from './resident.ts'
import { type RowChunk, rowChunks } from './row-chunks.ts'
import { chunkTensor, type SearchOptions } from './scale-loss.ts'

/** A clip search over one matrix, after its columns were scaled. */
export interface ClipSearch extends SearchOptions, ClipOptions {
  /** [rows, width] */
  readonly weight: Float32Array
  readonly rows: number
  readonly width: number
  /** [width, width], symmetric, of the scaled input (`scaleStats`); only its diagonal blocks are read. */
  readonly gram: Float32Array
  readonly spec: QuantSpec
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
 * AWQ's clip search, per row and group: the range that gives the least e G_g e^T, where e is that group's rounding error
 * and G_g the diagonal block of `gram` (the published code takes the mean squared partial product over sampled tokens
 * instead, which is the same with the Gram matrix of these tokens). The full range is always tried, first; of equal losses
 * the first wins. {@link ClipOptions} say how ranges shrink.
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
  const stages = clipStages(search, spec, name)
  const groupSize = effectiveGroupSize(spec.groupSize, width)
  const groups = groupsPerRow(spec.groupSize, width)
  const chunks = rowChunks([{ data: weight, rows }], width, groups * groupSize)
  const ranges = { low: new Float32Array(rows * groups), high: new Float32Array(rows * groups) }
  const result = { ranges, loss: 0, unclippedLoss: 0 }
  const perChunk = stages.reduce((sum, { ratios }) => sum + ratios.length, 0)
  const form: ClipForm = { groups, groupSize, spec, rule: search.rule ?? {}, clamp: search.clamp ?? 'ends' }
  const blocks = diagonalBlocks(gram, width, groups, groupSize)
  let firstRow = 0
  for (const [index, chunk] of chunks.entries()) {
    const onRatio = (done: number) =>
      search.onProgress?.({ done: index * perChunk + done, total: chunks.length * perChunk })
    const choice = await clipChunk(engine, { chunk, firstRow, form, stages, blocks, name }, search.signal, onRatio)
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
  readonly form: ClipForm
  readonly stages: ReturnType<typeof clipStages>
  /** The diagonal blocks of the gram matrix, [groups, groupSize, groupSize]. */
  readonly blocks: Tensor
  readonly name: string
}

/** What each group [groups * rows] has chosen so far; a ratio of 0 where no loss was finite. */
interface Chosen {
  readonly loss: Float32Array
  readonly low: Float32Array
  readonly high: Float32Array
}

async function clipChunk(
  engine: Engine,
  problem: ClipProblem,
  signal: AbortSignal | undefined,
  onRatio: (done: number) => void,
): Promise<ClipChoice> {
  const { chunk, form, stages } = problem
  const key = JSON.stringify(form)
  const prepare = await cachedSession(engine, `search clip ranges ${key}`, () => clipRangesGraph(form).toBytes())
  const measure = await cachedSession(engine, `search clip loss ${key}`, () => clipLossGraph(form).toBytes())
  const held = resident(engine)
  try {
    signal?.throwIfAborted()
    const prepared = await prepare.run({ weight: chunkTensor(chunk, form.groups * form.groupSize) })
    const feeds = { weight: held.keep(prepared.byGroup!), gram: held.keep(problem.blocks) }
    const [low, high] = [prepared.low!.data as Float32Array, prepared.high!.data as Float32Array]
    const count = low.length
    const chosen: Chosen = {
      loss: new Float32Array(count).fill(Number.POSITIVE_INFINITY),
      low: new Float32Array(count),
      high: new Float32Array(count),
    }
    let unclippedLoss = 0
    let done = 0
    for (const [stage, { ends, ratios }] of stages.entries()) {
      const ofStage = resident(engine)
      // The end that stands still has the ratio that its group chose.
      const base = (end: 'low' | 'high', values: Float32Array) =>
        tensor('float32', [count], ends[end] ? values : values.map((value, at) => value * chosen[end][at]!))
      const vectors = { low: ofStage.keep(base('low', low)), high: ofStage.keep(base('high', high)) }
      for (const ratio of ratios) {
        signal?.throwIfAborted()
        const [lowRatio, highRatio] = [ends.low, ends.high].map((moves) =>
          tensor('float32', [], Float32Array.of(moves ? ratio : 1)),
        ) as [Tensor, Tensor]
        const outputs = await measure.run({ ...feeds, ...vectors, lowRatio, highRatio })
        const losses = outputs.loss!.data as Float32Array
        if (stage === 0 && ratio === 1) for (const loss of losses) unclippedLoss += loss
        for (let at = 0; at < count; at++) {
          if (!(losses[at]! < chosen.loss[at]!)) continue
          chosen.loss[at] = losses[at]!
          if (ends.low) chosen.low[at] = ratio
          if (ends.high) chosen.high[at] = ratio
        }
        onRatio(++done)
      }
      ofStage.dispose()
    }
    return { ...chooseRanges(problem, prepared, chosen), unclippedLoss }
  } finally {
    held.dispose()
  }
}

/** From [groups, rows], as the graphs have it, to the quantizer's [rows, groups], zero included. */
function chooseRanges(
  { chunk: { rows }, firstRow, form: { groups, clamp }, name }: ClipProblem,
  prepared: Record<string, Tensor>,
  chosen: Chosen,
): { ranges: GroupRanges; loss: number } {
  const of = (output: string) => prepared[output]!.data as Float32Array
  const [low, high] = [of('low'), of('high')]
  const full = clamp === 'symmetric' ? { low: of('least'), high: of('most') } : undefined
  const ranges = { low: new Float32Array(rows * groups), high: new Float32Array(rows * groups) }
  let loss = 0
  for (let group = 0; group < groups; group++) {
    for (let row = 0; row < rows; row++) {
      const from = group * rows + row
      if (chosen.high[from] === 0) {
        throw new AwqError(
          'NUMERIC',
          `${name}: no ratio gives row ${firstRow + row}, group ${group} a finite loss; the weights or the gram matrix are not finite`,
        )
      }
      // Rounded to float32 as in the graph that found the loss.
      const least = Math.fround(low[from]! * chosen.low[from]!)
      const most = Math.fround(high[from]! * chosen.high[from]!)
      ranges.low[row * groups + group] = Math.min(0, full ? Math.max(full.low[from]!, least) : least)
      ranges.high[row * groups + group] = Math.max(0, full ? Math.min(full.high[from]!, most) : most)
      loss += chosen.loss[from]!
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
