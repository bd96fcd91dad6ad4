import { defineCommand, modelPositional } from '../command.ts'
import { findEvaluatedModels } from '../eval-models.ts'
import { evaluatePrompts } from '../eval-prompts.ts'
import { evaluateTask } from '../eval-task.ts'
import { evaluateText } from '../eval-text.ts'
import type { TaskName } from '../libraries.ts'
import { accuracy, flag, optional, withDefault } from '../options.ts'
import { kebabCase, UsageError } from '../parse.ts'
import { integer, number, oneOf, text } from '../values.ts'

const taskNames = ['lambada', 'gsm8k', 'humaneval'] as const satisfies readonly TaskName[]

const textOptions = {
  window: optional('N', integer(2), 'Tokens per window; windows do not overlap (default 2048)'),
  maxWindows: optional('N', integer(1), 'Stop after so many windows (default: all of the text)'),
}

const promptOptions = {
  maxPrompts: optional('N', integer(1), 'Stop after so many prompts (default: all of the file)'),
}

const taskOptions = {
  taskData: optional('FILE', text, "The task's file: JSONL, plain or gzipped"),
  limit: optional('N', integer(1), 'Take only the first items'),
  shots: optional('N', integer(0), 'gsm8k: solved examples before each question (default 8)'),
  shotsData: optional('FILE', text, 'gsm8k: take the examples from this JSONL file (default: built in)'),
  maxNewTokens: optional('N', integer(1), 'Tokens of an answer (default: 256 for gsm8k, 512 for humaneval)'),
  chat: flag("Ask through the model's chat template"),
  save: optional(
    'FILE',
    text,
    'Write the answers, one JSON line each; of humaneval as its official evaluator reads them',
  ),
  allowCodeExecution: flag('humaneval: run the programs that the model writes, in a sandbox'),
  python: optional('FILE', text, 'humaneval: the Python interpreter (default python3)'),
  timeLimit: optional('S', number(0.1, 3600), 'humaneval: seconds for each program (default 10)'),
}

export const evalCommand = defineCommand({
  name: 'eval',
  summary: 'Measure perplexity on a text or accuracy on a task, also against a reference',
  positionals: [modelPositional],
  options: {
    text: optional('FILE', text, 'Text to predict: a text, JSONL or parquet file, or a data set: wikitext'),
    ...textOptions,
    prompts: optional(
      'FILE',
      text,
      'Instead of --text: JSONL of images and texts, as --calibration takes it, for models that see; needs --against',
    ),
    ...promptOptions,
    task: optional('TASK', oneOf(taskNames), 'Instead of --text: lambada, gsm8k or humaneval'),
    ...taskOptions,
    against: optional('MODEL', text, 'The model to compare with, usually the float one'),
    accuracy: withDefault('MODE', accuracy, 'exact', 'exact: float32 activations; fast: int8 where the engine can'),
  },
  examples: [
    'awq eval smollm2-4bit --text wiki.test.raw',
    'awq eval smollm2-4bit --text wiki.test.raw --against HuggingFaceTB/SmolLM2-135M-Instruct --max-windows 10',
    'awq eval smolvlm-4bit --prompts pairs.jsonl --against HuggingFaceTB/SmolVLM-256M-Instruct',
    'awq eval smollm2-4bit --task lambada --task-data lambada_test_en.jsonl --against HuggingFaceTB/SmolLM2-135M-Instruct',
    'awq eval smollm2-4bit --task humaneval --task-data HumanEval.jsonl.gz --allow-code-execution',
  ],
  async run(session, [reference = ''], options) {
    const values: Readonly<Record<string, unknown>> = options
    const refuse = (table: object, mode: string): void => {
      const stray = Object.keys(table).find((key) => values[key] !== undefined && values[key] !== false)
      if (stray) throw new UsageError(`--${kebabCase(stray)} does not go with --${mode}`)
    }
    const findModels = () => findEvaluatedModels(session, reference, options)
    if (options.task !== undefined) {
      if (options.text !== undefined) throw new UsageError('--text and --task exclude each other')
      if (options.prompts !== undefined) throw new UsageError('--prompts and --task exclude each other')
      refuse({ ...textOptions, ...promptOptions }, 'task')
      await evaluateTask(session, options.task, options, findModels)
    } else if (options.prompts !== undefined) {
      if (options.text !== undefined) throw new UsageError('--text and --prompts exclude each other')
      refuse({ ...textOptions, ...taskOptions }, 'prompts')
      await evaluatePrompts(session, options.prompts, options, findModels)
    } else if (options.text !== undefined) {
      refuse({ ...taskOptions, ...promptOptions }, 'text')
      await evaluateText(session, options.text, options, findModels)
    } else throw new UsageError('--text is missing: add --text FILE, --prompts FILE or --task TASK')
  },
})
