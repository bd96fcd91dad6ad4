/**
 * Residual streams of whole sequences on their way through blocks, and how their tokens stand to each other.
 * @module
 */
import { type Device, type Tensor, tensor } from '@awq/ort'
import { type AttentionForm, attentionWithoutCache } from './attention.ts'
import { ropeFeeds, sequenceFeeds, type TokenGroup } from './sequence.ts'
import type { Positioned } from './sequence-needs.ts'
import { fillThreePartRows, type ThreePartPosition } from './three-part-positions.ts'

/** How the tokens of a sequence stand, where that is not one behind the other: those of images. */
export interface Arrangement {
  /** Tokens that see those behind them too. */
  readonly groups?: readonly TokenGroup[] | undefined
  /** The position of each token, where positions have three parts. */
  readonly positions?: readonly ThreePartPosition[] | undefined
}

/** Residual streams float32 `[batch, length, hidden]`: sequences from position 0 that are arranged alike. */
export interface SequenceBatch extends Tensor {
  readonly arrangement?: Arrangement | undefined
}

/** Streams with the arrangement of others, which they were made of. */
export const arrangedAs = (hidden: Tensor, { arrangement }: SequenceBatch): SequenceBatch =>
  arrangement ? { ...hidden, arrangement } : hidden

/** The form of attention that streams go through a block in: only the plain one lets tokens see those behind them. */
export const attentionFor = (device: Device, model: Positioned, { arrangement }: SequenceBatch): AttentionForm =>
  arrangement?.groups?.length ? 'plain' : attentionWithoutCache(device, model)

/** Rotary tables whose row i is that of the i-th token. */
const arrangedRopes = (
  model: Positioned,
  form: AttentionForm,
  positions: readonly ThreePartPosition[],
): Record<string, Tensor> => {
  const feeds = ropeFeeds(model, form, positions.length)
  for (const [i, need] of model.sequence.ropes.entries()) {
    const name = i === 0 ? 'rope' : `rope${i + 1}`
    const [cos, sin] = ['cos', 'sin'].map((part) => feeds[`${name}.${part}`]!.data.slice() as Float32Array)
    fillThreePartRows({ need, form, dtype: 'float32' }, { cos: cos!, sin: sin! }, 0, positions)
    const shape = feeds[`${name}.cos`]!.shape
    feeds[`${name}.cos`] = tensor('float32', shape, cos as Float32Array<ArrayBuffer>)
    feeds[`${name}.sin`] = tensor('float32', shape, sin as Float32Array<ArrayBuffer>)
  }
  return feeds
}

/** Rotary tables, and masks or lengths, for streams that go through a block; those of the last call are kept. */
export const forwardFeeds = (
  model: Positioned,
  attention: AttentionForm = 'plain',
): ((hidden: SequenceBatch) => Record<string, Tensor>) => {
  interface Made {
    readonly length: number
    readonly batch: number
    readonly arrangement: Arrangement | undefined
    readonly feeds: Record<string, Tensor>
  }
  let last: Made | undefined
  return ({ shape, arrangement }) => {
    const [batch, length] = shape as [number, number, number]
    const same = last?.length === length && last.arrangement === arrangement
    if (!last || !same || (last.batch !== batch && attention === 'fused')) {
      const { groups, positions } = arrangement ?? {}
      const ropes = positions ? arrangedRopes(model, attention, positions) : ropeFeeds(model, attention, length)
      const sequence = sequenceFeeds(model, attention, { past: 0, length, capacity: 0, groups }, batch)
      last = { length, batch, arrangement, feeds: { ...ropes, ...sequence } }
    }
    return last.feeds
  }
}
