/**
 * The steps of each expert of a mixture.
 * @module
 */
import type { ExpertsStep, Step } from './steps.ts'

/** The name that a value or site of the experts' steps has for one expert. */
export const expertValue = (name: string, expert: number | '*'): string => `${name}.${expert}`

/** A name with an expert's number in place of `*`. */
export const expertName = (name: string, expert: number): string => name.replaceAll('*', String(expert))

/** One expert's own steps. */
const stepOf = (step: Step, expert: number): Step => {
  const value = (name: string): string => expertValue(name, expert)
  const named = 'weight' in step && step.weight !== null ? { weight: expertName(step.weight, expert) } : {}
  switch (step.step) {
    case 'multiply':
    case 'add':
      return { ...step, left: value(step.left), right: value(step.right), to: value(step.to) }
    case 'split':
      return { ...step, from: value(step.from), to: step.to.map(value) }
    case 'attention':
    case 'positions':
    case 'rotary':
    case 'join':
    case 'route':
    case 'experts':
      throw new TypeError(`experts have no step ${step.step}`)
    default:
      return { ...step, ...named, from: value(step.from), to: value(step.to) } as Step
  }
}

const made = new WeakMap<ExpertsStep, Step[][]>()

/** The steps of every expert: values are named `NAME.EXPERT`, `*` in parameters is the expert's number. */
export const expertLists = (mixture: ExpertsStep): readonly (readonly Step[])[] => {
  const known =
    made.get(mixture) ??
    Array.from({ length: mixture.experts }, (_, expert) => mixture.steps.map((step) => stepOf(step, expert)))
  made.set(mixture, known)
  return known
}

/**
 * Steps with mixtures spelled out, for those who follow values: each expert takes its tokens, makes its output, and gives it
 * to the sum.
 */
export const flatSteps = (steps: readonly Step[]): readonly Step[] =>
  steps.flatMap((step) => {
    if (step.step !== 'experts') return [step]
    const { from, routing, to } = step
    return expertLists(step).flatMap((own, expert): Step[] => [
      { step: 'factor', factor: 1, from, to: expertValue(from, expert) },
      ...own,
      { step: 'add', left: expertValue(to, expert), right: routing, to },
    ])
  })
