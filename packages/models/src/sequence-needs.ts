/**
 * What graphs must be told of where their tokens stand, from the steps in them.
 * @module
 */
import type { AttentionStep, RopeSpec, RotaryStep, Step } from './steps.ts'

/** Which positions a mask lets a token see, and how often its rows are repeated. */
export interface MaskNeed {
  readonly window: number | null
  /** Query heads that share a key head. */
  readonly copies: number
}

/** A rotary table; `scale` is that of the scores, which some forms of attention want in it. */
export interface RopeNeed {
  readonly rope: RopeSpec
  readonly headDim: number
  readonly scale: number
}

/** The distinct inputs of some steps. */
export interface SequenceNeeds {
  readonly attentions: readonly AttentionStep[]
  readonly ropes: readonly RopeNeed[]
  readonly masks: readonly MaskNeed[]
  /** Learned positions are looked up. */
  readonly learned: boolean
}

/** Things with a sequence: a model, or one of its blocks. */
export interface Positioned {
  readonly sequence: SequenceNeeds
}

export const maskNeed = ({ window, heads, kvHeads }: AttentionStep): MaskNeed => ({ window, copies: heads / kvHeads })

export const ropeNeed = ({ rope, headDim, scale }: AttentionStep): RopeNeed | null => rope && { rope, headDim, scale }

/** That of a step of its own. No attention turns its heads, nor scales by them: their width does not matter. */
export const rotaryNeed = ({ rope }: RotaryStep): RopeNeed => ({ rope, headDim: 0, scale: 1 })

/** The place of a need in a list of distinct ones. */
export const placeOf = (needs: readonly object[], need: object): number => {
  const key = JSON.stringify(need)
  return needs.findIndex((other) => JSON.stringify(other) === key)
}

const distinct = <T>(all: readonly T[]): T[] => [...new Map(all.map((one) => [JSON.stringify(one), one])).values()]

const needOf = (step: Step): RopeNeed | null => {
  if (step.step === 'rotary') return rotaryNeed(step)
  return step.step === 'attention' ? ropeNeed(step) : null
}

/** What some steps need, each thing once. */
export const sequenceNeeds = (steps: readonly Step[]): SequenceNeeds => {
  const attentions = steps.filter((step) => step.step === 'attention')
  return {
    attentions,
    ropes: distinct(steps.flatMap((step) => needOf(step) ?? [])),
    masks: distinct(attentions.map(maskNeed)),
    learned: steps.some(({ step }) => step === 'positions'),
  }
}
