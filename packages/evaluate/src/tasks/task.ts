/**
 * What a task is: how its file is read, what a model is asked, and how an answer is judged. A task of one's own is such
 * an object.
 * @module
 */
import { AwqError } from '@awq/tensor'
import type { ChatMessage, JsonRecord } from '@awq/text'

/** A text whose ending is to be predicted; no generation is needed. */
export interface TargetItem {
  readonly kind: 'target'
  readonly id: string
  readonly context: string
  /** What follows the context, its first space included. */
  readonly target: string
}

/** A prompt that the model answers greedily. */
export interface GenerationItem {
  readonly kind: 'generation'
  readonly id: string
  readonly prompt: string | readonly ChatMessage[]
  /** Texts that end the output. */
  readonly stop: readonly string[]
  /** The answer within an output: what two models are compared by, and what `score` judges. '' when there is none. */
  answer(output: string): string
  /** Judges an output by each score of the task. */
  score(output: string, tools: ScoreTools): Promise<Judgement>
}

/** One item of a task. */
export type TaskItem = TargetItem | GenerationItem

/** What an output is worth. */
export interface Judgement {
  /** Right or wrong, by name of the score; nothing where it could not be judged. */
  readonly scores: Readonly<Record<string, boolean>>
  /** Why it is wrong, in short. */
  readonly message?: string | undefined
}

/** A program that a model wrote, and what tests it. */
export interface CodeProblem {
  /** Python before the completion. */
  readonly prompt: string
  readonly completion: string
  /** Python that defines `check(candidate)`, which raises when the candidate is wrong. */
  readonly test: string
  /** Name of the function that is tested. */
  readonly entryPoint: string
}

/** What a run of a program came to. */
export interface CodeOutcome {
  readonly status: 'passed' | 'failed' | 'timeout'
  /** The error of the program or of its test. */
  readonly message?: string | undefined
}

/** Runs a program that is not trusted against its test: `createCodeSandbox` of @awq/evaluate/node. */
export type CheckCode = (
  problem: CodeProblem,
  options: { readonly signal?: AbortSignal | undefined },
) => Promise<CodeOutcome>

/** What scoring may use. */
export interface ScoreTools {
  /** Absent unless code may be executed. */
  readonly checkCode?: CheckCode | undefined
  readonly signal?: AbortSignal | undefined
}

/** How the items are asked. */
export interface TaskSettings {
  /** Solved examples before each question. */
  readonly shots: number
  /** Where the examples are taken from, in order; the task's own when absent. */
  readonly shotRecords?: readonly JsonRecord[] | undefined
  /** Ask through the model's chat template. */
  readonly chat: boolean
}

/** A task. */
export interface Task {
  readonly name: string
  /** Where its file is found, for people. */
  readonly data: string
  /** Solved examples before each question unless asked otherwise. */
  readonly shots: number
  /** Tokens of an output; 0 for targets. */
  readonly maxNewTokens: number
  /** Names of its scores; the first one is the accuracy. */
  readonly scores: readonly [string, ...string[]]
  /**
   * Gives the function that makes an item of a record.
   * @throws AwqError INVALID_ARGUMENT for settings the task does not know; the function: INVALID_FILE for a record
   * without the fields of the task
   */
  prepare(settings: TaskSettings): (record: JsonRecord) => TaskItem
}

/**
 * The text in a field of a record.
 * @throws AwqError INVALID_FILE when it has none, with the record's place and the fields it has
 */
export const textField = ({ value, where }: JsonRecord, name: string, task: string): string => {
  const fields = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  const text = Object.hasOwn(fields, name) ? fields[name] : undefined
  if (typeof text === 'string' && text.trim() !== '') return text
  const found = Object.keys(fields).slice(0, 12).join(', ') || 'none'
  throw new AwqError(
    'INVALID_FILE',
    `${where} is no item of ${task}: it needs a text in the field ${name}; its fields: ${found}`,
  )
}

/**
 * Refuses settings that a task without examples or chat can not follow.
 * @throws AwqError INVALID_ARGUMENT
 */
export const refuseShots = (name: string, { shots, shotRecords }: TaskSettings): void => {
  if (shots > 0 || shotRecords) {
    throw new AwqError('INVALID_ARGUMENT', `${name} is asked without solved examples; leave out the shots.`)
  }
}
