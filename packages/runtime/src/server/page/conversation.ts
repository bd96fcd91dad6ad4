import type { Failure } from './failure.ts'

/** What an answer cost. */
export interface AnswerFigures {
  /** From the question to the first word. */
  readonly firstSeconds: number | undefined
  /** From the first word to the last. */
  readonly seconds: number
  readonly tokens: number
  /** The server counted; otherwise it is the number of pieces that came. */
  readonly counted: boolean
  readonly promptTokens?: number | undefined
  readonly cachedTokens?: number | undefined
}

/** How an answer ended; undefined while it is being written. */
export type AnswerEnd = 'complete' | 'length' | 'stopped' | 'failed'

/** A question and its answer. */
export interface Turn {
  readonly id: number
  readonly question: string
  readonly answer: string
  /** What a reasoning model thought before its answer, where the server tells it apart. */
  readonly thought: string
  readonly model: string
  readonly end: AnswerEnd | undefined
  readonly failure?: Failure | undefined
  readonly figures?: AnswerFigures | undefined
}

/** Turns that belong together. */
export interface Conversation {
  readonly id: number
  readonly turns: readonly Turn[]
}

/** Tokens per second between the first and the last of them. */
export const tokensPerSecond = ({ tokens, seconds }: AnswerFigures): number | undefined =>
  tokens > 1 && seconds > 0 ? (tokens - 1) / seconds : undefined

/** A conversation in a few words: how it begins. */
export const titleOf = ({ turns }: Conversation): string => {
  const words = (turns[0]?.question ?? '').replaceAll(/\s+/g, ' ').trim()
  const characters = [...words]
  return characters.length > 60 ? `${characters.slice(0, 59).join('')}…` : words
}

/** A text parted into what was thought, between the marks that reasoning models write, and what is said. */
export const partThought = (text: string): { readonly thought: string; readonly said: string } => {
  const begun = /^\s*<think(?:ing)?>/.exec(text)
  // Some templates write the opening mark themselves, so that only the closing one is in the answer.
  const closing = /<\/think(?:ing)?>\s*/.exec(text)
  if (closing)
    return {
      thought: text.slice(begun?.[0].length ?? 0, closing.index).trim(),
      said: text.slice(closing.index + closing[0].length),
    }
  return begun ? { thought: text.slice(begun[0].length).trimStart(), said: '' } : { thought: '', said: text }
}

/** What is shown of a turn's answer. */
export const shownAnswer = (turn: Turn): { readonly thought: string; readonly said: string } => {
  const { thought, said } = partThought(turn.answer)
  return { thought: turn.thought + thought, said }
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

/** Conversations from what was stored, which may be anything; what is none is left out. */
export const readConversations = (stored: unknown): Conversation[] => {
  if (!Array.isArray(stored)) return []
  return stored.slice(0, 200).flatMap((each: unknown, index): Conversation[] => {
    const given = (each as { turns?: unknown } | null)?.turns
    if (!Array.isArray(given)) return []
    const turns = given.flatMap((value: unknown, place): Turn[] => {
      const turn = (typeof value === 'object' && value !== null ? value : {}) as Record<keyof Turn, unknown>
      const question = text(turn.question)
      if (question === undefined) return []
      return [
        {
          id: place + 1,
          question,
          answer: text(turn.answer) ?? '',
          thought: text(turn.thought) ?? '',
          model: text(turn.model) ?? '',
          end: turn.end === 'complete' || turn.end === 'length' ? turn.end : 'stopped',
          figures: readFigures(turn.figures),
        },
      ]
    })
    return turns.length === 0 ? [] : [{ id: index + 1, turns }]
  })
}

const readFigures = (stored: unknown): AnswerFigures | undefined => {
  const { firstSeconds, seconds, tokens, counted } = (stored ?? {}) as Record<keyof AnswerFigures, unknown>
  if (typeof seconds !== 'number' || typeof tokens !== 'number') return undefined
  return {
    firstSeconds: typeof firstSeconds === 'number' ? firstSeconds : undefined,
    seconds,
    tokens,
    counted: counted === true,
  }
}
