import { type Exchange, jsonResponse, unknownModel } from './exchange.ts'
import { modelFacts } from './model-facts.ts'
import type { ModelStatus } from './registry.ts'

const modelObject = async ({ name, created, state, facts, model }: ModelStatus) => ({
  id: name,
  object: 'model',
  created,
  owned_by: 'awq',
  state,
  ...(model ? { ...factsOf(model), awq: await modelFacts(model) } : {}),
  ...facts,
})

const factsOf = ({
  contextLength,
  kind,
  accuracy,
  description,
  tokenizer,
  sees,
}: NonNullable<ModelStatus['model']>) => ({
  context_length: contextLength,
  kind,
  accuracy,
  layers: description.config.layers,
  hidden_size: description.config.hiddenSize,
  vocabulary: description.config.vocabSize,
  chat: tokenizer.chatTemplate !== undefined,
  images: sees,
})

/** `GET /v1/models`. */
export const listModels = async ({ settings }: Exchange): Promise<Response> =>
  jsonResponse({ object: 'list', data: await Promise.all(settings.models.list().map(modelObject)) })

/** `GET /v1/models/{model}`; a name may contain slashes. */
export const retrieveModel = async ({ settings, parameters }: Exchange): Promise<Response> => {
  const name = parameters.model ?? ''
  const status = settings.models.find(name)
  if (!status) throw unknownModel(name, settings.models)
  return jsonResponse(await modelObject(status))
}
