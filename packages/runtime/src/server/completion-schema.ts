import { z } from 'zod'
import { completionUsage } from './chat-schema.ts'
import { completionShape, maybe } from './sampling-parameters.ts'

const ids = z.array(z.number().int().min(0)).min(1)

/** The body of `POST /v1/completions`. */
export const completionRequest = z
  .object({
    model: z.string(),
    prompt: maybe(z.union([z.string(), z.array(z.string()).min(1).max(2048), ids, z.array(ids).min(1).max(2048)])),
    ...completionShape,
    max_tokens: maybe(z.number().int().min(0)).describe('New tokens at most; 16 by default'),
    echo: maybe(z.boolean()).describe('Begin with the prompt'),
    logprobs: maybe(z.number().int().min(0).max(5)),
    best_of: maybe(z.number().int().min(1).max(20)),
    suffix: maybe(z.string()),
  })
  .meta({ id: 'CreateCompletionRequest' })
export type CompletionRequest = z.output<typeof completionRequest>

/** An answer of `POST /v1/completions`. */
export const completionResponse = z
  .object({
    id: z.string(),
    object: z.literal('text_completion'),
    created: z.number().int(),
    model: z.string(),
    choices: z.array(
      z.object({
        index: z.number().int(),
        text: z.string(),
        logprobs: z.unknown().nullable(),
        finish_reason: z.enum(['stop', 'length']),
      }),
    ),
    usage: completionUsage,
  })
  .meta({ id: 'Completion' })
