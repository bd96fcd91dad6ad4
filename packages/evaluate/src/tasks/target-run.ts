/**
 * Targets scored by one pass over each item, block by block.
 * @module
 */
import type { ForwardModel } from '@awq/models'
import type { OpenedModel } from '@awq/runtime'
import { AwqError } from '@awq/tensor'
import type { Tokenizer } from '@awq/text'
import { carryStreams, tokensPerRun } from '../streams.ts'
import type { ItemResult, RunOptions } from './results.ts'
import { openTargetHead, type TargetHead } from './target-head.ts'
import { batchTargets, encodeTarget, type TargetBatch, type TargetIds } from './target-ids.ts'
import type { TargetItem } from './task.ts'

/** Residual streams held at once, in bytes; further batches are done in further passes over the weights. */
const streamBudget = 512 * 2 ** 20
/** Log-probabilities held at once, in bytes. */
const headBudget = 64 * 2 ** 20

/**
 * Scores targets with a model.
 * @param score name of the score: true where the most probable token is the true one at every token of the target
 * @throws AwqError NUMERIC when a likelihood is not a number; rejects with `signal.reason`
 */
export const runTargets = async (
  model: OpenedModel,
  tokenizer: Tokenizer,
  items: readonly TargetItem[],
  score: string,
  { signal, onItems }: RunOptions,
): Promise<ItemResult[]> => {
  const { hiddenSize, contextLength, layers } = model.description.config
  const encoded = items.map((item) => encodeTarget(tokenizer, item, contextLength))
  const batches = batchTargets(
    encoded.map(({ ids }) => ids.length - 1),
    tokensPerRun,
  )
  const results: ItemResult[] = []
  let done = 0
  await using forward = model.forward()
  await using head = await openTargetHead(forward)
  for (const group of groupBatches(batches, hiddenSize * 4)) {
    const runs = []
    for (const batch of group) runs.push(await forward.embed(paddedIds(batch, encoded), batch.items.length))
    const inGroup = group.reduce((sum, batch) => sum + batch.items.length, 0)
    const onBlock = (blocks: number) => onItems?.(done + Math.floor((inGroup * blocks) / (layers + 1)))
    await carryStreams(forward, runs, { signal, onBlock })
    for (const [i, batch] of group.entries()) {
      const streams = runs[i]?.data as Float32Array
      for (const [row, place] of batch.items.entries()) {
        const stream = streams.subarray(row * batch.length * hiddenSize, (row + 1) * batch.length * hiddenSize)
        const predicted = await predictTarget(forward, head, encoded[place]!, stream, signal)
        results[place] = { id: items[place]!.id, ...judge(predicted, score, tokenizer) }
      }
    }
    done += inGroup
    onItems?.(done)
  }
  return results
}

/** Batches whose streams fit the budget together. */
const groupBatches = (batches: readonly TargetBatch[], bytesPerToken: number): TargetBatch[][] => {
  const groups: TargetBatch[][] = []
  let bytes = Infinity
  for (const batch of batches) {
    const more = batch.items.length * batch.length * bytesPerToken
    if (bytes + more > streamBudget) {
      groups.push([])
      bytes = 0
    }
    bytes += more
    groups.at(-1)!.push(batch)
  }
  return groups
}

const paddedIds = ({ items, length }: TargetBatch, encoded: readonly TargetIds[]): Int32Array => {
  const ids = new Int32Array(items.length * length)
  for (const [row, place] of items.entries()) ids.set(encoded[place]!.ids.subarray(0, -1), row * length)
  return ids
}

interface PredictedTarget {
  readonly target: readonly number[]
  readonly best: readonly number[]
  readonly nll: number
}

const predictTarget = async (
  model: ForwardModel,
  head: TargetHead,
  { ids, start }: TargetIds,
  stream: Float32Array,
  signal: AbortSignal | undefined,
): Promise<PredictedTarget> => {
  const { vocabSize, hiddenSize } = model.description.config
  const target = Array.from(ids.subarray(start))
  const chunk = Math.max(1, Math.floor(headBudget / (vocabSize * 4)))
  const best: number[] = []
  let nll = 0
  for (let at = 0; at < target.length; at += chunk) {
    const part = target.slice(at, at + chunk)
    const from = start - 1 + at
    const rows = stream.subarray(from * hiddenSize, (from + part.length) * hiddenSize)
    const predictions = await head.predict(rows, part, { signal })
    best.push(...predictions.best)
    for (const value of predictions.nll) nll += value
  }
  if (!Number.isFinite(nll)) {
    throw new AwqError('NUMERIC', "The model gave a likelihood that is not a number. Try accuracy 'exact'.")
  }
  return { target, best, nll }
}

const judge = ({ target, best, nll }: PredictedTarget, score: string, tokenizer: Tokenizer) => ({
  scores: { [score]: target.every((id, i) => id === best[i]) },
  answer: tokenizer.decode(best),
  ids: best,
  nll,
})
