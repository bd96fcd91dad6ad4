/**
 * The language in which a family's table writes what a model computes: a list of steps over named values.
 * @module
 */
import type { Activation } from './activation.ts'
import { expertLists } from './expert-steps.ts'
import type { RopeConfig } from './rope.ts'

/**
 * `(x - m) / sqrt(mean((x - m)^2) + epsilon) * (offset + w) + b` over the last axis; `rms` (arXiv 1910.07467): m = 0;
 * `layer` (arXiv 1607.06450): m = mean(x).
 */
export interface NormStep {
  readonly step: 'norm'
  readonly norm: 'rms' | 'layer'
  /** Base name of its parameters; null for a norm without any. */
  readonly weight: string | null
  readonly bias: boolean
  /** 1 where checkpoints hold what is added to one (Gemma). */
  readonly offset: 0 | 1
  readonly epsilon: number
  /** Width of the value. */
  readonly width: number
  /** Normalises so many equal parts of the value each on its own. */
  readonly parts?: number | undefined
  /**
   * Weights of the parts: `shared` (default) `[width / parts]`, `stacked` `[parts, width / parts]` in one tensor, `listed`
   * one tensor `WEIGHT.N` for each.
   */
  readonly weights?: 'shared' | 'stacked' | 'listed' | undefined
  readonly from: string
  readonly to: string
}

/** `y = x W^T + b` with `W [rows, columns]`. */
export interface LinearStep {
  readonly step: 'linear'
  readonly weight: string
  readonly from: string
  readonly to: string
  readonly rows: number
  readonly columns: number
  readonly bias: boolean
  /** Float checkpoints hold `[columns, rows]` (GPT-2's Conv1D). */
  readonly transposed?: boolean | undefined
  /** Never quantized: routers, whose choice turns on small differences, and gates of a few rows. */
  readonly float?: boolean | undefined
}

/**
 * Cuts a value into parts of these widths, one after the other. With `groups` the value is so many equal stretches, each
 * of which holds its share of every part: query, key and value head by head.
 */
export interface SplitStep {
  readonly step: 'split'
  readonly from: string
  readonly to: readonly string[]
  readonly widths: readonly number[]
  readonly groups?: number | undefined
}

/** Linear biases of attention (arXiv 2108.12409): `slopes[head] * key position` is added to the scores. */
export interface AlibiSpec {
  /** One for each query head. */
  readonly slopes: readonly number[]
  /** Round each bias to bfloat16, as Falcon does. */
  readonly bfloat16?: boolean | undefined
  /** Multiply the bias by the scale of the scores, as Falcon does. */
  readonly scaled?: boolean | undefined
}

/** Rotary embedding of the first `width` elements of every query and key head; `interleaved` turns neighbours. */
export interface RopeSpec extends RopeConfig {
  readonly width: number
  /** What exponents are divided by, when it is not `width`: an odd share of a head is turned with one element more. */
  readonly span?: number | undefined
  readonly interleaved: boolean
  /** Positions have three parts (M-RoPE, arXiv 2409.12191), which are equal for text. */
  readonly sections?: RopeSections | undefined
}

/** How many frequencies turn with time, with the row and with the column of an image, one after the other. */
export type RopeSections = readonly [time: number, row: number, column: number]

/**
 * Causal attention: `softmax(cap(scale * Q K^T + bias)) V`, query and key turned by `rope`; `heads / kvHeads` query heads
 * share a key head.
 */
export interface AttentionStep {
  readonly step: 'attention'
  readonly query: string
  readonly key: string
  readonly value: string
  readonly to: string
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly scale: number
  readonly rope: RopeSpec | null
  /** Positions that a token sees, itself included; null when it sees all before it. */
  readonly window: number | null
  /** `cap * tanh(score / cap)`; null for none. */
  readonly softCap: number | null
  readonly alibi: AlibiSpec | null
  /** Width of a value head, where it is another than `headDim`. */
  readonly valueDim?: number | undefined
  /** A parameter `[heads]`, with its suffix: a logit of each head that takes part of the softmax and mixes in nothing. */
  readonly sinks?: string | undefined
}

/** Rotary embedding of every head of a value, where attention's own `rope` can not say it. */
export interface RotaryStep {
  readonly step: 'rotary'
  readonly from: string
  readonly to: string
  readonly heads: number
  /** Its width is that of a head. */
  readonly rope: RopeSpec
}

/** Puts heads together from parts, head by head. */
export interface JoinStep {
  readonly step: 'join'
  /** `width` of each head; a `shared` part is one head that all have. */
  readonly parts: readonly { readonly from: string; readonly width: number; readonly shared?: boolean | undefined }[]
  readonly heads: number
  readonly to: string
}

/** Adds row `position + offset` of a table `[rows, width]` of learned positions. */
export interface PositionsStep {
  readonly step: 'positions'
  /** With its suffix. */
  readonly table: string
  readonly rows: number
  readonly width: number
  readonly offset: number
  readonly from: string
  readonly to: string
}

/**
 * Which experts a token goes to and how much each counts: from router logits `[..., experts]` to weights of that shape, zero
 * for experts that are not chosen. The `chosen` experts with the largest scores are; their weights are their scores.
 */
export interface RouteStep {
  readonly step: 'route'
  readonly from: string
  readonly to: string
  readonly experts: number
  readonly chosen: number
  /** What becomes of the logits. */
  readonly score: 'softmax' | 'sigmoid'
  /** A parameter `[experts]`, with its suffix, that is added to the scores for the choice but not to the weights. */
  readonly correction?: string | undefined
  /** Only experts of so many groups (of equal size, one after the other), the best by the sum of their `best` largest scores. */
  readonly groups?: { readonly count: number; readonly chosen: number; readonly best: number } | undefined
  /** The weights of a token are divided by their sum. */
  readonly normalized: boolean
  /** Times all weights; default 1. */
  readonly factor?: number | undefined
}

/**
 * A mixture of experts: the sum over the chosen experts of weight times output. All experts are made of the same steps; `*`
 * in a parameter's name stands for the expert's number.
 */
export interface ExpertsStep {
  readonly step: 'experts'
  readonly from: string
  /** The weights that a `route` step made. */
  readonly routing: string
  readonly to: string
  readonly experts: number
  readonly chosen: number
  /** Of one expert: they begin with the value named by this step's `from` and end with that named by `to`, of equal widths. */
  readonly steps: readonly Step[]
}

/**
 * One step. `from`, `to`, `query` ... name values that live within the list; `weight` is a parameter's base name, without
 * `.weight`. A block begins with the residual stream as `hidden` and ends with the value it calls `hidden` last.
 */
export type Step =
  | NormStep
  | LinearStep
  | SplitStep
  | AttentionStep
  | PositionsStep
  | RotaryStep
  | JoinStep
  | RouteStep
  | ExpertsStep
  /** An activation function, elementwise. */
  | { readonly step: 'activation'; readonly activation: Activation; readonly from: string; readonly to: string }
  | { readonly step: 'multiply'; readonly left: string; readonly right: string; readonly to: string }
  | { readonly step: 'add'; readonly left: string; readonly right: string; readonly to: string }
  /** Times a number. */
  | { readonly step: 'factor'; readonly factor: number; readonly from: string; readonly to: string }
  /** `cap * tanh(x / cap)`. */
  | { readonly step: 'softCap'; readonly cap: number; readonly from: string; readonly to: string }
  /** `min(max(x, -limit), limit)`; with `below` false `min(x, limit)`. */
  | {
      readonly step: 'clamp'
      readonly limit: number
      readonly below?: boolean | undefined
      readonly from: string
      readonly to: string
    }
  /** Plus a number. */
  | { readonly step: 'shift'; readonly by: number; readonly from: string; readonly to: string }
  /**
   * Times a vector `WEIGHT.weight [width]` that float checkpoints do not have (it is 1 there): it takes the inverse scale
   * of linears whose input nothing else can.
   */
  | {
      readonly step: 'scale'
      readonly weight: string
      readonly width: number
      readonly from: string
      readonly to: string
    }

/** A tensor of the checkpoint. */
export interface ParameterSpec {
  /** With its suffix: `self_attn.q_proj.weight`; inside a block without the block's prefix. */
  readonly name: string
  /** As the graphs read it. */
  readonly shape: readonly number[]
  /** Float checkpoints hold its transpose. */
  readonly transposed?: boolean | undefined
  /** Float checkpoints need not have it: every element is 1 then. */
  readonly optional?: boolean | undefined
}

/** True for steps that must be told where their tokens stand. */
export const isPositioned = ({ step }: Step): boolean =>
  step === 'attention' || step === 'positions' || step === 'rotary'

/** The values that a step reads. */
export const readsOf = (step: Step): readonly string[] => {
  switch (step.step) {
    case 'attention':
      return [step.query, step.key, step.value]
    case 'multiply':
    case 'add':
      return [step.left, step.right]
    case 'experts':
      return [step.from, step.routing]
    case 'join':
      return step.parts.map(({ from }) => from)
    default:
      return [step.from]
  }
}

/** The values that a step makes. */
export const makesOf = (step: Step): readonly string[] => (step.step === 'split' ? step.to : [step.to])

const normParameters = (step: NormStep): ParameterSpec[] => {
  const { weight, width, parts = 1, weights = 'shared' } = step
  if (weight === null) return []
  const shape = weights === 'stacked' ? [parts, width / parts] : [width / parts]
  const bases = weights === 'listed' ? Array.from({ length: parts }, (_, i) => `${weight}.${i}`) : [weight]
  return bases.flatMap((base) => [
    { name: `${base}.weight`, shape },
    ...(step.bias ? [{ name: `${base}.bias`, shape }] : []),
  ])
}

/** The tensors that a step reads. */
export const stepParameters = (step: Step): ParameterSpec[] => {
  switch (step.step) {
    case 'norm':
      return normParameters(step)
    case 'linear': {
      const { rows, columns, bias, transposed } = step
      const weight = { name: `${step.weight}.weight`, shape: [rows, columns], ...(transposed ? { transposed } : {}) }
      return bias ? [weight, { name: `${step.weight}.bias`, shape: [rows] }] : [weight]
    }
    case 'positions':
      return [{ name: step.table, shape: [step.rows, step.width] }]
    case 'scale':
      return [{ name: `${step.weight}.weight`, shape: [step.width], optional: true }]
    case 'attention':
      return step.sinks === undefined ? [] : [{ name: step.sinks, shape: [step.heads] }]
    case 'route':
      return step.correction === undefined ? [] : [{ name: step.correction, shape: [step.experts] }]
    case 'experts':
      return expertLists(step).flatMap((steps) => steps.flatMap(stepParameters))
    default:
      return []
  }
}

/** The shape that a float checkpoint holds a parameter in. */
export const storedShape = ({ shape, transposed }: Pick<ParameterSpec, 'shape' | 'transposed'>): readonly number[] =>
  transposed ? shape.toReversed() : shape
