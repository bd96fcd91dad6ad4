import { z } from 'zod'
import { maybe, samplingShape } from './sampling-parameters.ts'

const part = z.looseObject({ type: z.string() })
const content = z.union([z.string(), z.array(part)])

const message = z.object({
  type: maybe(z.literal('message')),
  role: z.enum(['system', 'developer', 'user', 'assistant']),
  content,
})

const item = z.discriminatedUnion('type', [
  message.extend({ type: z.literal('message') }),
  z.object({
    type: z.literal('function_call'),
    call_id: z.string(),
    name: z.string(),
    arguments: z.string(),
  }),
  z.object({ type: z.literal('function_call_output'), call_id: z.string(), output: content }),
  z.object({ type: z.literal('reasoning') }),
])

/** Items without a type are messages. */
const inputItem = z.union([item, message])

const functionTool = z.object({
  type: z.literal('function'),
  name: z.string().regex(/^[a-zA-Z0-9_.-]{1,64}$/, 'expected 1 to 64 letters, digits, _, - or .'),
  description: maybe(z.string()),
  parameters: maybe(z.record(z.string(), z.unknown())),
  strict: maybe(z.boolean()),
})

const format = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text') }),
  z.object({ type: z.literal('json_object') }),
  z.object({
    type: z.literal('json_schema'),
    name: z.string(),
    description: maybe(z.string()),
    schema: z.record(z.string(), z.unknown()),
    strict: maybe(z.boolean()),
  }),
])

/** The body of `POST /v1/responses`. */
export const responseRequest = z
  .object({
    model: z.string(),
    input: z.union([z.string(), z.array(inputItem).min(1)]),
    instructions: maybe(z.string()),
    ...samplingShape,
    max_output_tokens: maybe(z.number().int().min(1)),
    tools: maybe(z.array(functionTool).max(128)),
    tool_choice: maybe(
      z.union([z.enum(['none', 'auto', 'required']), z.object({ type: z.literal('function'), name: z.string() })]),
    ),
    parallel_tool_calls: maybe(z.boolean()),
    text: maybe(z.object({ format: maybe(format) })),
    top_logprobs: maybe(z.number().int().min(0).max(20)),
    include: maybe(z.array(z.string())),
    metadata: maybe(z.record(z.string(), z.string())),
    stream: maybe(z.boolean()),
    stream_options: maybe(z.object({ include_obfuscation: maybe(z.boolean()) })),
    truncation: maybe(z.enum(['auto', 'disabled'])),
    user: maybe(z.string()),
    store: maybe(z.boolean()).describe('Nothing is kept'),
    previous_response_id: maybe(z.string()).describe('Refused: send the whole conversation'),
    conversation: maybe(z.unknown()).describe('Refused: send the whole conversation'),
    background: maybe(z.boolean()).describe('Refused'),
  })
  .meta({ id: 'CreateResponse' })
export type ResponseRequest = z.output<typeof responseRequest>

/** An answer of `POST /v1/responses`. */
export const responseObject = z
  .looseObject({
    id: z.string(),
    object: z.literal('response'),
    created_at: z.number().int(),
    status: z.enum(['completed', 'incomplete', 'in_progress', 'failed']),
    model: z.string(),
    output: z.array(z.looseObject({ type: z.enum(['message', 'function_call']), id: z.string() })),
  })
  .meta({ id: 'Response' })
