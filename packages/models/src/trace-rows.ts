/**
 * Which row of a producer makes each column of a consumer's input.
 * @module
 */
import { flatSteps } from './expert-steps.ts'
import { makesOf, readsOf, type SplitStep, type Step } from './steps.ts'

/** By column of a value: the producer's row or channel that it is a multiple of, -1 where there is none. */
type Rows = Int32Array

const identity = (length: number): Rows => Int32Array.from({ length }, (_, i) => i)

const pick = (length: number, source: (column: number) => number): Rows =>
  Int32Array.from({ length }, (_, i) => source(i))

const splitRows = (rows: Rows, { widths, groups = 1 }: SplitStep): Rows[] => {
  const stretch = rows.length / groups
  let start = 0
  return widths.map((width) => {
    const share = width / groups
    const first = start
    start += share
    return pick(width, (column) => rows[Math.floor(column / share) * stretch + first + (column % share)]!)
  })
}

/** The parts of what a step makes that are multiples of the producer's rows. */
const follow = (step: Step, producer: string, read: (name: string) => Rows | undefined): (Rows | undefined)[] => {
  switch (step.step) {
    case 'norm':
      return [step.weight === producer ? identity(step.width) : undefined]
    case 'linear':
      return [step.weight === producer ? identity(step.rows) : undefined]
    case 'scale':
      return [step.weight === producer ? identity(step.width) : read(step.from)]
    case 'split': {
      const rows = read(step.from)
      return rows ? splitRows(rows, step) : step.to.map(() => undefined)
    }
    case 'attention': {
      const rows = read(step.value)
      const { heads, kvHeads, headDim, valueDim = headDim } = step
      const keyHead = (column: number) => Math.floor(Math.floor(column / valueDim) / (heads / kvHeads))
      return [rows && pick(heads * valueDim, (column) => rows[keyHead(column) * valueDim + (column % valueDim)]!)]
    }
    case 'multiply': {
      const [left, right] = [read(step.left), read(step.right)]
      return [left && right ? undefined : (left ?? right)]
    }
    case 'activation':
      return [step.activation === 'relu' ? read(step.from) : undefined]
    case 'factor':
      return [read(step.from)]
    default:
      return [undefined]
  }
}

/**
 * Visits steps in their order with what has arrived of the producer's rows at the values so far.
 * @param kept the rows that are followed; default all
 * @param visit is given a step, the rows at what it reads and at what it makes
 * @returns the rows at all values as the last step leaves them
 */
const walk = (
  steps: readonly Step[],
  producer: string,
  kept: ReadonlySet<number> | undefined,
  visit: (step: Step, read: (name: string) => Rows | undefined, made: readonly (Rows | undefined)[]) => void,
): ReadonlyMap<string, Rows> => {
  const values = new Map<string, Rows>()
  const read = (name: string) => values.get(name)
  for (const step of flatSteps(steps)) {
    const made = follow(step, producer, read).map((rows) => {
      const left = kept ? rows?.map((row) => (kept.has(row) ? row : -1)) : rows
      return left?.some((row) => row >= 0) ? left : undefined
    })
    visit(step, read, made)
    for (const [i, name] of makesOf(step).entries()) {
      const rows = made[i]
      if (rows) values.set(name, rows)
      else values.delete(name)
    }
  }
  return values
}

/**
 * Follows what `producer` makes to the value `site` that linears read, through everything that a positive scale of each
 * row passes through.
 * @returns `[width of the site]`, -1 for columns that are no multiple of a row; undefined when nothing arrives
 */
export const traceRows = (steps: readonly Step[], producer: string, site: string): Int32Array | undefined => {
  let found: Rows | undefined
  walk(steps, producer, undefined, (step, read) => {
    if (step.step === 'linear' && step.from === site) found ??= read(site)
  })
  return found
}

/** Where the rows of a producer go. */
export interface Reach {
  /** Linears that read multiples of them. */
  readonly linears: readonly string[]
  /** What else reads them, and would change with their scale: in words. */
  readonly others: readonly string[]
  /** True when attention lies on their way. */
  readonly attended: boolean
}

/** Follows some rows of a producer to all that reads them; `hidden`, when it holds them in the end, is read by the next block. */
export const reachOf = (steps: readonly Step[], producer: string, rows: ReadonlySet<number>): Reach => {
  const linears: string[] = []
  const others: string[] = []
  let attended = false
  const end = walk(steps, producer, rows, (step, read, made) => {
    const marked = readsOf(step).filter((name) => read(name))
    if (marked.length === 0) return
    const weight = 'weight' in step ? step.weight : null
    const passes = weight !== producer && made.some((one) => one)
    if (step.step === 'linear') linears.push(step.weight)
    else if (step.step === 'attention' && !read(step.query) && !read(step.key)) attended = true
    else if (step.step === 'attention' || !passes)
      others.push(`${weight ? `${step.step} ${weight}` : step.step} of ${marked.join(', ')}`)
  })
  if (end.has('hidden')) others.push('the next block')
  return { linears, others, attended }
}
