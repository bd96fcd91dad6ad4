/**
 * Statistics of experts that few calibration tokens are routed to.
 * @module
 */
import type { ActivationStats } from '@awq/calibration'
import type { BlockDescription, SiteSpec } from '@awq/models'

/** An expert with fewer tokens than this is not quantized by what these alone say. */
export const LEAST_EXPERT_TOKENS = 32

/** Statistics that favour no input: scales are then 1, and codes the nearest ones. */
const evenStats = ({ count, width, reached }: ActivationStats): ActivationStats => {
  const ones = new Float32Array(width).fill(1)
  const gram = new Float32Array(width * width)
  for (let channel = 0; channel < width; channel++) gram[channel * (width + 1)] = 1
  return { count, width, meanAbs: ones, maxAbs: ones.slice(), gram, sample: ones.slice(), reached }
}

/** Statistics that every expert can be quantized by. */
export interface SettledStats {
  readonly stats: Map<string, ActivationStats>
  /** Experts that were seen too rarely, ascending. */
  readonly rare: readonly number[]
  /** Tokens that there were. */
  readonly tokens: number
}

/**
 * Replaces the statistics of experts that too few tokens reached: at the input that they share with the others by those of
 * all tokens, further inside by `evenStats`, which round to nearest.
 */
export const settleExperts = (
  { sites }: Pick<BlockDescription, 'sites'>,
  stats: ReadonlyMap<string, ActivationStats>,
): SettledStats => {
  const settled = new Map(stats)
  const rare = new Set<number>()
  let tokens = 0
  const settle = ({ site, expert }: SiteSpec): void => {
    const own = stats.get(site)
    if (!expert || !own || (own.reached ?? own.count) >= LEAST_EXPERT_TOKENS) return
    settled.set(site, expert.first ? { ...stats.get(expert.from)!, reached: own.reached } : evenStats(own))
    rare.add(expert.index)
    tokens = own.count
  }
  for (const site of sites) settle(site)
  return { stats: settled, rare: [...rare].sort((a, b) => a - b), tokens }
}

/** What is said of such experts. */
export const rareExpertsText = (block: string, { rare, tokens }: SettledStats): string =>
  `${block}: ${rare.length === 1 ? `expert ${rare[0]} is` : `experts ${rare.join(', ')} are`} given fewer than ` +
  `${LEAST_EXPERT_TOKENS} of the ${tokens} calibration tokens; their first linears are calibrated on the tokens of all ` +
  'experts, the last one is rounded to nearest. More text, or --moe-calibrate-all (every expert sees every token), avoids it'
