/**
 * Which row of a producer makes each column of a consumer's input.
 * @module
 */
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
      const { heads, kvHeads, headDim } = step
      const keyHead = (column: number) => Math.floor(Math.floor(column / headDim) / (heads / kvHeads))
      return [rows && pick(heads * headDim, (column) => rows[keyHead(column) * headDim + (column % headDim)]!)]
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
 * Follows what `producer` makes to the value `site` that linears read, through everything that a positive scale of each
 * row passes through.
 * @returns `[width of the site]`, -1 for columns that are no multiple of a row; undefined when nothing arrives
 */
export const traceRows = (steps: readonly Step[], producer: string, site: string): Int32Array | undefined => {
  const values = new Map<string, Rows>()
  for (const step of steps) {
    if (step.step === 'linear' && readsOf(step).includes(site)) return values.get(site)
    const made = follow(step, producer, (name) => values.get(name))
    for (const [i, name] of makesOf(step).entries()) {
      const rows = made[i]
      if (rows) values.set(name, rows)
      else values.delete(name)
    }
  }
  return undefined
}
