/**
 * A block's description: its steps, parameters, linears and scale groups. Blocks that are alike share one.
 * @module
 */
import type { BlockTable } from './architecture.ts'
import { attentionOf, checkSites } from './check-steps.ts'
import type { ModelConfig } from './config.ts'
import { flatSteps } from './expert-steps.ts'
import { allLinearsOf, type LinearSpec, type SiteSpec, sitesOf } from './linears.ts'
import { resolveGroups, type ScaleGroup } from './resolve-groups.ts'
import { type SequenceNeeds, sequenceNeeds } from './sequence-needs.ts'
import { type AttentionStep, type ParameterSpec, type Step, stepParameters } from './steps.ts'

/** All that graphs, calibration and folding need of one block. */
export interface BlockDescription {
  readonly config: ModelConfig
  /** What its graphs depend on, as text: blocks of equal keys have the same graphs. */
  readonly key: string
  readonly steps: readonly Step[]
  /** Linears that are quantized, those of experts among them. */
  readonly linears: readonly LinearSpec[]
  /** Values that linears read. */
  readonly sites: readonly SiteSpec[]
  readonly scaleGroups: readonly ScaleGroup[]
  readonly parameters: readonly ParameterSpec[]
  readonly attention: AttentionStep
  /** What its graphs must be told of where tokens stand. */
  readonly sequence: SequenceNeeds
}

/**
 * Describes a block.
 * @throws AwqError `CONFIG` when the table contradicts itself
 */
export const describeBlock = (
  config: ModelConfig,
  { steps, scaleGroups }: BlockTable,
  key: string,
): BlockDescription => {
  const all = allLinearsOf(steps)
  const sites = sitesOf(steps)
  const attention = attentionOf(config.modelType, steps)
  checkSites(config.modelType, flatSteps(steps))
  return {
    config,
    key,
    steps,
    linears: all.filter(({ float }) => !float),
    sites,
    scaleGroups: resolveGroups(config.modelType, steps, sites, scaleGroups),
    parameters: steps.flatMap(stepParameters),
    attention,
    sequence: sequenceNeeds(steps),
  }
}
