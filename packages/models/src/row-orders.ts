/**
 * Which rows of a block must change places so that a value comes in another order.
 * @module
 */
import { flatSteps } from './expert-steps.ts'
import { makesOf, readsOf, type Step } from './steps.ts'

/** By base name of a linear or of a vector: the row (or element) that comes to each place. */
export type RowOrders = Map<string, Int32Array>

/** The inputs of heads in one order within each head that all heads of a group share; else undefined. */
const withinHeads = (
  order: Int32Array,
  { heads, kvHeads, width }: { readonly heads: number; readonly kvHeads: number; readonly width: number },
): Int32Array | undefined => {
  const result = new Int32Array(kvHeads * width)
  for (let head = 0; head < heads; head++) {
    const shared = Math.floor(head / (heads / kvHeads))
    const first = head % (heads / kvHeads) === 0
    for (let at = 0; at < width; at++) {
      const within = order[head * width + at]! - head * width
      if (within < 0 || within >= width) return undefined
      const place = shared * width + at
      if (first) result[place] = shared * width + within
      else if (result[place] !== shared * width + within) return undefined
    }
  }
  return result
}

/**
 * Follows a value back to the linears that make it.
 * @param site value that linears read
 * @param order the place `i` shall hold what is at `order[i]`
 * @returns the rows of every producer, or undefined when one of the values on the way is read by others, comes from outside, or
 * goes through something that does not keep elements apart
 */
export const rowOrders = (all: readonly Step[], site: string, order: Int32Array): RowOrders | undefined => {
  const steps = flatSteps(all)
  const found: RowOrders = new Map()
  const compose = (name: string, rows: Int32Array): void => {
    const before = found.get(name)
    found.set(name, before ? rows.map((row) => before[row]!) : rows)
  }
  /** Readers of what step `maker` makes under a name, until another step makes it anew. */
  const readersOf = (name: string, maker: number): Step[] => {
    const readers: Step[] = []
    for (const step of steps.slice(maker + 1)) {
      if (readsOf(step).includes(name)) readers.push(step)
      if (makesOf(step).includes(name)) return readers
    }
    return name === 'hidden' ? [...readers, steps.at(-1)!] : readers
  }
  /** Follows the value that steps before `end` leave under a name. */
  const follow = (
    name: string,
    end: number,
    rows: Int32Array,
    isRead: (readers: readonly Step[]) => boolean,
  ): boolean => {
    const maker = steps.slice(0, end).findLastIndex((step) => makesOf(step).includes(name))
    const step = steps[maker]
    if (!step || !isRead(readersOf(name, maker))) return false
    const once = (readers: readonly Step[]): boolean => readers.length === 1
    switch (step.step) {
      case 'linear':
        compose(step.weight, rows)
        return true
      case 'multiply':
        return step.left !== step.right && follow(step.left, maker, rows, once) && follow(step.right, maker, rows, once)
      case 'activation':
      case 'factor':
      case 'clamp':
      case 'shift':
      case 'softCap':
        return follow(step.from, maker, rows, once)
      case 'scale':
        compose(step.weight, rows)
        return follow(step.from, maker, rows, once)
      case 'attention': {
        const { heads, kvHeads, headDim, valueDim: width = headDim } = step
        const own = withinHeads(rows, { heads, kvHeads, width })
        return own !== undefined && step.value !== step.key && follow(step.value, maker, own, once)
      }
      case 'split': {
        if ((step.groups ?? 1) !== 1) return false
        const part = step.to.indexOf(name)
        const start = step.widths.slice(0, part).reduce((sum, width) => sum + width, 0)
        const whole = Int32Array.from({ length: step.widths.reduce((sum, width) => sum + width) }, (_, row) => row)
        for (const [at, row] of rows.entries()) whole[start + at] = start + row
        return follow(step.from, maker, whole, once)
      }
      default:
        return false
    }
  }
  const end = steps.findIndex((step) => step.step === 'linear' && step.from === site)
  const isLinear = (readers: readonly Step[]): boolean => readers.every(({ step }) => step === 'linear')
  return end >= 0 && follow(site, end, order, isLinear) ? found : undefined
}
