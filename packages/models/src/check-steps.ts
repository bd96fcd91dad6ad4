/**
 * What a list of steps must hold to before graphs are made of it.
 * @module
 */
import { AwqError } from '@awq/tensor'
import { type AttentionStep, isPositioned, makesOf, readsOf, type Step } from './steps.ts'

/**
 * Linears that read one name are siblings: one product, one set of statistics, one scale. So a name that linears read is
 * not made anew between them.
 * @param owner what errors call the steps
 * @throws AwqError `CONFIG` naming the value and the linears
 */
export const checkSites = (owner: string, steps: readonly Step[]): void => {
  const made = new Map<string, number>()
  const readers = new Map<string, { readonly linear: string; readonly count: number }>()
  for (const step of steps) {
    if (step.step === 'linear') {
      const count = made.get(step.from) ?? 0
      const first = readers.get(step.from)
      if (first && first.count !== count)
        throw new AwqError(
          'CONFIG',
          `${owner}: the value ${step.from} is made anew between ${first.linear} and ${step.weight}, which both read it; ` +
            'give it another name',
        )
      readers.set(step.from, { linear: step.weight, count })
    }
    for (const name of makesOf(step)) made.set(name, (made.get(name) ?? 0) + 1)
  }
}

/**
 * The attention of a block. Cache and masks are those of one step; behind it the steps may go on with some of the rows,
 * and do not know where these stand.
 * @throws AwqError `CONFIG` when there are none or several, or when positions are added behind it
 */
export const attentionOf = (owner: string, steps: readonly Step[]): AttentionStep => {
  const [attention, ...more] = steps.filter((step) => step.step === 'attention')
  if (!attention || more.length > 0)
    throw new AwqError(
      'CONFIG',
      `${owner}: the block has ${attention ? more.length + 1 : 'no'} attention steps, not one`,
    )
  const late = steps.slice(steps.indexOf(attention) + 1).find(isPositioned)
  if (late) throw new AwqError('CONFIG', `${owner}: a step of ${late.step} is behind attention; it must be before it`)
  return attention
}

/**
 * Steps around the blocks have no cache, and those behind them do not know where their tokens stand.
 * @param allowed those of these kinds that may be there all the same
 * @throws AwqError `CONFIG` naming the step
 */
export const checkOuterSteps = (owner: string, steps: readonly Step[], allowed: readonly Step['step'][] = []): void => {
  checkSites(owner, steps)
  const refused = steps.find((step) => isPositioned(step) && !allowed.includes(step.step))
  if (refused)
    throw new AwqError('CONFIG', `${owner}: ${refused.step} of ${readsOf(refused).join(', ')} must be in a block`)
}
