/**
 * Answers of a model in this process.
 * @module
 */
import { APICallError } from '@ai-sdk/provider'
import { AwqError } from '@awq/tensor'
import { jsonObjectConstraint, jsonSchemaConstraint } from '../constrain/index.ts'
import type { GenerationResult } from '../generation.ts'
import type { LanguageModel } from '../language-model.ts'
import type { Constraint } from '../token-constraint.ts'
import {
  createToolCallParser,
  messagesWithTools,
  type ToolCallFormat,
  type ToolCallPart,
  toolCallConstraint,
  toolCallFormat,
  toolCallMarkerIds,
} from '../tool-calls/index.ts'
import type { ChatBackend, ChatCall, ChatEvent } from './backend.ts'

const constraintOf = async (
  { tools, toolChoice, json, options: { abortSignal: signal } }: ChatCall,
  format: ToolCallFormat,
  { tokenizer }: LanguageModel,
): Promise<Constraint | undefined> => {
  if (toolChoice === 'required') return toolCallConstraint(tools, format, tokenizer, { parallel: true, signal })
  if (toolChoice !== 'auto') {
    const named = tools.filter(({ function: called }) => called.name === toolChoice.name)
    return toolCallConstraint(named, format, tokenizer, { signal })
  }
  // A model that may call functions first gives its JSON when it calls none.
  if (!json) return undefined
  const { schema } = json
  if (tools.length > 0) {
    return toolCallConstraint(tools, format, tokenizer, {
      parallel: true,
      otherwise: schema ?? { type: 'object' },
      signal,
    })
  }
  return schema === undefined
    ? jsonObjectConstraint(tokenizer, { signal })
    : jsonSchemaConstraint(schema, tokenizer, { signal })
}

/** Errors as the AI SDK tells them apart: what is busy is tried again. */
const translated = (error: unknown): unknown => {
  if (!AwqError.is(error)) return error
  const busy = error.code === 'BUSY'
  const mine = error.code === 'INVALID_ARGUMENT' || error.code === 'UNSUPPORTED'
  return new APICallError({
    message: error.message,
    url: 'awq:in-process',
    requestBodyValues: {},
    statusCode: busy ? 429 : mine ? 400 : 500,
    isRetryable: busy,
    cause: error,
  })
}

/** A backend over a loaded model. */
export const localBackend =
  (model: LanguageModel, newId: () => string): ChatBackend =>
  async (call) => {
    try {
      return await start(model, newId, call)
    } catch (error) {
      throw translated(error)
    }
  }

const start = async (model: LanguageModel, newId: () => string, call: ChatCall): Promise<AsyncIterable<ChatEvent>> => {
  const { options } = call
  options.abortSignal?.throwIfAborted()
  const format = toolCallFormat(model.tokenizer.chatTemplate)
  const { messages, tools } = messagesWithTools(call.messages, call.tools, format)
  const generation = model.generate(
    { messages, tools: tools.length > 0 ? tools : undefined },
    {
      maxNewTokens: options.maxOutputTokens ?? model.contextLength,
      // As the server has it, so that a model answers the same in this process and behind one.
      temperature: options.temperature ?? 1,
      topP: options.topP === undefined ? undefined : Math.max(options.topP, 1e-6),
      topK: options.topK,
      presencePenalty: options.presencePenalty,
      frequencyPenalty: options.frequencyPenalty,
      stop: options.stopSequences,
      seed: options.seed,
      signal: options.abortSignal,
      constraint: await constraintOf(call, format, model),
      visibleTokens: call.tools.length > 0 ? toolCallMarkerIds(format, model.tokenizer) : undefined,
    },
  )
  const schemas = new Map(call.tools.map(({ function: { name, parameters } }) => [name, parameters]))
  const parser = call.tools.length > 0 ? createToolCallParser(format, schemas) : undefined
  let called = false
  const eventOf = (part: ToolCallPart): ChatEvent => {
    if (part.type === 'content') return { type: 'text', text: part.text }
    called = true
    return { type: 'call', id: newId(), ...part.call }
  }

  return (async function* () {
    try {
      for await (const { text } of generation) {
        if (text === '') continue
        if (!parser) yield { type: 'text', text }
        else for (const part of parser.push(text)) yield eventOf(part)
      }
      for (const part of parser?.flush() ?? []) yield eventOf(part)
      yield finishOf(await generation.result, called)
    } catch (error) {
      throw translated(error)
    }
  })()
}

const finishOf = (result: GenerationResult, called: boolean): ChatEvent => {
  const { finishReason, promptTokens, reusedTokens, newTokens } = result
  const reason = finishReason === 'length' ? 'length' : called ? 'tool-calls' : 'stop'
  return { type: 'finish', reason, raw: finishReason, usage: { promptTokens, cachedTokens: reusedTokens, newTokens } }
}
