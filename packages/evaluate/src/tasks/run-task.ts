import { type Engine, withEngine } from '@awq/ort'
import { type Accuracy, type LanguageModel, loadModel, openModel } from '@awq/runtime'
import { AwqError, type Folder } from '@awq/tensor'
import { loadTokenizer } from '@awq/text'
import { runGenerations } from './generation-run.ts'
import type { ItemResult } from './results.ts'
import { findTask, type TaskName } from './table.ts'
import { runTargets } from './target-run.ts'
import type { CheckCode, GenerationItem, TargetItem, Task, TaskItem } from './task.ts'

/** A model that does a task: a folder (float checkpoint or quantized store), or a loaded model. */
export type TaskModel = Folder | LanguageModel

/** What is run by one model. */
export interface RunTaskOptions {
  readonly model: TaskModel
  readonly task: TaskName | Task
  /** As `readTaskItems` gives them. */
  readonly items: readonly TaskItem[]
  /** For folders; made for the CPU, and disposed, when absent. */
  readonly engine?: Engine | undefined
  /** For folders: `exact` (the default) or `fast`. */
  readonly accuracy?: Accuracy | undefined
  /** Tokens of an output; the task's own by default. */
  readonly maxNewTokens?: number | undefined
  /** Executes programs; without it nothing is executed, and tasks of code have no accuracy. */
  readonly checkCode?: CheckCode | undefined
  readonly signal?: AbortSignal | undefined
  /** Told how many items' work is done. */
  readonly onItems?: ((done: number) => void) | undefined
}

/**
 * Runs the items of a task on one model. Targets take one pass block by block, generations are greedy.
 * @throws AwqError as `openModel`; INVALID_ARGUMENT for a prompt longer than the context or items of two kinds, NUMERIC
 * for likelihoods that are not numbers; rejects with `signal.reason`
 */
export const runTask = async (options: RunTaskOptions): Promise<ItemResult[]> => {
  const { model, items, engine, signal } = options
  signal?.throwIfAborted()
  const targets = items.filter((item): item is TargetItem => item.kind === 'target')
  const questions = items.filter((item): item is GenerationItem => item.kind === 'generation')
  if (targets.length > 0 && questions.length > 0) {
    throw new AwqError('INVALID_ARGUMENT', 'The items are of two kinds; those of a task are of one.')
  }
  const run = targets.length > 0 ? onTargets(options, targets) : onQuestions(options, questions)
  if ('opened' in model) return run.loaded(model)
  return withEngine({ engine }, (own) => run.folder(model, own))
}

/** What is done with a loaded model, and with a folder. */
interface Run {
  readonly loaded: (model: LanguageModel) => Promise<ItemResult[]>
  readonly folder: (model: Folder, engine: Engine) => Promise<ItemResult[]>
}

const onTargets = (options: RunTaskOptions, items: readonly TargetItem[]): Run => {
  const { accuracy = 'exact', signal, onItems } = options
  const [score] = findTask(options.task).scores
  return {
    loaded: ({ opened, tokenizer }) => runTargets(opened, tokenizer, items, score, { signal, onItems }),
    async folder(model, engine) {
      const tokenizer = await loadTokenizer(model)
      await using opened = await openModel(model, engine, { accuracy, signal })
      return await runTargets(opened, tokenizer, items, score, { signal, onItems })
    },
  }
}

const onQuestions = (options: RunTaskOptions, items: readonly GenerationItem[]): Run => {
  const { accuracy = 'exact', signal, onItems, checkCode, maxNewTokens } = options
  const settings = { maxNewTokens: maxNewTokens ?? findTask(options.task).maxNewTokens, checkCode, signal, onItems }
  return {
    loaded: (model) => runGenerations(model, items, settings),
    async folder(model, engine) {
      await using loaded = await loadModel(model, { engine, accuracy, signal })
      return await runGenerations(loaded, items, settings)
    },
  }
}
