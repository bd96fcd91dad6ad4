import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { AwqError } from '@awq/tensor'
import type { Session } from './command.ts'
import { defined } from './defined.ts'
import type { EvaluatedModels } from './eval-models.ts'
import { formatSeconds, formatShare, plural, significant } from './format.ts'
import type { Accuracy, TaskEvaluation, TaskName } from './libraries.ts'
import { UsageError } from './parse.ts'

/** What `awq eval --task` is told. */
export interface TaskValues {
  readonly taskData: string | undefined
  readonly limit: number | undefined
  readonly shots: number | undefined
  readonly shotsData: string | undefined
  readonly maxNewTokens: number | undefined
  readonly chat: boolean
  readonly save: string | undefined
  readonly allowCodeExecution: boolean
  readonly python: string | undefined
  readonly timeLimit: number | undefined
  readonly accuracy: Accuracy
}

/** `awq eval --task`: accuracy, and agreement with the reference where there is one. */
export const evaluateTask = async (
  session: Session,
  task: TaskName,
  options: TaskValues,
  findModels: () => Promise<EvaluatedModels>,
): Promise<void> => {
  const { reporter, signal } = session
  const { taskData, limit, shots, shotsData, maxNewTokens, chat, save, accuracy } = options
  checkCodeOptions(task, options)
  if (save !== undefined && !existsSync(dirname(save))) {
    throw new AwqError('NOT_FOUND', `there is no folder ${dirname(save)} to save ${save} in`)
  }
  const { evaluateTask, tasks } = await session.context.libraries.tasks()
  const { openTaskFile } = await session.context.libraries.taskTools()
  if (taskData === undefined) throw new UsageError(`--task ${task} needs --task-data FILE: ${tasks[task].data}`)
  const open = (path: string) => openTaskFile(path, { signal })
  const checkCode = options.allowCodeExecution ? await openSandbox(session, options) : undefined
  await using models = await findModels()
  const { model, against, engine } = models
  const result = await evaluateTask({
    ...defined({ against, limit, shots, maxNewTokens, checkCode }),
    task,
    model,
    engine,
    accuracy,
    records: open(taskData),
    ...(shotsData === undefined ? {} : { shotRecords: open(shotsData) }),
    chat,
    signal,
    onProgress: ({ model, done, total }) => {
      const before = model === 'against' ? total : 0
      const all = against ? 2 * total : total
      reporter.progress({ type: 'progress', stage: 'evaluate', completed: before + done, total: all })
    },
  })
  if (save !== undefined) await writeFile(save, savedLines(task, result))
  const { items: _items, against: reference, ...figures } = result
  const { items: _others, ...referenceFigures } = reference ?? { items: [] }
  reporter.event({ type: 'done', ...figures, ...(reference ? { against: referenceFigures } : {}) })
  reporter.print(...taskLines(result))
}

/** Programs are executed only when asked for; without, there must be another use of them. */
const checkCodeOptions = (task: TaskName, { allowCodeExecution, save, python, timeLimit }: TaskValues): void => {
  if (task === 'humaneval' && !allowCodeExecution && save === undefined) {
    throw new UsageError(
      '--task humaneval tests programs that the model writes: --allow-code-execution runs them in a sandbox ' +
        '(packages/evaluate/README.md says what it protects from), --save FILE only writes them down for another evaluator',
    )
  }
  if (task !== 'humaneval' && allowCodeExecution) throw new UsageError(`--task ${task} executes no code`)
  if (!allowCodeExecution && (python !== undefined || timeLimit !== undefined)) {
    throw new UsageError('--python and --time-limit need --allow-code-execution')
  }
}

const openSandbox = async (session: Session, { python, timeLimit }: TaskValues) => {
  const { createCodeSandbox } = await session.context.libraries.taskTools()
  const { check, isolation } = await createCodeSandbox({ ...defined({ python, timeLimit }), signal: session.signal })
  const dangers = [
    ...(isolation.network ? [] : ['use the network']),
    ...(isolation.files ? [] : ['write files that this user may write']),
    ...(isolation.processes ? [] : ['start processes']),
  ]
  if (dangers.length > 0) {
    const message = `this system does not keep the programs of the model from these: ${dangers.join(', ')}`
    session.reporter.progress({ type: 'warning', message })
  }
  return check
}

/** One line per item: programs as the official evaluator of HumanEval reads them, else the answers. */
const savedLines = (task: TaskName, { items }: TaskEvaluation): string =>
  items
    .map(({ id, answer, output, scores, nll, message }) =>
      task === 'humaneval' ? { task_id: id, completion: answer } : { id, answer, output, ...scores, nll, message },
    )
    .map((line) => `${JSON.stringify(line)}\n`)
    .join('')

const accuracyText = (accuracy: number, standardError: number | undefined): string =>
  `${formatShare(accuracy)}${standardError === undefined ? '' : ` ± ${formatShare(standardError)}`}`

/** What a score beside the accuracy counts. */
const SCORE_MEANINGS: Readonly<Record<string, string>> = { flexible: ' when the last number of an answer counts' }

const taskLines = (result: TaskEvaluation): string[] => {
  const { accuracy, standardError, perplexity, agreement, sharedTokens, against } = result
  const [, ...others] = Object.entries(result.scores)
  const row = (name: string, value: string) => `${name.padEnd(11)} ${value}`
  return [
    ...(accuracy === undefined ? [] : [row('accuracy', accuracyText(accuracy, standardError))]),
    ...others.map(([name, share]) => row(name, `${formatShare(share)}${SCORE_MEANINGS[name] ?? ''}`)),
    ...(perplexity === undefined ? [] : [row('perplexity', `${significant(perplexity, 4)} per target`)]),
    ...(agreement === undefined
      ? []
      : [row('agreement', `${formatShare(agreement)} of the answers are the reference's`)]),
    ...(sharedTokens === undefined
      ? []
      : [row('tokens', `${formatShare(sharedTokens)} of the answers come before the first that differs`)]),
    ...(against?.accuracy === undefined
      ? []
      : [row('reference', accuracyText(against.accuracy, against.standardError))]),
    row('task', `${result.task}, ${plural(result.count, 'item')}, in ${formatSeconds(result.seconds)}`),
  ]
}
