import { AwqError } from '@awq/tensor'
import type { Session } from './command.ts'
import { defined } from './defined.ts'
import type { EvaluatedModels } from './eval-models.ts'
import { formatSeconds, formatShare, plural, significant } from './format.ts'
import type { Accuracy, EvaluateLibrary } from './libraries.ts'
import { readWholeText } from './model.ts'
import type { CommonValues } from './options.ts'

/** What `awq eval --text` is told. */
export interface TextValues extends CommonValues {
  readonly window: number | undefined
  readonly maxWindows: number | undefined
  readonly accuracy: Accuracy
}

/** `awq eval --text`: perplexity, and divergence from the reference where there is one. */
export const evaluateText = async (
  session: Session,
  text: string,
  options: TextValues,
  findModels: () => Promise<EvaluatedModels>,
): Promise<void> => {
  const { reporter, signal } = session
  const { window = 2048, maxWindows, accuracy } = options
  const content = await readWholeText(session, text, options)
  await using models = await findModels()
  const { model, against, engine } = models
  const { evaluate } = await session.context.libraries.evaluate()
  const result = await evaluate({
    ...defined({ against, maxWindows }),
    model,
    engine,
    text: content,
    window,
    accuracy,
    signal,
    onProgress: ({ done, total }) => reporter.progress({ type: 'progress', stage: 'evaluate', completed: done, total }),
    onWarning: (message) => reporter.progress({ type: 'warning', message }),
  })
  if (!Number.isFinite(result.perplexity)) {
    const cause = "the model's logits are not finite numbers"
    throw new AwqError('NUMERIC', `the perplexity is ${result.perplexity}: ${cause}`)
  }
  reporter.event({ type: 'done', ...result })
  reporter.print(...evaluationLines(result))
}

const evaluationLines = (result: Awaited<ReturnType<EvaluateLibrary['evaluate']>>): string[] => [
  `perplexity  ${significant(result.perplexity, 4)}`,
  ...(result.kl === undefined ? [] : [`KL          ${significant(result.kl, 3)} nats per token`]),
  ...(result.top1 === undefined ? [] : [`top-1       ${formatShare(result.top1)} of the predictions agree`]),
  `text        ${plural(result.windows, 'window')} of ${plural(result.window, 'token')}, in ${formatSeconds(result.seconds)}`,
]
