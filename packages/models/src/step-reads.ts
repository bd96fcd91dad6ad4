import type { Step } from './architecture.ts'

/** The values that a step reads, by their names. */
export const stepReads = (step: Step): readonly string[] => {
  switch (step.step) {
    case 'attention':
      return [step.query, step.key, step.value]
    case 'multiply':
    case 'add':
      return [step.left, step.right]
    default:
      return [step.from]
  }
}
