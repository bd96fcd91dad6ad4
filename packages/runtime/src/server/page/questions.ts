import { type Conversation, shownAnswer, type Turn } from './conversation.ts'
import type { Settings } from './settings.ts'

/** What is sent, and where to. */
export interface Question {
  readonly path: 'v1/chat/completions' | 'v1/completions'
  readonly body: Readonly<Record<string, unknown>>
}

const common = (model: string, { temperature, topP, maxTokens, seed }: Settings) => ({
  model,
  temperature,
  top_p: topP,
  ...(maxTokens === undefined ? {} : { max_tokens: maxTokens }),
  ...(seed === undefined ? {} : { seed }),
  stream: true,
  stream_options: { include_usage: true },
})

/** Turns that the model sees: those with an answer, and the last one without its own. */
const seen = (turns: readonly Turn[]): { question: string; answer: string | undefined }[] =>
  turns.flatMap((turn, index): { question: string; answer: string | undefined }[] => {
    if (index === turns.length - 1) return [{ question: turn.question, answer: undefined }]
    const { said } = shownAnswer(turn)
    return said === '' ? [] : [{ question: turn.question, answer: said }]
  })

/** The messages of a conversation whose last question is to be answered. Thoughts are not sent back. */
export const chatQuestion = ({ turns }: Pick<Conversation, 'turns'>, model: string, settings: Settings): Question => {
  const system = settings.system.trim()
  const messages = [
    ...(system === '' ? [] : [{ role: 'system', content: system }]),
    ...seen(turns).flatMap(({ question, answer }) => [
      { role: 'user', content: question },
      ...(answer === undefined ? [] : [{ role: 'assistant', content: answer }]),
    ]),
  ]
  return { path: 'v1/chat/completions', body: { ...common(model, settings), messages } }
}

/**
 * The text of a conversation to be continued, for a model without a chat template. Where two parts meet without a blank, one
 * is put between them.
 */
export const textQuestion = ({ turns }: Pick<Conversation, 'turns'>, model: string, settings: Settings): Question => {
  const prompt = seen(turns)
    .flatMap(({ question, answer }) => (answer === undefined ? [question] : [question, answer]))
    // An answer brings its own blank; a question does not.
    .reduce(
      (text, part, index) =>
        index % 2 === 0 && /\S$/.test(text) && /^\S/.test(part) ? `${text} ${part}` : text + part,
      '',
    )
  return {
    path: 'v1/completions',
    body: { ...common(model, { ...settings, maxTokens: settings.maxTokens ?? 256 }), prompt },
  }
}
