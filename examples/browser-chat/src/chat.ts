/**
 * What this page does with a model: it lets it answer.
 * @module
 */
import type { GenerationResult } from '@awq/runtime'
import type { PageModel } from '../../browser-shared/page-model.ts'
import type { Settings } from './settings.ts'

/** A question and what became of it. */
export interface Turn {
  readonly question: string
  readonly answer: string
  /** There when the answer has ended by itself. */
  readonly result?: GenerationResult
  /** What went wrong, or that it was stopped. */
  readonly note?: string
}

/** Lets the model answer a question after earlier turns; every value is a piece of the text. */
export async function* answer(
  { model, converses }: PageModel,
  turns: readonly Turn[],
  question: string,
  settings: Settings,
  signal: AbortSignal,
): AsyncGenerator<string, GenerationResult> {
  const { system, temperature, topP, maxTokens, seed } = settings
  const earlier = turns.flatMap(
    (turn) =>
      [
        { role: 'user', content: turn.question },
        { role: 'assistant', content: turn.answer },
      ] as const,
  )
  const messages = [
    ...(system.trim() === '' ? [] : [{ role: 'system', content: system } as const]),
    ...earlier,
    { role: 'user', content: question } as const,
  ]
  const generation = model.generate(converses ? { messages } : { prompt: question }, {
    maxNewTokens: maxTokens,
    temperature,
    topP,
    seed,
    signal,
  })
  for await (const { text } of generation) yield text
  return await generation.result
}
