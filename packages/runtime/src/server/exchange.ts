import type { z } from 'zod'
import type { LanguageModel } from '../language-model.ts'
import { ApiError } from './api-error.ts'
import { readJson } from './body.ts'
import type { MetricsText } from './metrics.ts'
import type { ModelRegistry } from './registry.ts'
import type { Scope } from './scope.ts'
import type { HandlerSettings } from './settings.ts'
import { parseBody } from './validation.ts'

/** A request and what answers it. */
export interface Exchange {
  readonly request: Request
  readonly scope: Scope
  readonly settings: HandlerSettings
  /** Parts of the path, by name. */
  readonly parameters: Readonly<Record<string, string>>
  /** The text of `/metrics`. */
  readonly metrics: () => Promise<MetricsText>
  /** The server takes no new requests any more. */
  readonly stopping: () => boolean
  /** Counts bytes among those of all requests until this one is over. @throws ApiError 429 for too many */
  readonly holdBytes: (bytes: number) => void
  /** Closes the connection without another word. */
  readonly disconnect: () => void
}

/** The body of a request by its schema. @throws ApiError 4xx */
export const readBody = async <S extends z.ZodType>(exchange: Exchange, schema: S): Promise<z.output<S>> => {
  const { request, settings, scope, holdBytes } = exchange
  const body = parseBody(schema, await readJson(request, { bytes: settings.limits.bodyBytes, hold: holdBytes }))
  if (settings.logPrompts) scope.texts = { request: body, answers: [] }
  return body
}

/** The 404 of a model that there is not. */
export const unknownModel = (name: string, models: ModelRegistry): ApiError => {
  const names = models.list().map((status) => `'${status.name}'`)
  return new ApiError(
    404,
    `The model '${name.slice(0, 200)}' does not exist. This server has: ${names.slice(0, 20).join(', ')}.`,
    { param: 'model', code: 'model_not_found' },
  )
}

/** The model of a request, kept until the request is over. @throws ApiError 404 */
export const useModel = async ({ scope, settings }: Exchange, name: string): Promise<LanguageModel> => {
  const known = settings.models.find(name)
  if (!known) throw unknownModel(name, settings.models)
  scope.record.model = known.name
  const lease = await settings.models.acquire(name, scope.signal)
  scope.hold(lease)
  return lease.model
}

/** A JSON answer. */
export const jsonResponse = (value: unknown, status = 200): Response =>
  new Response(JSON.stringify(value), { status, headers: { 'content-type': 'application/json; charset=utf-8' } })
