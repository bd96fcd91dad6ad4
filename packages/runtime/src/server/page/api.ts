import { readEvents } from './event-stream.ts'
import { apiFailure, BrokenStream } from './failure.ts'
import { type Model, readModels } from './models.ts'
import type { Question } from './questions.ts'

/** A part of an answer, as it comes. */
export type Piece =
  | { readonly type: 'text' | 'thought'; readonly text: string }
  | { readonly type: 'end'; readonly reason: string }
  | { readonly type: 'usage'; readonly promptTokens: number; readonly newTokens: number; readonly cachedTokens: number }

/** The server, as the page sees it. */
export interface Api {
  models(key: string | undefined): Promise<Model[]>
  /** @throws ApiFailure, BrokenStream, the signal's reason, TypeError when nobody answers */
  ask(question: Question, key: string | undefined, signal: AbortSignal): AsyncGenerator<Piece, void>
}

/** The API below an address. */
export const createApi = (base: string, fetch = globalThis.fetch): Api => {
  const send = async (path: string, key: string | undefined, init: RequestInit): Promise<Response> => {
    const headers = { ...init.headers, ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) }
    const response = await fetch(new URL(path, base), { ...init, headers })
    if (response.ok) return response
    throw apiFailure(response.status, await response.json().catch(() => undefined), response.headers.get('retry-after'))
  }
  return {
    async models(key) {
      const response = await send('v1/models', key, {})
      return readModels(await response.json())
    },
    async *ask({ path, body }, key, signal) {
      const response = await send(path, key, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal,
      })
      let complete = false
      try {
        for await (const { data } of readEvents(response.body!)) {
          if (data === '[DONE]') return
          for (const piece of piecesOf(JSON.parse(data))) {
            if (piece.type === 'end') complete = true
            yield piece
          }
        }
      } catch (error) {
        // A connection that breaks off in the middle is a TypeError, like one that was never made.
        throw error instanceof TypeError ? new BrokenStream() : error
      }
      if (!complete) throw new BrokenStream()
    },
  }
}

interface Chunk {
  readonly error?: unknown
  readonly choices?: readonly {
    readonly text?: unknown
    readonly delta?: { readonly content?: unknown; readonly reasoning_content?: unknown; readonly tool_calls?: unknown }
    readonly finish_reason?: unknown
  }[]
  readonly usage?: {
    readonly prompt_tokens?: unknown
    readonly completion_tokens?: unknown
    readonly prompt_tokens_details?: { readonly cached_tokens?: unknown } | null
  } | null
}

const numberOr0 = (value: unknown): number => (typeof value === 'number' ? value : 0)

/** What a chunk of a stream brings, of `/v1/chat/completions` and of `/v1/completions`. @throws ApiFailure for an error's */
export const piecesOf = (value: unknown): Piece[] => {
  const chunk = (value ?? {}) as Chunk
  if (chunk.error) throw apiFailure(500, chunk)
  const pieces: Piece[] = []
  const choice = chunk.choices?.[0]
  const { content, reasoning_content: thought } = choice?.delta ?? {}
  if (typeof thought === 'string' && thought !== '') pieces.push({ type: 'thought', text: thought })
  const text = content ?? choice?.text
  if (typeof text === 'string' && text !== '') pieces.push({ type: 'text', text })
  if (typeof choice?.finish_reason === 'string') pieces.push({ type: 'end', reason: choice.finish_reason })
  const { usage } = chunk
  if (usage) {
    pieces.push({
      type: 'usage',
      promptTokens: numberOr0(usage.prompt_tokens),
      newTokens: numberOr0(usage.completion_tokens),
      cachedTokens: numberOr0(usage.prompt_tokens_details?.cached_tokens),
    })
  }
  return pieces
}
