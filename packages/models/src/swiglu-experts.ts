/**
 * Experts in the words of the operators that compute them all: `down(g * sigmoid(alpha * g) * (u + beta))` with g and u the
 * gate and up products, clamped where there is a limit.
 * @module
 */
import { type LinearSpec, linearsOf } from './linears.ts'
import { type ExpertsStep, makesOf, readsOf, type Step } from './steps.ts'

/** The experts of a step, as SwiGLU. Names of parameters have `*` for the expert's number. */
export interface SwigluExperts {
  /** Gate and up, or one linear whose rows are theirs in turn. */
  readonly first: readonly LinearSpec[]
  readonly down: LinearSpec
  readonly alpha: number
  readonly beta: number
  /** `min(g, limit)`, and u within plus and minus it; undefined for none. */
  readonly limit: number | undefined
  /** A vector, with its suffix, that would multiply what `down` reads: where a model has it, no operator says it. */
  readonly inputScale: string | undefined
}

/** What a step does, without the names of values and parameters. */
const actOf = (step: Step): string => {
  switch (step.step) {
    case 'linear':
    case 'multiply':
    case 'scale':
      return step.step
    case 'activation':
      return step.activation
    case 'clamp':
      return `${step.step} ${step.below === false ? 'above' : 'both'} ${step.limit}`
    case 'shift':
      return `${step.step} ${step.by}`
    case 'split':
      return step.groups !== undefined && step.widths.every((width) => width === step.groups) ? 'deal' : 'cut'
    default:
      return `other ${step.step}`
  }
}

/** Steps as text, their values numbered in the order they appear. */
const textOf = (steps: readonly Step[]): string => {
  const numbers = new Map<string, number>()
  const numberOf = (name: string): number => {
    if (!numbers.has(name)) numbers.set(name, numbers.size)
    return numbers.get(name)!
  }
  const line = (step: Step): string =>
    `${actOf(step)}: ${readsOf(step).map(numberOf).join(' ')} > ${makesOf(step).map(numberOf).join(' ')}`
  return steps.map(line).join('\n')
}

const GATED = ['linear: 0 > 1', 'linear: 0 > 2', 'silu: 1 > 3', 'multiply: 3 2 > 4', 'linear: 4 > 5'].join('\n')

const clamped = (limit: number): string =>
  [
    'linear: 0 > 1',
    'deal: 1 > 2 3',
    `clamp above ${limit}: 2 > 4`,
    'quickGelu: 4 > 5',
    `clamp both ${limit}: 3 > 6`,
    'shift 1: 6 > 7',
    'multiply: 5 7 > 8',
    'scale: 8 > 9',
    'linear: 9 > 10',
  ].join('\n')

/** The experts of a step as SwiGLU; undefined when they compute something else. */
export const swigluOf = ({ steps, from, to }: ExpertsStep): SwigluExperts | undefined => {
  const text = textOf(steps)
  const linears = linearsOf(steps)
  const ends = steps[0] !== undefined && readsOf(steps[0])[0] === from && makesOf(steps.at(-1)!)[0] === to
  if (!ends) return undefined
  const down = linears.at(-1)!
  const first = linears.slice(0, -1)
  if (text === GATED) return { first, down, alpha: 1, beta: 0, limit: undefined, inputScale: undefined }
  const limit = steps.find((step) => step.step === 'clamp')?.limit
  if (limit === undefined || text !== clamped(limit)) return undefined
  const scale = steps.find((step) => step.step === 'scale')!
  return { first, down, alpha: 1.702, beta: 1, limit, inputScale: `${scale.weight}.weight` }
}
