import { AwqError } from '@awq/tensor'
import { gsm8k } from './gsm8k.ts'
import { humaneval } from './humaneval.ts'
import { lambada } from './lambada.ts'
import type { Task } from './task.ts'

/** Names of the tasks. */
export const taskNames = ['lambada', 'gsm8k', 'humaneval'] as const
export type TaskName = (typeof taskNames)[number]

/** The tasks by name. */
export const tasks: Readonly<Record<TaskName, Task>> = { lambada, gsm8k, humaneval }

/**
 * The task of a name; a task object is itself.
 * @throws AwqError INVALID_ARGUMENT for another name
 */
export const findTask = (task: TaskName | Task): Task => {
  if (typeof task === 'object') return task
  if (Object.hasOwn(tasks, task)) return tasks[task]
  throw new AwqError('INVALID_ARGUMENT', `task must be one of ${taskNames.join(', ')}, not ${JSON.stringify(task)}.`)
}
