import { z } from 'zod'
import { ApiError } from './api-error.ts'
import { type Exchange, readBody, unknownModel } from './exchange.ts'
import { maybe } from './sampling-parameters.ts'

const ids = z.array(z.number().int().min(0)).min(1)

/** The body of `POST /v1/embeddings`. */
export const embeddingRequest = z
  .object({
    model: z.string(),
    input: z.union([z.string(), z.array(z.string()).min(1).max(2048), ids, z.array(ids).min(1).max(2048)]),
    encoding_format: maybe(z.enum(['float', 'base64'])),
    dimensions: maybe(z.number().int().min(1)),
    user: maybe(z.string()),
  })
  .meta({ id: 'CreateEmbeddingRequest' })

/** `POST /v1/embeddings`: 501, since every model here is one that writes. */
export const createEmbedding = async (exchange: Exchange): Promise<Response> => {
  const { models } = exchange.settings
  const { model } = await readBody(exchange, embeddingRequest)
  if (!models.find(model)) throw unknownModel(model, models)
  throw new ApiError(501, `The model '${model}' writes text; it is no embedding model.`, {
    type: 'invalid_request_error',
    param: 'model',
    code: 'unsupported_model',
    headers: { 'x-should-retry': 'false' },
  })
}
