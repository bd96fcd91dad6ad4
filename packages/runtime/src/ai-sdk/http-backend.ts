/**
 * Answers of a server of OpenAI's API.
 * @module
 */
import { APICallError } from '@ai-sdk/provider'
import { messageOf } from '@awq/tensor'
import type { ChatBackend, ChatCall, ChatEvent, ChatUsage } from './backend.ts'
import { sseData } from './sse-data.ts'

/** Where a server is and how it is asked. */
export interface HttpSettings {
  readonly baseURL: string
  readonly apiKey: string | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly fetch: typeof globalThis.fetch
}

const present = (values: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))

const bodyOf = (model: string, { messages, tools, toolChoice, json, options }: ChatCall): Record<string, unknown> =>
  present({
    model,
    messages,
    stream: true,
    stream_options: { include_usage: true },
    max_completion_tokens: options.maxOutputTokens,
    temperature: options.temperature,
    top_p: options.topP,
    presence_penalty: options.presencePenalty,
    frequency_penalty: options.frequencyPenalty,
    stop: options.stopSequences?.length ? options.stopSequences : undefined,
    seed: options.seed,
    tools: tools.length > 0 ? tools : undefined,
    tool_choice:
      tools.length === 0
        ? undefined
        : typeof toolChoice === 'string'
          ? toolChoice
          : { type: 'function', function: { name: toolChoice.name } },
    response_format: json
      ? json.schema === undefined
        ? { type: 'json_object' }
        : { type: 'json_schema', json_schema: { name: json.name ?? 'answer', schema: json.schema } }
      : undefined,
  })

/** A backend over `/chat/completions` of a server. */
export const httpBackend =
  (model: string, { baseURL, apiKey, headers, fetch }: HttpSettings): ChatBackend =>
  async (call) => {
    const url = `${baseURL.replace(/\/+$/, '')}/chat/completions`
    const body = bodyOf(model, call)
    const fail = (message: string, more: { statusCode?: number; isRetryable?: boolean; cause?: unknown } = {}) =>
      new APICallError({ message, url, requestBodyValues: body, ...more })
    const { abortSignal } = call.options
    let response: Response
    try {
      response = await fetch(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
          ...headers,
          ...(present(call.options.headers ?? {}) as Record<string, string>),
        },
        body: JSON.stringify(body),
        signal: abortSignal ?? null,
      })
    } catch (cause) {
      abortSignal?.throwIfAborted()
      throw fail(`The server at ${url} cannot be reached: ${messageOf(cause)}`, { cause, isRetryable: true })
    }
    if (!response.ok || !response.body) {
      const { status } = response
      throw fail(await errorText(response), { statusCode: status, isRetryable: status === 429 || status >= 500 })
    }
    return readEvents(response.body, (message) => fail(message))
  }

const errorText = async (response: Response): Promise<string> => {
  const text = await response.text().catch(() => '')
  try {
    const message: unknown = JSON.parse(text)?.error?.message
    if (typeof message === 'string') return message
  } catch {}
  return `The server answered with ${response.status}. ${text.slice(0, 200)}`.trim()
}

/** A chunk of a streamed answer, as far as it is read; anything may be missing. */
interface Chunk {
  readonly error?: { readonly message?: string }
  readonly choices?: readonly {
    readonly delta?: {
      readonly content?: string | null
      readonly tool_calls?: readonly {
        readonly index: number
        readonly id?: string
        readonly function?: { readonly name?: string; readonly arguments?: string }
      }[]
    }
    readonly finish_reason?: string | null
  }[]
  readonly usage?: {
    readonly prompt_tokens?: number
    readonly completion_tokens?: number
    readonly prompt_tokens_details?: { readonly cached_tokens?: number } | null
  } | null
}

const reasons: Readonly<Record<string, Extract<ChatEvent, { type: 'finish' }>['reason']>> = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool-calls',
  content_filter: 'content-filter',
}

async function* readEvents(
  body: ReadableStream<Uint8Array>,
  fail: (message: string) => Error,
): AsyncGenerator<ChatEvent> {
  const calls = new Map<number, { id: string; name: string; arguments: string }>()
  let usage: ChatUsage = { promptTokens: undefined, cachedTokens: undefined, newTokens: undefined }
  let raw: string | undefined
  for await (const data of sseData(body)) {
    let chunk: Chunk
    try {
      chunk = JSON.parse(data) as Chunk
    } catch {
      throw fail('The server sent an event that is no JSON.')
    }
    if (chunk.error) throw fail(chunk.error.message ?? 'The server broke off.')
    const choice = chunk.choices?.[0]
    if (choice?.delta?.content) yield { type: 'text', text: choice.delta.content }
    for (const { index, id, function: called } of choice?.delta?.tool_calls ?? []) {
      const call = calls.get(index) ?? { id: id ?? `call_${index}`, name: '', arguments: '' }
      calls.set(index, call)
      call.name += called?.name ?? ''
      call.arguments += called?.arguments ?? ''
    }
    raw = choice?.finish_reason ?? raw
    if (chunk.usage) {
      usage = {
        promptTokens: chunk.usage.prompt_tokens,
        cachedTokens: chunk.usage.prompt_tokens_details?.cached_tokens,
        newTokens: chunk.usage.completion_tokens,
      }
    }
  }
  if (raw === undefined) throw fail('The answer of the server broke off.')
  for (const call of calls.values()) yield { type: 'call', ...call }
  // OpenAI's API ends with 'stop' when the function was named.
  const reason = raw === 'stop' && calls.size > 0 ? 'tool-calls' : (reasons[raw] ?? 'other')
  yield { type: 'finish', reason, raw, usage }
}
