/**
 * All that this page does with the library: a question about a picture becomes messages, and these an answer.
 * @module
 */
import type { GenerationResult } from '@awq/runtime'
import type { PageModel } from '../../browser-shared/page-model.ts'
import type { Picture } from './picture.ts'

/** A question about a picture, and what became of it. */
export interface Turn {
  readonly picture: Picture
  readonly question: string
  readonly answer: string
  /** There when the answer has ended by itself. */
  readonly result?: GenerationResult
  /** What went wrong, or that it was stopped. */
  readonly note?: string
}

/** The turns about the picture that was shown last: with the first of them the model is shown the picture. */
const aboutLast = (turns: readonly Turn[]): readonly Turn[] => {
  const other = turns.findLastIndex(({ picture }) => picture !== turns.at(-1)!.picture)
  return turns.slice(other + 1)
}

const text = (words: string) => ({ type: 'text', text: words })

/** Messages as chat templates know them; the answer of the last turn is yet to come. */
const messagesOf = (turns: readonly Turn[]) =>
  aboutLast(turns).flatMap(({ picture, question, answer }, i) => [
    { role: 'user', content: [...(i === 0 ? [{ type: 'image', image: picture.file }] : []), text(question)] },
    ...(answer === '' ? [] : [{ role: 'assistant', content: [text(answer)] }]),
  ])

/** The answer to the last question, piece by piece. A picture that was seen before is not looked at again. */
export async function* answer(
  { model, converses }: PageModel,
  turns: readonly Turn[],
  signal: AbortSignal,
): AsyncGenerator<string, GenerationResult> {
  const { picture, question } = turns.at(-1)!
  const input = converses ? { messages: messagesOf(turns) } : { prompt: question, images: [picture.file] }
  const generation = model.generate(input, { maxNewTokens: 120, signal })
  for await (const { text: piece } of generation) yield piece
  return await generation.result
}
