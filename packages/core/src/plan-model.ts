/**
 * A plan for a target size: which matrices get how many bits, so that least is lost, as measured.
 * @module
 */
import { type ModelDescription, parameterCount } from '@awq/models'
import type { Engine } from '@awq/ort'
import type { QuantSpec } from '@awq/quantize'
import { type CalibrationOptions, calibrationTokens } from './calibration-text.ts'
import type { Method } from './methods.ts'
import { type BitsPlan, sameSpec } from './plan.ts'
import { assignChoices } from './plan-assign.ts'
import {
  budgetOf,
  type PlanChoices,
  type PlanTarget,
  type PlanWeights,
  planChoices,
  planUnits,
  planWeights,
} from './plan-budget.ts'
import type { OnProgress } from './progress.ts'
import type { QuantizationOptions } from './quantize.ts'
import { measureSensitivities, type SiteSensitivity } from './sensitivity.ts'
import type { SourceModel } from './source-model.ts'

/** How many matrices a plan stores in one way. */
export interface PlanShare {
  readonly what: 'linears' | 'embedding' | 'head' | 'embedding and head'
  /** null: kept in 16 bits. */
  readonly spec: QuantSpec | null
  readonly matrices: number
  readonly parameters: number
}

/** A plan and what is expected of it. */
export interface PlannedModel {
  readonly plan: BitsPlan
  /** Bytes of all stored tensors, and their bits over the number of parameters. */
  readonly bytes: number
  readonly bitsPerWeight: number
  /** Sum of the KL divergences, nats per token, that each matrix alone was measured to cause. */
  readonly expectedLoss: number
  readonly shares: readonly PlanShare[]
}

/** Measured once, a planner makes plans for any number of targets. */
export interface Planner {
  plan(target: PlanTarget): PlannedModel
}

/** What a planner measures on. */
export interface PlannerOptions {
  readonly model: SourceModel
  readonly engine: Engine
  readonly method: Method
  readonly options: QuantizationOptions
  readonly calibration: CalibrationOptions
  /** Checked before anything is measured. */
  readonly targets: readonly PlanTarget[]
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnProgress | undefined
}

/** Sequences that the method is calibrated on while planning, and that divergences are measured on; tokens in each. */
const CALIBRATION_SEQUENCES = 8
const MEASURED_SEQUENCES = 2
const SEQUENCE_LENGTH = 256

/**
 * Measures how much the bits of each matrix matter.
 * @throws AwqError `INVALID_ARGUMENT` for a target that can not be met, naming the least possible size
 */
export const openPlanner = async (parts: PlannerOptions): Promise<Planner> => {
  const { model, engine, method, options, calibration, signal, onProgress = () => {} } = parts
  const { description, checkpoint } = model
  const choices = planChoices(description, options)
  const weights = planWeights(checkpoint, description, choices, method.salient?.fraction)
  const budgets = parts.targets.map((target) => budgetOf(description, choices, weights, target))
  const tokens = await calibrationTokens(
    model,
    {
      ...calibration,
      samples: CALIBRATION_SEQUENCES + MEASURED_SEQUENCES,
      length: Math.min(SEQUENCE_LENGTH, calibration.length ?? SEQUENCE_LENGTH),
    },
    signal,
    onProgress,
  )
  // A text that gives a single sequence is measured on what it was calibrated on.
  const measured = Math.min(MEASURED_SEQUENCES, Math.max(1, tokens.blocks.length - 1))
  const tables = [...new Set([...choices.embedding, ...(choices.head === 'shared' ? [] : choices.head)])]
  const sensitivities = await measureSensitivities({
    model,
    engine,
    method,
    calibration: tokens.blocks.length > 1 ? tokens.blocks.slice(measured) : tokens.blocks,
    measured: tokens.blocks.slice(0, measured),
    allExperts: calibration.moeCalibrateAll,
    references: referencesOf(choices, weights, budgets),
    candidates: choices.linears,
    tables,
    signal,
    onProgress,
  })
  const lossesOf = (all: readonly number[], specs: readonly (QuantSpec | null)[]) =>
    specs.map((spec) => all[tables.indexOf(spec)]!)
  const losses = {
    sites: sensitivities.sites,
    embedding: lossesOf(sensitivities.embedding, choices.embedding),
    head: lossesOf(sensitivities.head, choices.head === 'shared' ? choices.embedding : choices.head),
  }
  const units = planUnits(choices, weights, losses)
  return {
    plan(target) {
      const budget = budgetOf(description, choices, weights, target)
      const chosen = assignChoices(units, budget - weights.fixed)
      const picked = chosen.map((choice, unit) => units[unit]![choice]!)
      const bytes = picked.reduce((sum, choice) => sum + choice.bytes, weights.fixed)
      const plan = planOf(description, choices, sensitivities.sites, chosen)
      return {
        plan,
        bytes,
        bitsPerWeight: (bytes * 8) / parameterCount(description),
        expectedLoss: picked.reduce((sum, { loss }) => sum + loss, 0),
        shares: sharesOf(description, plan),
      }
    },
  }
}

/** The plan that the chosen units stand for. */
const planOf = (
  { parameter }: ModelDescription,
  choices: PlanChoices,
  sites: readonly SiteSensitivity[],
  chosen: readonly number[],
): BitsPlan => {
  const linears = sites.flatMap(({ layer, linears: names }, unit) =>
    names.map((name) => [parameter(layer, `${name}.weight`), choices.linears[chosen[unit]!]!] as const),
  )
  const embedding = choices.embedding[chosen[sites.length]!]!
  const head = choices.head === 'shared' ? embedding : choices.head[chosen[sites.length + 1]!]!
  return { linears: Object.fromEntries(linears), embedding, head }
}

/** How many matrices of a plan are stored in each way: linears from few bits to many, then the tables. */
const sharesOf = (description: ModelDescription, plan: BitsPlan): PlanShare[] => {
  const { config, embedding, head } = description
  const rows = new Map<
    string,
    { what: PlanShare['what']; spec: QuantSpec | null; matrices: number; parameters: number }
  >()
  const add = (what: PlanShare['what'], spec: QuantSpec | null, parameters: number) => {
    const key = JSON.stringify([what, spec?.bits ?? 16, spec?.groupSize])
    const row = rows.get(key) ?? { what, spec, matrices: 0, parameters: 0 }
    rows.set(key, { ...row, matrices: row.matrices + 1, parameters: row.parameters + parameters })
  }
  for (const [layer, { linears }] of description.blocks.entries())
    for (const { name, shape } of linears)
      add('linears', plan.linears[description.parameter(layer, `${name}.weight`)]!, shape[0] * shape[1])
  const tied = embedding === head && sameSpec(plan.embedding, plan.head)
  const table = config.vocabSize * config.embeddingSize
  add(tied ? 'embedding and head' : 'embedding', plan.embedding, table)
  if (!tied) add('head', plan.head, table)
  const linears = [...rows.values()].filter(({ what }) => what === 'linears')
  const order = ({ spec }: { spec: QuantSpec | null }) => (spec ? spec.bits * 1024 - spec.groupSize : 0)
  return [
    ...linears.sort((a, b) => order(a) - order(b)),
    ...[...rows.values()].filter(({ what }) => what !== 'linears'),
  ]
}

/**
 * What is measured: 2 bits where a budget leaves too little for 4 bits everywhere, else 4 bits, in groups of a middle
 * size. Losses of other bits follow in proportion: on SmolLM2-135M the logarithms of the losses at 2 and at 4 bits
 * correlate by 0.97 over the sites, those at 4 and 8 bits by 0.96, and those of two methods at the same bits by 0.87.
 */
const referencesOf = ({ linears }: PlanChoices, weights: PlanWeights, budgets: readonly number[]): QuantSpec[] => {
  const middle = linears.some(({ groupSize }) => groupSize === 64) ? 64 : linears[0]!.groupSize
  const at = (bits: number) => linears.findIndex((spec) => spec.bits === bits && spec.groupSize === middle)
  const all = weights.sites.flatMap((sites) => [...sites.values()])
  const ofSites = all.reduce((sum, bytes) => sum + bytes[at(4)]!, 0)
  const leastHead = weights.head.length > 0 ? Math.min(...weights.head) : 0
  const whole = weights.fixed + ofSites + Math.min(...weights.embedding) + leastHead
  const needed = new Set(budgets.map((budget) => (budget < whole ? 2 : 4)))
  return [...needed].map((bits) => linears[at(bits)]!)
}
