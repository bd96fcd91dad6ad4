/**
 * The scale pass: a scale per input channel for every scale group, folded so that the float function stays the same.
 * @module
 */
import { scaleStats } from '@awq/calibration'
import type { ScaleGroup } from '@awq/models'
import {
  foldIntoProducer,
  type GridRule,
  type Producer,
  type ScaleStrategy,
  scaleColumns,
  scaleStrategies,
  searchScale,
} from '@awq/search'
import { AwqError } from '@awq/tensor'
import { type BlockState, type FoldedGroup, type Pass, specOf, weightOf } from './block-state.ts'
import { named } from './named.ts'
import { codedStatsOf, codedWeightOf } from './salient.ts'
import { type ScaleObjective, scaleObjectives } from './scale-objective.ts'

/** A scale for one group, and what the search has to say of it. */
export interface GroupScale extends Pick<FoldedGroup, 'alpha' | 'loss' | 'identityLoss'> {
  /** `[in]`, positive; equal for columns with the same `producerRow`. */
  readonly scale: Float32Array
}

const rowsOf = (block: BlockState, linear: string): number =>
  block.linears.find(({ name }) => name === linear)?.shape[0] ?? 0

/**
 * Folds a scale into a block: the consumers' columns are multiplied by it, the producer is divided by it, and the
 * statistics become those of the divided activations (AWQ, arXiv 2306.00978, section 3.2).
 * @throws AwqError `INVALID_ARGUMENT` when the scale is not positive and finite, or differs between columns that one row
 * of the producer makes
 */
export const applyScale = (block: BlockState, group: ScaleGroup, found: GroupScale): void => {
  const { scale, ...measures } = found
  const weightName = `${group.producer}.weight`
  const biasName = `${group.producer}.bias`
  const weight = block.weights.get(weightName)
  if (!weight) throw new AwqError('INVALID_ARGUMENT', `block ${block.layer} has no parameter ${weightName}`)
  const bias = block.weights.get(biasName)
  const producer: Producer =
    group.kind === 'norm' || group.kind === 'activation'
      ? { kind: group.offset === 1 ? 'norm1p' : 'norm', weight, bias }
      : { kind: group.kind, weight, rows: rowsOf(block, group.producer), bias }
  const folded = foldIntoProducer(producer, scale, group.producerRow)
  block.weights.set(weightName, folded.weight)
  if (folded.bias) block.weights.set(biasName, folded.bias)
  for (const name of [...group.consumers, ...group.floats])
    block.weights.set(`${name}.weight`, scaleColumns(weightOf(block, name), scale))
  for (const site of group.sites) {
    const stats = block.stats.get(site)
    if (stats) block.stats.set(site, scaleStats(stats, scale))
  }
  block.folded.push({ layer: block.layer, producer: group.producer, consumers: group.consumers, ...measures })
}

/** Options of `scalePass`. */
export interface ScalePassOptions {
  /** How scales are found: a name from `scaleStrategies`, or a strategy of your own; default `alpha`. */
  readonly strategy?: string | ScaleStrategy | undefined
  /** What scales are judged by: a name from `scaleObjectives`, or an objective of your own; default `linear`. */
  readonly objective?: string | ScaleObjective | undefined
  /** How ranges and grids come about while searching, where it is not as they are stored: other programs' rules. */
  readonly rule?: GridRule | undefined
  /** Whether no scale is a candidate of its own, which wins where it is better; default true. */
  readonly identity?: boolean | undefined
}

/**
 * Searches a scale for every scale group, in the block's order, and folds it; no scale where none is better.
 * @throws AwqError `INVALID_ARGUMENT` for an unknown name
 */
export const scalePass = (options: ScalePassOptions = {}): Pass => {
  const { rule, identity } = options
  const strategy = named('scale strategy', options.strategy ?? 'alpha', scaleStrategies)
  const objective = named('objective', options.objective ?? 'linear', scaleObjectives)
  return {
    name: 'scale',
    options: {
      strategy: { name: strategy.name, ...strategy.options },
      objective: { name: objective.name, ...objective.options },
      ...(rule === undefined ? {} : { rule }),
      ...(identity === undefined ? {} : { identity }),
    },
    inputTokens: objective.inputTokens,
    async run(block) {
      for (const group of block.scaleGroups) {
        const [first] = group.consumers
        const consumers = group.consumers.map((name) => block.description.parameter(block.layer, name)).join(', ')
        const evaluate = await objective.open?.(block, group, rule)
        const found = await searchScale(block.engine, {
          weights: group.consumers.map((name) => {
            const data = codedWeightOf(block, name)
            return { data, rows: data.length / group.producerRow.length }
          }),
          width: group.producerRow.length,
          stats: codedStatsOf(block, group.site),
          spec: specOf(block, first!),
          producerRow: group.producerRow,
          strategy,
          evaluate,
          rule,
          identity,
          name: `scale search of ${consumers}`,
          signal: block.signal,
        })
        applyScale(block, group, found)
      }
    },
  }
}
