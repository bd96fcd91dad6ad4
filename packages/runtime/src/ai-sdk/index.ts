/**
 * Models for the AI SDK (`ai`): in this process, or of a server.
 * @module
 */
import { type LanguageModelV4, NoSuchModelError, type ProviderV4 } from '@ai-sdk/provider'
import type { LanguageModel } from '../language-model.ts'
import { httpBackend } from './http-backend.ts'
import { languageModelV4 } from './language-model-v4.ts'
import { localBackend } from './local-backend.ts'

const newId = (): string => `call_${globalThis.crypto.randomUUID().replaceAll('-', '')}`

/** A model of the AI SDK. */
export type AwqModel = LanguageModelV4

/**
 * A loaded model as a model of the AI SDK, in this process: `generateText({ model: awqModel(model), prompt })`. Functions are
 * called in the format of the model's chat template; a schema and a required call are enforced token by token.
 * @param modelId what the AI SDK calls it
 */
export const awqModel = (model: LanguageModel, modelId = 'local'): AwqModel =>
  languageModelV4('awq.local', modelId, localBackend(model, newId), newId)

/** Where models are. */
export interface AwqProviderSettings {
  /** The server, up to `/v1`; `http://127.0.0.1:8080/v1` by default, where `awq serve` listens. */
  readonly baseURL?: string | undefined
  /** Sent as `Authorization: Bearer`; the environment's AWQ_API_KEY by default. */
  readonly apiKey?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly fetch?: typeof globalThis.fetch | undefined
  /** Models in this process, by name: they are not asked of the server. */
  readonly models?: Readonly<Record<string, LanguageModel>> | undefined
}

/** Gives models by name: `awq('name')`. */
export interface AwqProvider extends ProviderV4 {
  (modelId: string): AwqModel
}

const environmentKey = (): string | undefined =>
  (globalThis as { process?: { env?: Record<string, string | undefined> } }).process?.env?.AWQ_API_KEY

/**
 * A provider of the AI SDK: `const awq = createAwq()`, then `generateText({ model: awq('name'), prompt })` asks a server such
 * as `awq serve`, or one of `models` in this process. With `models` and without a `baseURL` there is no server.
 */
export const createAwq = (settings: AwqProviderSettings = {}): AwqProvider => {
  const { models = {}, apiKey = environmentKey(), headers = {} } = settings
  const baseURL = settings.baseURL ?? (settings.models ? undefined : 'http://127.0.0.1:8080/v1')
  const languageModel = (modelId: string): AwqModel => {
    const own = Object.hasOwn(models, modelId) ? models[modelId] : undefined
    if (own) return awqModel(own, modelId)
    if (baseURL === undefined) throw new NoSuchModelError({ modelId, modelType: 'languageModel' })
    const fetch = settings.fetch ?? globalThis.fetch
    return languageModelV4('awq.chat', modelId, httpBackend(modelId, { baseURL, apiKey, headers, fetch }), newId)
  }
  const none = (modelType: 'embeddingModel' | 'imageModel') => (modelId: string) => {
    throw new NoSuchModelError({ modelId, modelType })
  }
  return Object.assign(languageModel, {
    specificationVersion: 'v4' as const,
    languageModel,
    embeddingModel: none('embeddingModel'),
    imageModel: none('imageModel'),
  })
}
