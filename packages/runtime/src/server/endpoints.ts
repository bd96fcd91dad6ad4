import type { z } from 'zod'
import { createChatCompletion } from './chat-route.ts'
import { chatRequest, chatResponse } from './chat-schema.ts'
import { createCompletion } from './completion-route.ts'
import { completionRequest, completionResponse } from './completion-schema.ts'
import type { Exchange } from './exchange.ts'
import { health } from './health-route.ts'
import { listModels, retrieveModel } from './models-route.ts'

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
  readonly handle: (exchange: Exchange) => Promise<Response>
}

/** Every endpoint. */
export const endpoints: readonly Endpoint[] = [
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
  { method: 'GET', path: '/v1/models', summary: 'The models of this server', handle: listModels },
  { method: 'GET', path: '/v1/models/{model}', summary: 'One model', handle: retrieveModel },
  { method: 'GET', path: '/health', summary: 'Whether requests are taken', open: true, handle: health },
]
