import { z } from 'zod'
import { completionShape, maybe } from './sampling-parameters.ts'

const functionName = z.string().regex(/^[a-zA-Z0-9_.-]{1,64}$/, 'expected 1 to 64 letters, digits, _, - or .')

const contentPart = z.looseObject({ type: z.string() })
const content = z.union([z.string(), z.array(contentPart).min(1)])

const toolCall = z.object({
  id: z.string(),
  type: z.literal('function'),
  function: z.object({ name: z.string(), arguments: z.string() }),
})

const message = z.discriminatedUnion('role', [
  z.object({ role: z.enum(['system', 'developer', 'user']), content, name: maybe(z.string()) }),
  z.object({
    role: z.literal('assistant'),
    content: maybe(content),
    refusal: maybe(z.string()),
    name: maybe(z.string()),
    tool_calls: maybe(z.array(toolCall)),
  }),
  z.object({ role: z.literal('tool'), content, tool_call_id: z.string() }),
])

/** A function that the model may call. */
export const functionTool = z.object({
  type: z.literal('function'),
  function: z.object({
    name: functionName,
    description: maybe(z.string()),
    parameters: maybe(z.record(z.string(), z.unknown())),
    strict: maybe(z.boolean()),
  }),
})

const toolChoice = z.union([
  z.enum(['none', 'auto', 'required']),
  z.object({ type: z.literal('function'), function: z.object({ name: z.string() }) }),
])

const responseFormat = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text') }),
  z.object({ type: z.literal('json_object') }),
  z.object({
    type: z.literal('json_schema'),
    json_schema: z.object({
      name: functionName,
      description: maybe(z.string()),
      schema: maybe(z.record(z.string(), z.unknown())),
      strict: maybe(z.boolean()),
    }),
  }),
])

/** The body of `POST /v1/chat/completions`. */
export const chatRequest = z
  .object({
    model: z.string(),
    messages: z.array(message).min(1),
    ...completionShape,
    max_tokens: maybe(z.number().int().min(1)).describe('The older name of max_completion_tokens'),
    max_completion_tokens: maybe(z.number().int().min(1)).describe('New tokens at most; what fits by default'),
    logprobs: maybe(z.boolean()),
    top_logprobs: maybe(z.number().int().min(0).max(20)),
    tools: maybe(z.array(functionTool).max(128)),
    tool_choice: maybe(toolChoice),
    parallel_tool_calls: maybe(z.boolean()),
    response_format: maybe(responseFormat),
    chat_template_kwargs: maybe(z.record(z.string(), z.unknown())).describe(
      'Variables of the chat template, such as { "enable_thinking": false }. Not of OpenAI',
    ),
    functions: maybe(z.unknown()).describe('Refused: the older form of tools'),
    function_call: maybe(z.unknown()).describe('Refused: the older form of tool_choice'),
    modalities: maybe(z.array(z.enum(['text'])).min(1)),
  })
  .meta({ id: 'CreateChatCompletionRequest' })
export type ChatRequest = z.output<typeof chatRequest>
export type RequestMessage = ChatRequest['messages'][number]

/** Tokens of a request and its answers. */
export const completionUsage = z
  .object({
    prompt_tokens: z.number().int(),
    completion_tokens: z.number().int(),
    total_tokens: z.number().int(),
    prompt_tokens_details: z.object({ cached_tokens: z.number().int() }),
    completion_tokens_details: z.object({ reasoning_tokens: z.number().int() }),
  })
  .meta({ id: 'CompletionUsage' })

const finishReason = z.enum(['stop', 'length', 'tool_calls'])

/** An answer of `POST /v1/chat/completions`. */
export const chatResponse = z
  .object({
    id: z.string(),
    object: z.literal('chat.completion'),
    created: z.number().int(),
    model: z.string(),
    choices: z.array(
      z.object({
        index: z.number().int(),
        message: z.object({
          role: z.literal('assistant'),
          content: z.string().nullable(),
          refusal: z.null(),
          annotations: z.array(z.unknown()),
          tool_calls: z.array(toolCall).optional(),
        }),
        logprobs: z.unknown().nullable(),
        finish_reason: finishReason,
      }),
    ),
    usage: completionUsage,
  })
  .meta({ id: 'ChatCompletion' })
