import { type LanguageModel, turnEventLoop } from '@awq/runtime'
import { AwqError } from '@awq/tensor'
import type { ItemResult, RunOptions } from './results.ts'
import type { GenerationItem, ScoreTools } from './task.ts'

/** How outputs are made. */
export interface GenerationRunOptions extends RunOptions {
  readonly maxNewTokens: number
  readonly checkCode?: ScoreTools['checkCode']
}

/**
 * Answers items greedily, one after the other: the model keeps the conversation, so a beginning that prompts share runs
 * once. Each output is judged as soon as it is there.
 * @throws AwqError INVALID_ARGUMENT when a prompt does not fit the model's context; rejects with `signal.reason`
 */
export const runGenerations = async (
  model: LanguageModel,
  items: readonly GenerationItem[],
  { maxNewTokens, checkCode, signal, onItems }: GenerationRunOptions,
): Promise<ItemResult[]> => {
  const results: ItemResult[] = []
  for (const item of items) {
    signal?.throwIfAborted()
    const input = typeof item.prompt === 'string' ? { prompt: item.prompt } : { messages: item.prompt }
    const prompt = model.encode(input)
    if (prompt.length >= model.contextLength) {
      throw new AwqError(
        'INVALID_ARGUMENT',
        `The prompt of ${item.id} has ${prompt.length} tokens and the model a context of ${model.contextLength}; ask with fewer solved examples.`,
      )
    }
    const { text: output, ids } = await model.generate(input, { maxNewTokens, stop: item.stop, signal }).result
    const { scores, message } = await item.score(output, { checkCode, signal })
    results.push({ id: item.id, scores, answer: item.answer(output), ids, output, ...(message ? { message } : {}) })
    onItems?.(results.length)
    await turnEventLoop()
  }
  return results
}
