/**
 * Accuracy of a model on a task, and agreement with a reference model.
 * @module
 */
import { readTaskItems, type TaskItemOptions } from './items.ts'
import { agreementOf, type ItemResult, scoresOf, type TaskAgreement, type TaskScores } from './results.ts'
import { type RunTaskOptions, runTask, type TaskModel } from './run-task.ts'
import { findTask } from './table.ts'

/** Progress: `done` of `total` items, of the model or of its reference. */
export interface TaskProgress {
  readonly model: 'model' | 'against'
  readonly done: number
  readonly total: number
}

/** A task, its records, and one or two models. */
export interface EvaluateTaskOptions extends Omit<RunTaskOptions, 'items' | 'onItems'>, TaskItemOptions {
  /** The reference, usually the float checkpoint: adds `agreement` and its figures. It runs after the model is closed. */
  readonly against?: TaskModel | undefined
  readonly onProgress?: ((event: TaskProgress) => void) | undefined
}

/** The figures of a task. */
export interface TaskEvaluation extends TaskScores, Partial<TaskAgreement> {
  readonly task: string
  readonly items: readonly ItemResult[]
  /** The reference's figures and items. */
  readonly against?: TaskScores & { readonly items: readonly ItemResult[] }
  readonly seconds: number
}

/**
 * Evaluates a model on a task, and its reference where there is one; one model is in memory at a time. Outputs are
 * greedy, so the same files give the same figures.
 * @throws AwqError as `readTaskItems` and `runTask`; rejects with `signal.reason`
 */
export const evaluateTask = async (options: EvaluateTaskOptions): Promise<TaskEvaluation> => {
  const { against, onProgress, ...given } = options
  const started = performance.now()
  const task = findTask(options.task)
  const list = await readTaskItems(task, options)
  const run = (model: TaskModel, which: TaskProgress['model']) => {
    const onItems = (done: number) => onProgress?.({ model: which, done, total: list.length })
    return runTask({ ...given, model, items: list, onItems })
  }
  const items = await run(options.model, 'model')
  const reference = against && (await run(against, 'against'))
  return {
    task: task.name,
    ...scoresOf(task, items),
    ...(reference ? agreementOf(items, reference) : {}),
    items,
    ...(reference ? { against: { ...scoresOf(task, reference), items: reference } } : {}),
    seconds: (performance.now() - started) / 1000,
  }
}
