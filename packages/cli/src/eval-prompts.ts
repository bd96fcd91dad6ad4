import { resolve } from 'node:path'
import type { Session } from './command.ts'
import { defined } from './defined.ts'
import type { EvaluatedModels } from './eval-models.ts'
import { formatSeconds, formatShare, plural, significant } from './format.ts'
import type { Accuracy } from './libraries.ts'
import { openTexts } from './model.ts'
import type { CommonValues } from './options.ts'
import { UsageError } from './parse.ts'

/** What `awq eval --prompts` is told. */
export interface PromptValues extends CommonValues {
  readonly against: string | undefined
  readonly maxPrompts: number | undefined
  readonly accuracy: Accuracy
}

/** `awq eval --prompts`: divergence from a reference on prompts with images. */
export const evaluatePrompts = async (
  session: Session,
  prompts: string,
  options: PromptValues,
  findModels: () => Promise<EvaluatedModels>,
): Promise<void> => {
  const { context, reporter, signal } = session
  const { maxPrompts, accuracy } = options
  if (options.against === undefined) throw new UsageError('--prompts compares models: add --against MODEL')
  const documents = await openTexts(session, prompts, options)
  await using models = await findModels()
  const { readImage } = await context.libraries.image()
  const result = await (await context.libraries.evaluate()).evaluatePrompts({
    ...defined({ maxPrompts }),
    model: models.model,
    against: models.against!,
    engine: models.engine,
    documents,
    readImage: (name, folder, given) => readImage(resolve(folder ?? '', name), defined(given)),
    accuracy,
    signal,
    onProgress: ({ done, total }) => reporter.progress({ type: 'progress', stage: 'evaluate', completed: done, total }),
  })
  reporter.event({ type: 'done', ...result })
  reporter.print(
    `KL          ${significant(result.kl, 3)} nats per token behind an image`,
    `top-1       ${formatShare(result.top1)} of the predictions agree`,
    `answers     KL ${significant(result.firstKl, 3)}, top-1 ${formatShare(result.firstTop1)} at their first token`,
    `prompts     ${plural(result.prompts, 'prompt')}, ${plural(result.tokens, 'token')}, ${plural(result.places, 'prediction')}, in ${formatSeconds(result.seconds)}`,
  )
}
