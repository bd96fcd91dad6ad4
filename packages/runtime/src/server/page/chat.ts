/**
 * All that the page does, without a page: what is shown is a function of its state.
 * @module
 */
import type { Api } from './api.ts'
import { type AnswerFigures, type Conversation, shownAnswer, type Turn } from './conversation.ts'
import { ApiFailure, type Failure, failureOf } from './failure.ts'
import { parseMarkdown } from './markdown/blocks.ts'
import { plainText } from './markdown/nodes.ts'
import type { Memory } from './memory.ts'
import type { Model } from './models.ts'
import { chatQuestion, textQuestion } from './questions.ts'
import { defaultSettings, type Settings } from './settings.ts'
import { announceUpTo } from './speech.ts'

/** What the page shows. */
export interface ChatState {
  /** `key`: the server wants one first. */
  readonly connection: 'connecting' | 'ready' | 'key' | 'failed'
  /** Why there is no connection. */
  readonly failure: Failure | undefined
  readonly models: readonly Model[]
  readonly model: Model | undefined
  readonly settings: Settings
  /** A key is sent along. */
  readonly hasKey: boolean
  /** Those with a turn, the one used last first. */
  readonly conversations: readonly Conversation[]
  readonly current: Conversation
  /** An answer is being written. */
  readonly writing: boolean
  /** What a screen reader is told of the answer, piece by piece. */
  readonly spoken: readonly { readonly id: number; readonly text: string }[]
}

/** The page's doings. Those that take time end on their own. */
export interface Chat {
  state(): ChatState
  subscribe(listener: () => void): () => void
  /** Asks the server for its models. */
  connect(): Promise<void>
  useKey(key: string | undefined): Promise<void>
  useModel(id: string): void
  change(settings: Partial<Settings>): void
  /** Asks; false when there is nothing to ask, or an answer is being written. */
  send(question: string): boolean
  stop(): void
  /** Answers the last question again. */
  retry(): void
  /** Takes the last question back, and returns it. */
  takeBack(): string
  begin(): void
  open(id: number): void
  remove(id: number): void
  clear(): void
}

/** What a chat runs on. */
export interface ChatParts {
  readonly api: Api
  readonly memory: Memory
  /** Milliseconds of a clock. */
  readonly now?: () => number
  /** Milliseconds between two views of a growing answer. */
  readonly interval?: number
}

const emptyTurns: readonly Turn[] = []

/** Creates a chat from what is remembered. */
export const createChat = ({ api, memory, now = () => performance.now(), interval = 50 }: ChatParts): Chat => {
  const listeners = new Set<() => void>()
  const remembered = memory.conversations()
  let key = memory.key()
  let ids = remembered.length
  let utterances = 0
  let running: AbortController | undefined
  let state: ChatState = {
    connection: 'connecting',
    failure: undefined,
    models: [],
    model: undefined,
    settings: memory.settings(),
    hasKey: key !== undefined,
    conversations: remembered,
    current: remembered[0] ?? { id: ++ids, turns: emptyTurns },
    writing: false,
    spoken: [],
  }

  const set = (changes: Partial<ChatState>): void => {
    state = { ...state, ...changes }
    for (const listener of listeners) listener()
  }
  const save = (): void => memory.saveConversations(state.conversations, state.settings.keep)
  const fresh = (): Conversation => ({ id: ++ids, turns: emptyTurns })
  const say = (text: string): void => {
    if (text.trim() !== '') set({ spoken: [...state.spoken, { id: ++utterances, text }] })
  }

  /** Puts a conversation in place of what it was, first in the list when it was just used. */
  const put = (conversation: Conversation, used = false): void => {
    const others = state.conversations.filter(({ id }) => id !== conversation.id)
    const known = others.length < state.conversations.length
    const conversations =
      used || !known
        ? [conversation, ...others]
        : state.conversations.map((each) => (each.id === conversation.id ? conversation : each))
    set({ conversations, current: state.current.id === conversation.id ? conversation : state.current })
  }

  const changeTurn = (conversation: number, turn: number, changes: Partial<Turn>): void => {
    const found = state.conversations.find(({ id }) => id === conversation)
    if (!found) return
    put({ ...found, turns: found.turns.map((each) => (each.id === turn ? { ...each, ...changes } : each)) })
  }

  const connect = async (): Promise<void> => {
    if (state.connection !== 'ready') set({ connection: 'connecting', failure: undefined })
    try {
      const models = await api.models(key)
      const wanted = state.model?.id ?? memory.model()
      const model = models.find(({ id }) => id === wanted) ?? models[0]
      set({ connection: 'ready', failure: undefined, models, model })
    } catch (error) {
      const failure = failureOf(error)
      set({ connection: failure.kind === 'key' ? 'key' : 'failed', failure })
    }
  }

  /** Writes the answer of the last turn of a conversation. */
  const answer = async (asked: Conversation, model: Model): Promise<void> => {
    const controller = new AbortController()
    const { signal } = controller
    const turn = asked.turns.at(-1)!
    const started = now()
    let text = ''
    let thought = ''
    let pieces = 0
    let first: number | undefined
    let last = started
    let told = 0
    let counts: Partial<AnswerFigures> = {}
    let reason = ''
    let timer: ReturnType<typeof setTimeout> | undefined
    const figures = (): AnswerFigures => ({
      firstSeconds: first === undefined ? undefined : (first - started) / 1000,
      seconds: first === undefined ? 0 : (last - first) / 1000,
      tokens: pieces,
      counted: false,
      ...counts,
    })
    const tell = (complete: boolean): void => {
      const words = plainText(parseMarkdown(shownAnswer({ ...turn, answer: text }).said))
      const end = announceUpTo(words, told, complete)
      if (end > told) say(words.slice(told, end).trim())
      told = Math.max(told, end)
    }
    const show = (changes: Partial<Turn> = {}): void => {
      clearTimeout(timer)
      timer = undefined
      if (!state.conversations.some(({ id }) => id === asked.id)) return
      changeTurn(asked.id, turn.id, { answer: text, thought, figures: figures(), ...changes })
      tell(changes.end !== undefined)
    }
    const write = async (chat: boolean): Promise<void> => {
      const ask = chat ? chatQuestion : textQuestion
      for await (const piece of api.ask(ask(asked, model.id, state.settings), key, signal)) {
        if (piece.type === 'end') reason = piece.reason
        else if (piece.type === 'usage') {
          counts = {
            tokens: piece.newTokens,
            counted: true,
            promptTokens: piece.promptTokens,
            cachedTokens: piece.cachedTokens,
          }
        } else {
          last = now()
          first ??= last
          pieces++
          if (piece.type === 'text') text += piece.text
          else thought += piece.text
          timer ??= setTimeout(show, interval)
        }
      }
    }

    running?.abort()
    running = controller
    set({ writing: true, spoken: [] })
    put(asked, true)
    say('Answering.')
    try {
      try {
        await write(model.chat !== false)
      } catch (error) {
        // A model that was not loaded until now may turn out to have no chat template.
        if (!(error instanceof ApiFailure && error.status === 400 && model.chat === undefined && pieces === 0))
          throw error
        await connect()
        if (state.models.find(({ id }) => id === model.id)?.chat !== false) throw error
        await write(false)
      }
      show({ end: reason === 'length' ? 'length' : 'complete' })
      say(
        reason === 'length'
          ? 'The answer was cut off: it has as many tokens as the settings allow.'
          : 'The answer is complete.',
      )
    } catch (error) {
      if (signal.aborted) {
        show({ end: 'stopped' })
        say('Stopped.')
      } else {
        const failure = failureOf(error)
        show({ end: 'failed', failure })
        if (failure.kind === 'key') set({ connection: 'key', failure })
      }
    } finally {
      if (running === controller) {
        running = undefined
        set({ writing: false })
      }
      save()
    }
    if (!model.loaded && state.connection === 'ready') await connect()
  }

  const ask = (turns: readonly Turn[], question: string): boolean => {
    const { model } = state
    if (!model || state.writing) return false
    const id = (turns.at(-1)?.id ?? 0) + 1
    const turn: Turn = { id, question, answer: '', thought: '', model: model.id, end: undefined }
    void answer({ id: state.current.id, turns: [...turns, turn] }, model)
    return true
  }

  const leave = (): void => {
    running?.abort()
  }

  const retry = (): void => {
    const { turns } = state.current
    const last = turns.at(-1)
    if (last) ask(turns.slice(0, -1), last.question)
  }

  return {
    state: () => state,
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    connect,
    async useKey(next) {
      key = next
      memory.saveKey(next)
      set({ hasKey: next !== undefined })
      await connect()
      if (state.connection === 'ready' && state.current.turns.at(-1)?.failure?.kind === 'key') retry()
    },
    useModel(id) {
      const model = state.models.find((each) => each.id === id)
      if (!model) return
      memory.saveModel(id)
      set({ model })
    },
    change(changes) {
      set({ settings: { ...state.settings, ...changes } })
      memory.saveSettings(state.settings)
      if (changes.keep !== undefined) save()
    },
    send: (question) => question.trim() !== '' && ask(state.current.turns, question.trim()),
    stop: leave,
    retry,
    takeBack() {
      const { turns } = state.current
      const last = turns.at(-1)
      if (!last || state.writing) return ''
      const kept = { ...state.current, turns: turns.slice(0, -1) }
      if (kept.turns.length > 0) put(kept)
      else set({ current: kept, conversations: state.conversations.filter(({ id }) => id !== kept.id) })
      save()
      return last.question
    },
    begin() {
      leave()
      if (state.current.turns.length > 0) set({ current: fresh(), spoken: [] })
    },
    open(id) {
      const conversation = state.conversations.find((each) => each.id === id)
      if (!conversation || id === state.current.id) return
      leave()
      set({ current: conversation, spoken: [] })
    },
    remove(id) {
      const left = state.conversations.filter((each) => each.id !== id)
      if (id === state.current.id) {
        leave()
        set({ conversations: left, current: fresh(), spoken: [] })
      } else set({ conversations: left })
      save()
    },
    clear() {
      leave()
      set({ conversations: [], current: fresh(), spoken: [] })
      save()
    },
  }
}

/** The settings of answers as they were at first; what is not about answers stays. */
export const resetAnswers = (settings: Settings): Settings => ({
  ...defaultSettings,
  theme: settings.theme,
  keep: settings.keep,
})
