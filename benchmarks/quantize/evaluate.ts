/**
 * One evaluator for everybody's models: `awq eval` in float32.
 * @module
 */
import { awq } from './folders.ts'
import { answerOf } from './measure.ts'
import type { Quality } from './table.ts'

/** Perplexity of a model on a text, and how far its predictions are from those of the float model. */
export const evaluate = async (
  model: string,
  float: string,
  text: string,
  options: { readonly maxWindows: number; readonly threads: number },
): Promise<Quality> => {
  const { answer } = await answerOf(
    [
      ...[process.execPath, awq, 'eval', model, '--text', text, '--against', float, '--accuracy', 'exact'],
      ...['--max-windows', `${options.maxWindows}`, '--threads', `${options.threads}`, '--json'],
    ],
    {},
  )
  const { perplexity, kl, top1 } = answer as unknown as Quality
  return { perplexity, kl, top1 }
}
