/**
 * The tokenizer of a model as the fields of a GGUF file.
 * @module
 */
import { AwqError, parseJson, quoted } from '@awq/tensor'
import { isObject, type JsonObject } from '../folder/config.ts'
import type { GgufField } from './encode.ts'
import { findPreTokenizer, preTokenizers } from './pretokenizers.ts'
import { scoresOfMerges } from './scores.ts'
import { tokenKinds } from './tokenizer.ts'

const objects = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])

const refuse = (problem: string): never => {
  throw new AwqError('UNSUPPORTED', `tokenizer.json: ${problem}; llama.cpp has no such tokenizer`)
}

/** The steps of a component that may be a sequence of some. */
const stepsOf = (component: unknown, list: string): JsonObject[] => {
  if (!isObject(component)) return []
  return component.type === 'Sequence' ? objects(component[list]) : [component]
}

const readMerges = (merges: unknown): [left: string, right: string][] => {
  if (!Array.isArray(merges)) return refuse('the model has no list of merges')
  return merges.map((merge) => {
    const pair: unknown[] = typeof merge === 'string' ? merge.split(' ') : Array.isArray(merge) ? merge : []
    const [left, right] = pair
    if (pair.length !== 2 || typeof left !== 'string' || typeof right !== 'string') {
      return refuse(`a merge is ${quoted(JSON.stringify(merge))}`)
    }
    return [left, right]
  })
}

/** Tokens by id up to `size`, and their kinds; ids without a token get one that no text has. */
const readTokens = (tokenizer: JsonObject, model: JsonObject, size: number): { tokens: string[]; kinds: number[] } => {
  const tokens = Array.from({ length: size }, (_, id) => `[PAD${id}]`)
  const kinds = new Array<number>(size).fill(tokenKinds.unused)
  const put = (token: string, id: unknown, kind: number): void => {
    if (!Number.isInteger(id) || (id as number) < 0 || (id as number) >= size) {
      refuse(`the token ${quoted(token)} has the id ${String(id)}, but the embedding has ${size} rows`)
    }
    tokens[id as number] = token
    kinds[id as number] = kind
  }
  if (!isObject(model.vocab)) return refuse('the model has no vocabulary by token')
  const bytes = model.byte_fallback === true
  for (const [token, id] of Object.entries(model.vocab)) {
    const isByte = bytes && /^<0x[0-9A-Fa-f]{2}>$/.test(token)
    put(token, id, isByte ? tokenKinds.byte : tokenKinds.normal)
  }
  for (const { id, content, special } of objects(tokenizer.added_tokens)) {
    if (typeof content !== 'string') return refuse(`the added token ${String(id)} has no text`)
    const unknown = content === model.unk_token && bytes
    const kind = special === true ? tokenKinds.control : tokenKinds.userDefined
    put(content, id, unknown ? tokenKinds.unknown : kind)
  }
  return { tokens, kinds }
}

/** What a text of its own gets in front and behind: from the template of the post-processor. */
const readTemplate = (postProcessor: unknown): { front: string | undefined; behind: string | undefined } => {
  const template = stepsOf(postProcessor, 'processors').find(({ type }) => type === 'TemplateProcessing')
  const ids = objects(template?.single).map((step) =>
    isObject(step.SpecialToken) ? String(step.SpecialToken.id) : null,
  )
  return { front: ids[0] ?? undefined, behind: ids.length > 1 ? (ids.at(-1) ?? undefined) : undefined }
}

/** Whether a space goes in front of a text: by a normalizer, or by the older pre-tokenizer. */
const prefixesSpace = (tokenizer: JsonObject): boolean => {
  const normalizers = stepsOf(tokenizer.normalizer, 'normalizers')
  const metaspace = stepsOf(tokenizer.pre_tokenizer, 'pretokenizers').find(({ type }) => type === 'Metaspace')
  const replaces = normalizers.some(({ type, content }) => type === 'Replace' && content === '▁')
  if (!metaspace && !replaces) return refuse('spaces do not become "▁"')
  const scheme = metaspace?.prepend_scheme ?? (metaspace?.add_prefix_space === false ? 'never' : 'always')
  return normalizers.some(({ type }) => type === 'Prepend') || (metaspace !== undefined && scheme !== 'never')
}

/** The small files of a model, those that are there. */
export interface TokenizerFiles {
  readonly tokenizer: string | undefined
  readonly config: string | undefined
  readonly generation: string | undefined
  /** chat_template.jinja. */
  readonly template: string | undefined
}

const parsed = (text: string | undefined, name: string): JsonObject => {
  if (text === undefined) return {}
  const json = parseJson(text, name)
  if (!isObject(json)) throw new AwqError('INVALID_FILE', `${name} is no object`)
  return json
}

const templateOf = (config: JsonObject, template: string | undefined): string | undefined => {
  if (template !== undefined) return template
  const given = config.chat_template
  const named = objects(given).find(({ name }) => name === 'default')?.template
  return typeof given === 'string' ? given : typeof named === 'string' ? named : undefined
}

const text = (value: string): GgufField => ({ type: 'string', value })
const flag = (value: boolean): GgufField => ({ type: 'bool', value })
const number = (value: number): GgufField => ({ type: 'uint32', value })

const modelFields = (
  tokenizer: JsonObject,
  model: JsonObject,
  tokens: readonly string[],
): [key: string, field: GgufField][] => {
  if (model.type !== 'BPE') return refuse(`its model is ${quoted(String(model.type))}, not BPE`)
  const merges = readMerges(model.merges)
  const pre = findPreTokenizer(tokenizer.pre_tokenizer)
  if (pre) {
    const pairs = merges.map(([left, right]) => `${left} ${right}`)
    return [
      ['tokenizer.ggml.model', text('gpt2')],
      ['tokenizer.ggml.pre', text(pre.names[0])],
      ['tokenizer.ggml.merges', { type: 'strings', value: pairs }],
    ]
  }
  if (stepsOf(tokenizer.pre_tokenizer, 'pretokenizers').some(({ type }) => type === 'ByteLevel')) {
    const known = preTokenizers.map(({ names }) => names[0]).join(', ')
    return refuse(`its pre_tokenizer is none of those whose names are known (${known})`)
  }
  return [
    ['tokenizer.ggml.model', text('llama')],
    ['tokenizer.ggml.pre', text('default')],
    ['tokenizer.ggml.scores', { type: 'float32s', value: scoresOfMerges(tokens, merges) }],
    ['tokenizer.ggml.add_space_prefix', flag(prefixesSpace(tokenizer))],
  ]
}

/**
 * The fields of a model's tokenizer.
 * @param size rows of the embedding
 * @throws AwqError UNSUPPORTED for a tokenizer that llama.cpp does not have, NOT_FOUND without a tokenizer.json, INVALID_FILE
 *   for damaged ones
 */
export const vocabularyFields = (
  files: TokenizerFiles,
  size: number,
  modelConfig: JsonObject,
): ReadonlyMap<string, GgufField> => {
  if (files.tokenizer === undefined)
    throw new AwqError('NOT_FOUND', 'there is no tokenizer.json, which a GGUF file holds')
  const tokenizer = parsed(files.tokenizer, 'tokenizer.json')
  const config = parsed(files.config, 'tokenizer_config.json')
  const generation = parsed(files.generation, 'generation_config.json')
  const model = isObject(tokenizer.model) ? tokenizer.model : refuse('it has no model')
  const { tokens, kinds } = readTokens(tokenizer, model, size)
  const fields = new Map<string, GgufField>(modelFields(tokenizer, model, tokens))
  fields.set('tokenizer.ggml.tokens', { type: 'strings', value: tokens })
  fields.set('tokenizer.ggml.token_type', { type: 'int32s', value: kinds })
  const ids = new Map(tokens.map((token, id) => [token, id]))
  const named = (name: string): number | undefined => {
    const value = config[name]
    const content = isObject(value) ? value.content : value
    return typeof content === 'string' ? ids.get(content) : undefined
  }
  const listed = (name: string): number[] =>
    [generation[name] ?? modelConfig[name]]
      .flat()
      .filter((id): id is number => Number.isInteger(id) && (id as number) < size)
  const put = (key: string, id: number | undefined): void => {
    if (id !== undefined) fields.set(`tokenizer.ggml.${key}_token_id`, number(id))
  }
  const { front, behind } = readTemplate(tokenizer.post_processor)
  const bos = named('bos_token') ?? listed('bos_token_id')[0]
  const ends = listed('eos_token_id')
  const eos = named('eos_token') ?? ends[0]
  put('bos', bos)
  put('eos', eos)
  put(
    'eot',
    ends.find((id) => id !== eos),
  )
  put('unknown', named('unk_token'))
  put('padding', named('pad_token'))
  fields.set('tokenizer.ggml.add_bos_token', flag(front !== undefined && ids.get(front) === bos))
  fields.set('tokenizer.ggml.add_eos_token', flag(behind !== undefined && ids.get(behind) === eos))
  const template = templateOf(config, files.template)
  if (template !== undefined) fields.set('tokenizer.chat_template', text(template))
  return fields
}
