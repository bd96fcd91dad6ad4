/**
 * A plan for a target size: which matrices get how many bits, so that least is lost, as measured.
 * @module
 */
import type { ModelDescription } from '@awq/models'
import type { Engine } from '@awq/ort'
import type { QuantSpec } from '@awq/quantize'
import { AwqError } from '@awq/tensor'
import { type CalibrationOptions, type CalibrationTokens, calibrationTokens } from './calibration-text.ts'
import type { KeptMeasurements } from './journal.ts'
import type { Method } from './methods.ts'
import { type BitsPlan, sameSpec } from './plan.ts'
import type { StorageChoice } from './plan-assign.ts'
import {
  budgetOf,
  type PlanChoices,
  type PlanTarget,
  type PlanWeights,
  planChoices,
  planUnits,
  planWeights,
} from './plan-budget.ts'
import { candidatePlans } from './plan-candidates.ts'
import { measurePlans } from './plan-joint.ts'
import type { OnProgress } from './progress.ts'
import type { QuantizationOptions } from './quantize.ts'
import { measureSensitivities, type SiteSensitivity } from './sensitivity.ts'
import type { SourceModel } from './source-model.ts'
import { type CalibrationSequence, lengthOf } from './streams.ts'
import { inputsKey, passesKey } from './variant.ts'

/** How many matrices a plan stores in one way. */
export interface PlanShare {
  readonly what: 'linears' | 'embedding' | 'head' | 'embedding and head'
  /** null: kept in 16 bits. */
  readonly spec: QuantSpec | null
  readonly matrices: number
  readonly parameters: number
}

/** A plan that was measured as a whole. */
export interface PlanCandidate {
  readonly name: string
  readonly bytes: number
  /** As in {@link PlannedModel}. */
  readonly expectedLoss: number
  readonly measuredLoss: number
}

/** A plan and what is expected of it. */
export interface PlannedModel {
  readonly plan: BitsPlan
  /** Bytes of all stored tensors, and their bits over the number of parameters. */
  readonly bytes: number
  readonly bitsPerWeight: number
  /** Sum of the KL divergences, nats per token, that each matrix alone was measured to cause. */
  readonly expectedLoss: number
  /** The KL divergence, nats per token, that all of them were measured to cause together. */
  readonly measuredLoss: number
  /** The plans that were measured, this one with the least divergence among them. */
  readonly candidates: readonly PlanCandidate[]
  readonly shares: readonly PlanShare[]
  /** The residual streams that measuring has in memory at once. */
  readonly streamBytes: number
}

/** Makes plans for any number of targets; each matrix alone is measured once for all of them. */
export interface Planner {
  plan(target: PlanTarget): Promise<PlannedModel>
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
  /** Where an interrupted planning has left what it measured. */
  readonly kept?: KeptMeasurements | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnProgress | undefined
}

/**
 * Sequences that the method is calibrated on while planning, that each matrix alone is measured on (hundreds of streams),
 * and that whole plans are (a handful): those and more. Tokens in each.
 */
const CALIBRATION_SEQUENCES = 8
const MEASURED_SEQUENCES = 2
const JOINT_SEQUENCES = 8
const SEQUENCE_LENGTH = 256

/**
 * Measures how much the bits of each matrix matter.
 * @throws AwqError `INVALID_ARGUMENT` for a target that can not be met, naming the least possible size
 */
export const openPlanner = async (parts: PlannerOptions): Promise<Planner> => {
  const { model, engine, method, options, calibration, signal, onProgress = () => {} } = parts
  const { description, checkpoint } = model
  const choices = planChoices(description, options)
  const weights = planWeights(checkpoint, description, choices, method.salient?.fraction, options.visionBits)
  const budgets = parts.targets.map((target) => budgetOf(choices, weights, target))
  const { tokens, rows } = await calibrationTokens(
    model,
    {
      ...calibration,
      samples: CALIBRATION_SEQUENCES + JOINT_SEQUENCES,
      length: Math.min(SEQUENCE_LENGTH, calibration.length ?? SEQUENCE_LENGTH),
    },
    { engine, signal, onProgress },
  )
  const { fit, alone, together } = sequencesOf(tokens)
  const tables = [...new Set([...choices.embedding, ...(choices.head === 'shared' ? [] : choices.head)])]
  const { layers } = description.config
  const progressOf = (walk: 0 | 1) => (done: number) =>
    onProgress({
      type: 'progress',
      stage: 'plan',
      completed: walk * layers + done,
      total: 2 * layers,
      message: walk === 0 ? 'each matrix alone' : 'whole plans',
    })
  onProgress({ type: 'stage', stage: 'plan' })
  const common = { model, engine, method, rows, calibration: fit, allExperts: calibration.moeCalibrateAll, signal }
  const references = referencesOf(choices, weights, budgets)
  const key = {
    ...(await inputsKey(model, tokens, calibration)),
    method: method.name,
    passes: passesKey(method),
    measured: JSON.stringify([references, choices.linears, tables]),
  }
  const kept = await parts.kept?.read(key)
  const sensitivities =
    kept ??
    (await measureSensitivities({
      ...common,
      measured: alone,
      references,
      candidates: choices.linears,
      tables,
      onLayer: progressOf(0),
    }))
  if (!kept) await parts.kept?.write(key, sensitivities)
  const lossesOf = (all: readonly number[], specs: readonly (QuantSpec | null)[]) =>
    specs.map((spec) => all[tables.indexOf(spec)]!)
  const losses = {
    sites: sensitivities.sites,
    embedding: lossesOf(sensitivities.embedding, choices.embedding),
    head: lossesOf(sensitivities.head, choices.head === 'shared' ? choices.embedding : choices.head),
  }
  const units = planUnits(choices, weights, losses)
  return {
    async plan(target) {
      const budget = budgetOf(choices, weights, target) - weights.fixed
      const { sites } = sensitivities
      const candidates = candidatePlans(units, choices.linears, sites.length, budget)
      const plans = candidates.map(({ chosen }) => planOf(description, choices, sites, chosen))
      const measured = await measurePlans({ ...common, measured: together, onLayer: progressOf(1) }, plans)
      const best = leastOf(measured)
      const sumOf = (chosen: readonly number[], what: keyof StorageChoice) =>
        chosen.reduce((sum, choice, unit) => sum + units[unit]![choice]![what], 0)
      const known = candidates.map(
        ({ name, chosen }, i): PlanCandidate => ({
          name,
          bytes: weights.fixed + sumOf(chosen, 'bytes'),
          expectedLoss: sumOf(chosen, 'loss'),
          measuredLoss: measured[i]!,
        }),
      )
      const { name: _, ...summary } = known[best]!
      return {
        plan: plans[best]!,
        ...summary,
        bitsPerWeight: (summary.bytes * 8) / weights.parameters,
        candidates: known,
        streamBytes: sensitivities.streamBytes,
        shares: sharesOf(description, plans[best]!),
      }
    },
  }
}

/**
 * Every other sequence with images is held back, as every other of text is where both are there. A text that gives a single sequence is
 * measured on what it was calibrated on.
 */
const sequencesOf = ({ blocks, sequences }: CalibrationTokens) => {
  const all = interleaved<CalibrationSequence>(blocks, sequences)
  const held = Math.min(JOINT_SEQUENCES, Math.max(1, Math.floor(all.length / 2)))
  const together = all.slice(0, held)
  return { fit: all.length > 1 ? all.slice(held) : all, alone: shortest(together), together }
}

/** Both lists in turn, each in its order. */
const interleaved = <T>(one: readonly T[], other: readonly T[]): T[] => {
  const placed = [one, other].flatMap((list) => list.map((item, i) => ({ item, at: i / list.length })))
  return placed.sort((a, b) => a.at - b.at).map(({ item }) => item)
}

/** The first sequences, or where images make them long as many of the shortest as have no more tokens; at least one. */
const shortest = (sequences: readonly CalibrationSequence[]): CalibrationSequence[] => {
  let left = MEASURED_SEQUENCES * SEQUENCE_LENGTH
  const byLength = [...sequences].sort((a, b) => lengthOf(a) - lengthOf(b)).slice(0, MEASURED_SEQUENCES)
  return byLength.filter((sequence, i) => {
    left -= lengthOf(sequence)
    return i === 0 || left >= 0
  })
}

/** The place of the least divergence. @throws AwqError `NUMERIC` when none is finite */
const leastOf = (losses: readonly number[]): number => {
  const finite = losses.filter(Number.isFinite)
  if (finite.length > 0) return losses.indexOf(Math.min(...finite))
  throw new AwqError('NUMERIC', 'no plan can be made: the outputs of the quantized model are not finite on any plan')
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
