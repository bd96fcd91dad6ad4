/**
 * What a setting gave, as a table in Markdown.
 * @module
 */
import { median } from '../runtime/peers/job.ts'
import type { Run } from './measure.ts'

/** What `awq eval --against FLOAT` says about a model. */
export interface Quality {
  readonly perplexity: number
  readonly kl: number
  readonly top1: number
}

/** A contestant's runs with one setting, or why it has none. */
export interface Row {
  readonly key: string
  readonly name: string
  readonly runs: readonly Run[]
  readonly quality?: Quality | undefined
  readonly refusal?: string | undefined
}

/** Of the perplexity that rounding to nearest costs, the share that another method wins back. */
export const recovered = (float: number, rounded: number, perplexity: number): number =>
  (rounded - perplexity) / (rounded - float)

/** The middle of a figure over the rounds; undefined without any. */
const middle = (runs: readonly Run[], figure: (run: Run) => number): number | undefined =>
  runs.length > 0 ? median(runs.map(figure)) : undefined

const fixed = (value: number | undefined, digits: number, suffix = ''): string =>
  value === undefined || !Number.isFinite(value) ? '-' : `${value.toFixed(digits)}${suffix}`

const quotient = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : a / b

/** Above so many cores of other work on the machine, a run is marked. */
const quiet = 0.1

/**
 * One line for each contestant: time and memory, and how many times those of `reference`, the first of this project's
 * methods; then the quality, where it was measured.
 * @param layers of the model that was quantized
 * @param float the perplexity of the float model, where quality was measured
 */
export const settingTable = (rows: readonly Row[], reference: Row, layers: number, float?: number): string => {
  const seconds = (row: Row) => middle(row.runs, (run) => run.seconds)
  const memory = (row: Row) => middle(row.runs, (run) => run.peakRssBytes)
  const rounded = rows.find(({ key }) => key === 'ours-rtn')?.quality?.perplexity
  const ofReference = reference.name.replace(/^awq, /, '')
  const head = [
    'program and method',
    's',
    's per layer',
    `times ${ofReference}`,
    'peak RSS, MiB',
    `times ${ofReference}`,
  ]
  const quality = float === undefined ? [] : ['perplexity', 'KL', 'top-1', 'loss recovered']
  const cells = rows.map((row) => {
    const busy = row.runs.filter(({ otherCores }) => (otherCores ?? 0) > quiet).length
    const perplexity = row.quality?.perplexity
    const share =
      float === undefined || rounded === undefined || perplexity === undefined
        ? undefined
        : recovered(float, rounded, perplexity)
    return [
      row.name + '*'.repeat(busy),
      row.refusal ?? fixed(seconds(row), 1),
      fixed(quotient(seconds(row), layers), 2),
      fixed(quotient(seconds(row), seconds(reference)), 1),
      fixed(quotient(memory(row), 2 ** 20), 0),
      fixed(quotient(memory(row), memory(reference)), 1),
      ...(float === undefined
        ? []
        : [
            fixed(perplexity, 2),
            fixed(row.quality?.kl, 3),
            fixed(quotient(row.quality?.top1, 0.01), 1, '%'),
            fixed(quotient(share, 0.01), 0, '%'),
          ]),
    ]
  })
  const columns = [...head, ...quality]
  return [columns, columns.map((_, i) => (i === 0 ? '---' : '---:')), ...cells]
    .map((line) => `| ${line.join(' | ')} |`)
    .join('\n')
}
