import type { z } from 'zod'
import { createChatCompletion } from './chat-route.ts'
import { chatRequest, chatResponse } from './chat-schema.ts'
import { createCompletion } from './completion-route.ts'
import { completionRequest, completionResponse } from './completion-schema.ts'
import { createEmbedding, embeddingRequest } from './embeddings-route.ts'
import { type Exchange, jsonResponse } from './exchange.ts'
import { health } from './health-route.ts'
import { listModels, retrieveModel } from './models-route.ts'
import { openApiDocument } from './openapi.ts'
import { chatPage } from './page-route.ts'
import { createResponse } from './response-route.ts'
import { responseObject, responseRequest } from './response-schema.ts'

/** One row of the API: the router, the check of keys and `/openapi.json` follow from it. */
export interface Endpoint {
  readonly method: 'GET' | 'POST'
  /** With `{name}` for parts of the path; the last one may contain slashes. */
  readonly path: string
  readonly summary: string
  /** Answers without a key, and while the server is being stopped. */
  readonly open?: true
  readonly request?: z.ZodType
  readonly response?: z.ZodType
  /** With `stream`, the answer is server-sent events. */
  readonly streams?: true
  /** Media type of the answer; JSON by default. */
  readonly produces?: string
  readonly handle: (exchange: Exchange) => Promise<Response>
}

/** Every endpoint. */
export const endpoints: readonly Endpoint[] = [
  {
    method: 'GET',
    path: '/',
    summary: 'A page to chat with the models',
    open: true,
    produces: 'text/html',
    handle: chatPage,
  },
  {
    method: 'POST',
    path: '/v1/chat/completions',
    summary: 'Answer a conversation',
    request: chatRequest,
    response: chatResponse,
    streams: true,
    handle: createChatCompletion,
  },
  {
    method: 'POST',
    path: '/v1/completions',
    summary: 'Continue a text',
    request: completionRequest,
    response: completionResponse,
    streams: true,
    handle: createCompletion,
  },
  {
    method: 'POST',
    path: '/v1/responses',
    summary: 'Answer a conversation, as items',
    request: responseRequest,
    response: responseObject,
    streams: true,
    handle: createResponse,
  },
  {
    method: 'POST',
    path: '/v1/embeddings',
    summary: 'Vectors of texts (501: no model here is made for it)',
    request: embeddingRequest,
    handle: createEmbedding,
  },
  { method: 'GET', path: '/v1/models', summary: 'The models of this server', handle: listModels },
  { method: 'GET', path: '/v1/models/{model}', summary: 'One model', handle: retrieveModel },
  { method: 'GET', path: '/health', summary: 'Whether requests are taken', open: true, handle: health },
  {
    method: 'GET',
    path: '/metrics',
    summary: 'Figures for Prometheus',
    produces: 'text/plain',
    handle: async ({ metrics }) => {
      const { contentType, text } = await metrics()
      return new Response(text, { headers: { 'content-type': contentType } })
    },
  },
  {
    method: 'GET',
    path: '/openapi.json',
    summary: 'This description',
    open: true,
    handle: async () => jsonResponse(openApiDocument(endpoints)),
  },
]
