/**
 * Plans for target sizes, as `quantize` makes them before it begins, and on their own.
 * @module
 */
import { type Engine, withEngine } from '@awq/ort'
import type { Folder } from '@awq/tensor'
import type { CalibrationOptions } from './calibration-text.ts'
import { checkWeights } from './check-weights.ts'
import { journaledPlan, type KeptMeasurements, measurementsIn } from './journal.ts'
import { DEFAULT_METHOD, type Method, type MethodOptions, resolveMethod } from './methods.ts'
import type { PlanTarget } from './plan-budget.ts'
import { openPlanner, type PlannedModel } from './plan-model.ts'
import type { ComputeOptions, QuantizationOptions } from './quantize.ts'
import { openSource, type SourceModel } from './source-model.ts'
import type { Workspace } from './workspace.ts'

/** A plan with the options it was made from, as text. */
export interface PlannedVariant {
  readonly target: string
  readonly model: PlannedModel
}

/** What decides a plan beside model, method and text. */
const targetText = (options: PlanTarget & QuantizationOptions): string => {
  const { targetBpw, targetBytes, groupSize, symmetric, embeddingBits, headBits, visionBits } = options
  return JSON.stringify({ targetBpw, targetBytes, groupSize, symmetric, embeddingBits, headBits, visionBits })
}

/** Parts that are open already. */
interface OpenParts {
  readonly model: SourceModel
  readonly engine: Engine
  readonly method: Method
}

type PlanningOptions = QuantizationOptions & PlanTarget & CalibrationOptions & Omit<ComputeOptions, 'engine'>

const makePlan = async (
  options: PlanningOptions & OpenParts,
  measurements?: KeptMeasurements,
): Promise<PlannedModel> => {
  const { model, engine, method, signal, onProgress, targetBpw, targetBytes } = options
  const target = { targetBpw, targetBytes }
  const planner = await openPlanner({
    model,
    engine,
    method,
    options,
    calibration: options,
    targets: [target],
    kept: measurements,
    signal,
    onProgress,
  })
  return planner.plan(target)
}

/**
 * The plan that options with a target ask for, taken over from an interrupted run where one is resumed; or made from what
 * that had measured.
 * @throws AwqError `INVALID_ARGUMENT` for a target that can not be met, naming the least possible size
 */
export const planForTarget = async (
  options: PlanningOptions & OpenParts & { readonly workspace: Workspace; readonly resume?: boolean | undefined },
): Promise<PlannedVariant | undefined> => {
  const { targetBpw, targetBytes, resume, workspace } = options
  if (targetBpw === undefined && targetBytes === undefined) return undefined
  const target = targetText(options)
  const kept = resume ? await journaledPlan(workspace, target) : undefined
  const model = kept ?? (await makePlan(options, measurementsIn(workspace, resume ?? false)))
  const { plan: _, ...summary } = model
  options.onProgress?.({ type: 'plan', ...summary })
  return { target, model }
}

/** Options of `planModel`. */
export interface PlanModelOptions
  extends QuantizationOptions,
    PlanTarget,
    MethodOptions,
    CalibrationOptions,
    ComputeOptions {
  /** A folder, or (in Node) a path or a hub id. */
  readonly model: Folder | string
  /** The method that will quantize; default `awq-gptq`. */
  readonly method?: string | Method | undefined
}

/**
 * Which bits each matrix gets at a target size, without quantizing the model: what `quantize` does first with the same
 * options. The plan can be changed and handed to `quantize` as `plan`.
 * @throws AwqError as `quantize`; `INVALID_ARGUMENT` for a target that can not be met, naming the least possible size
 */
export const planModel = async (options: PlanModelOptions): Promise<PlannedModel> => {
  const method = resolveMethod(options.method ?? DEFAULT_METHOD, options)
  await using model = await openSource(options.model, options)
  await checkWeights(model, options.signal)
  return await withEngine(options, (engine) => makePlan({ ...options, model, engine, method }))
}
