/**
 * A block through the passes of a method.
 * @module
 */
import type { ActivationStats } from '@awq/calibration'
import type { BlockWeights, ModelDescription } from '@awq/models'
import { dequantize } from '@awq/tensor'
import { collectGarbage } from '#platform'
import type { BlockState, Pass } from './block-state.ts'
import type { Method } from './methods.ts'
import { keepSalientColumns } from './salient.ts'

/** What a block begins with. */
export interface BlockStart
  extends Pick<
    BlockState,
    'layer' | 'engine' | 'weights' | 'inputs' | 'quantizedInputs' | 'specs' | 'time' | 'signal'
  > {
  readonly description: ModelDescription
  readonly stats: ReadonlyMap<string, ActivationStats>
  /** Whether groups that need a vector of their own may be scaled; default true. */
  readonly scaleVectors?: boolean
}

/** The state before the first pass. The weights are the state's own: passes write over them. */
export const blockState = ({ scaleVectors = true, ...start }: BlockStart): BlockState => {
  const structure = start.description.blocks[start.layer]!
  return {
    ...start,
    structure,
    linears: structure.linears,
    scaleGroups: structure.scaleGroups.filter(({ kind }) => scaleVectors || kind !== 'activation'),
    stats: new Map(start.stats),
    salient: new Map(),
    ranges: new Map(),
    quantized: new Map(),
    folded: [],
  }
}

/**
 * Bytes of a block whose copies are given back before the next pass makes its own: every pass that changes weights or
 * statistics leaves as much behind as it was given. What smaller blocks leave is not worth the time.
 */
const WORTH_COLLECTING = 2 ** 22

/**
 * Runs passes on a block, each timed under its name, and takes the channels that stay float out of the codes.
 * @throws rejects with `signal.reason`
 */
export const runPasses = async (block: BlockState, passes: readonly Pass[]): Promise<void> => {
  const bytes = [...block.weights.values()].reduce((sum, { byteLength }) => sum + byteLength, 0)
  const large = bytes >= WORTH_COLLECTING
  for (const pass of passes) {
    block.signal?.throwIfAborted()
    const before = block.folded.length
    // What a pass changes, an earlier pass has not seen.
    delete block.quantizedOutputs
    await block.time(pass.name, async () => {
      await pass.run(block)
      if (large) collectGarbage()
    })
    block.folded.push(...block.folded.splice(before).map((group) => ({ ...group, pass: pass.name })))
  }
  keepSalientColumns(block)
}

/**
 * A block after a method's passes, on copies of its weights, as plans are measured: no errors of blocks before it.
 * @throws rejects with `signal.reason`
 */
export const quantizedBlock = async (
  start: Omit<BlockStart, 'quantizedInputs' | 'time'>,
  { passes }: Method,
): Promise<BlockState> => {
  const block = blockState({
    ...start,
    weights: copyWeights(start.weights),
    quantizedInputs: start.inputs,
    time: (_, work) => work(),
  })
  await runPasses(block, passes)
  return block
}

/** The block's parameters, rounded where they are rounded already: what the quantized model computes with. */
export const weightsSoFar = (block: BlockState): BlockWeights => {
  const weights = new Map(block.weights)
  for (const [name, matrix] of block.quantized) weights.set(`${name}.weight`, dequantize(matrix))
  return weights
}

/** Weights of one's own, to be changed in place. */
export const copyWeights = (weights: BlockWeights): BlockWeights =>
  new Map([...weights].map(([name, values]) => [name, values.slice()]))
