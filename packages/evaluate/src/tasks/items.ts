import { AwqError } from '@awq/tensor'
import type { JsonRecord } from '@awq/text'
import { findTask, type TaskName } from './table.ts'
import type { Task, TaskItem } from './task.ts'

/** How records become items. */
export interface TaskItemOptions {
  /** Lines of the task's file: `openTaskFile` of @awq/evaluate/node. */
  readonly records: Iterable<JsonRecord> | AsyncIterable<JsonRecord>
  /** Use only the first items. */
  readonly limit?: number | undefined
  /** Solved examples before each question; the task's own number by default. */
  readonly shots?: number | undefined
  /** Where the examples are taken from, the first ones; the task's own by default. */
  readonly shotRecords?: Iterable<JsonRecord> | AsyncIterable<JsonRecord> | undefined
  /** Ask through the model's chat template; false by default. */
  readonly chat?: boolean | undefined
}

/**
 * Reads the items of a task.
 * @throws AwqError INVALID_FILE for a record that is no item or when there is none, INVALID_ARGUMENT for settings the
 * task does not know
 */
export const readTaskItems = async (task: TaskName | Task, options: TaskItemOptions): Promise<TaskItem[]> => {
  const { limit = Infinity, chat = false, shotRecords } = options
  const found = findTask(task)
  const { shots = found.shots } = options
  if (limit !== Infinity) checkCount('limit', limit, 1)
  checkCount('shots', shots, 0)
  const make = found.prepare({ shots, chat, shotRecords: shotRecords && (await take(shotRecords, shots)) })
  const items = (await take(options.records, limit)).map(make)
  if (items.length === 0) throw new AwqError('INVALID_FILE', `There is no item of ${found.name}; give ${found.data}.`)
  return items
}

const checkCount = (name: string, value: number, least: number): void => {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new AwqError('INVALID_ARGUMENT', `${name} must be an integer of ${least} or more, not ${value}.`)
  }
}

const take = async (
  records: Iterable<JsonRecord> | AsyncIterable<JsonRecord>,
  limit: number,
): Promise<JsonRecord[]> => {
  const taken: JsonRecord[] = []
  if (limit === 0) return taken
  for await (const record of records) {
    taken.push(record)
    if (taken.length >= limit) break
  }
  return taken
}
