// Medians of the rounds, and ratios of this runtime to its peers.

import type { Contestant } from './contestants.ts'
import { type Figures, median } from './peers/job.ts'

/** One process that was measured. */
export interface Measurement {
  readonly round: number
  readonly figures: Figures
  /** Processor time of everything else on the machine meanwhile, in cores; null where it cannot be known. */
  readonly otherCores: number | null
  readonly stolenCores: number | null
  /** The machine had other work, and still had after it was tried again. */
  readonly disturbed: boolean
}

/** The middle of the rounds, and how far they lie apart. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

export interface Summary {
  readonly key: string
  readonly name: string
  readonly weights: string
  /** Tokens per second after contexts of these lengths; null where a contestant has no such figure. */
  readonly decode: readonly { readonly context: number; readonly tokensPerSecond: Spread | null }[]
  readonly prefill: Spread
  readonly loadSeconds: Spread
  readonly peakRssBytes: Spread
  readonly rounds: number
  readonly disturbedRounds: number
}

const spread = (values: readonly number[]): Spread => ({
  median: median(values),
  min: Math.min(...values),
  max: Math.max(...values),
})

/** Summarizes a contestant's rounds; there must be one. */
export const summarize = (
  { key, name, weights }: Pick<Contestant, 'key' | 'name' | 'weights'>,
  measurements: readonly Measurement[],
  contexts: readonly number[],
): Summary => {
  const figures = measurements.map((measurement) => measurement.figures)
  return {
    key,
    name,
    weights,
    decode: contexts.map((context) => {
      const values = figures.flatMap(({ decode }) =>
        decode.filter((entry) => entry.context === context).map((entry) => entry.tokensPerSecond),
      )
      return { context, tokensPerSecond: values.length > 0 ? spread(values) : null }
    }),
    prefill: spread(figures.map(({ prefill }) => prefill.tokensPerSecond)),
    loadSeconds: spread(figures.map(({ loadSeconds }) => loadSeconds)),
    peakRssBytes: spread(figures.map(({ peakRssBytes }) => peakRssBytes)),
    rounds: measurements.length,
    disturbedRounds: measurements.filter(({ disturbed }) => disturbed).length,
  }
}

/** Ours divided by theirs, of medians; null where either has no figure. */
export interface Ratios {
  readonly name: string
  readonly weights: string
  readonly decode: readonly (number | null)[]
  readonly prefill: number
}

const decodeMedians = (summary: Summary): (number | null)[] =>
  summary.decode.map(({ tokensPerSecond }) => tokensPerSecond?.median ?? null)

/** The highest figure of each column, over contestants that run the same weights in different settings. */
const best = (summaries: readonly Summary[]): { decode: (number | null)[]; prefill: number } => {
  const highest = (values: readonly (number | null)[]): number | null => {
    const known = values.filter((value) => value !== null)
    return known.length > 0 ? Math.max(...known) : null
  }
  return {
    decode: summaries[0]!.decode.map((_, i) => highest(summaries.map((summary) => decodeMedians(summary)[i]!))),
    prefill: Math.max(...summaries.map(({ prefill }) => prefill.median)),
  }
}

/**
 * The ratios of `ours` to every other program and kind of weights. A program that took part in several settings counts
 * with the best of them in each column: its user would choose that.
 */
export const ratios = (ours: Summary, others: readonly Summary[]): Ratios[] => {
  const groups = new Map<string, Summary[]>()
  for (const other of others) {
    const program = `${other.name.split(',')[0]}\n${other.weights}`
    groups.set(program, [...(groups.get(program) ?? []), other])
  }
  return [...groups.values()].map((group) => {
    const theirs = best(group)
    const mine = decodeMedians(ours)
    return {
      name: group.length > 1 ? `${group[0]!.name.split(',')[0]}, best of its settings` : group[0]!.name,
      weights: group[0]!.weights,
      decode: mine.map((value, i) => {
        const other = theirs.decode[i]
        return value === null || other === null || other === undefined ? null : value / other
      }),
      prefill: ours.prefill.median / theirs.prefill,
    }
  })
}
