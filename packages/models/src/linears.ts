/**
 * The linears among steps, and the values that they read.
 * @module
 */
import { expertLists, expertValue } from './expert-steps.ts'
import type { Step } from './steps.ts'

/** A linear of a block. */
export interface LinearSpec {
  /** Base name inside the block, for example `self_attn.q_proj`. */
  readonly name: string
  readonly shape: readonly [out: number, inputs: number]
  readonly bias: boolean
  /** Float checkpoints hold its transpose. */
  readonly transposed: boolean
  /** The value it reads; siblings share it, and with it their activation statistics. */
  readonly site: string
  /** Linears that are stored alike: those of a site; with experts, those of the like sites of all experts. */
  readonly unit: string
  /** The value it makes. */
  readonly output: string
  /** Never quantized. */
  readonly float: boolean
}

/** A value that linears read, and so a place to collect statistics at. */
export interface SiteSpec {
  readonly site: string
  readonly width: number
  /**
   * For a value of an expert, where only the tokens routed to it come by: its number, the value that its tokens are taken
   * from, and whether this is these tokens themselves.
   */
  readonly expert: { readonly index: number; readonly from: string; readonly first: boolean } | null
}

/** The linears among some steps, without those of experts. */
export const linearsOf = (steps: readonly Step[]): LinearSpec[] =>
  steps.flatMap((step): LinearSpec[] => {
    if (step.step !== 'linear') return []
    const { weight: name, rows, columns, bias, transposed = false, float = false, from: site, to: output } = step
    return [{ name, shape: [rows, columns], bias, transposed, site, unit: site, output, float }]
  })

/** The linears among some steps, those of experts with them. */
export const allLinearsOf = (steps: readonly Step[]): LinearSpec[] =>
  steps.flatMap((step) => {
    if (step.step !== 'experts') return linearsOf([step])
    const units = linearsOf(step.steps).map(({ site }) => expertValue(site, '*'))
    return expertLists(step).flatMap((own) => linearsOf(own).map((linear, i) => ({ ...linear, unit: units[i]! })))
  })

/** Linears by the value that they read, in their order. */
export const linearsBySite = (linears: readonly LinearSpec[]): ReadonlyMap<string, readonly LinearSpec[]> => {
  const sites = new Map<string, LinearSpec[]>()
  for (const linear of linears) {
    const own = sites.get(linear.site)
    if (own) own.push(linear)
    else sites.set(linear.site, [linear])
  }
  return sites
}

/** The values that linears read, those of experts among them. */
export const sitesOf = (steps: readonly Step[]): SiteSpec[] => {
  const sites = new Map<string, SiteSpec>()
  for (const step of steps) {
    if (step.step !== 'experts') {
      for (const { site, shape } of linearsOf([step])) sites.set(site, { site, width: shape[1], expert: null })
      continue
    }
    for (const [index, own] of expertLists(step).entries())
      for (const { site, shape } of linearsOf(own)) {
        const expert = { index, from: step.from, first: site === expertValue(step.from, index) }
        sites.set(site, { site, width: shape[1], expert })
      }
  }
  return [...sites.values()]
}
