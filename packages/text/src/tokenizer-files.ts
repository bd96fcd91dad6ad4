import { AwqError, type Folder, messageOf } from '@awq/tensor'

/** A parsed JSON object whose fields are still to be checked. */
export type JsonObject = Record<string, unknown>

/** What the tokenizer files of a model folder say, parsed and checked as far as everything else relies on it. */
export interface TokenizerFiles {
  /** tokenizer.json, with the optional entries filled in. */
  readonly tokenizer: JsonObject & { model: JsonObject; added_tokens: AddedToken[] }
  /** tokenizer_config.json, completed from special_tokens_map.json. */
  readonly config: JsonObject
  /** config.json and generation_config.json, `{}` where absent. */
  readonly model: JsonObject
  readonly generation: JsonObject
  /** Chat templates by name; `default` is the usual one. */
  readonly chatTemplates: ReadonlyMap<string, string>
}

/** An entry of `added_tokens`. */
export interface AddedToken {
  readonly id: number
  readonly content: string
  readonly special?: boolean
}

const tokenizerBytes = 256 * 2 ** 20
const smallBytes = 16 * 2 ** 20
/** Vocabularies have at most a few hundred thousand entries; a larger id is a damaged file, not a larger model. */
const maxTokenId = 2 ** 24

/**
 * Reads tokenizer.json, tokenizer_config.json, special_tokens_map.json, config.json, generation_config.json,
 * chat_template.jinja and chat_template.json of a folder. Only tokenizer.json is required.
 * Throws `AwqError` NOT_FOUND when it is missing (and says how to make it), INVALID_FILE when a file is damaged.
 */
export async function readTokenizerFiles(folder: Folder): Promise<TokenizerFiles> {
  if (!(await folder.has('tokenizer.json'))) throw await missingTokenizer(folder)
  const tokenizer = checkTokenizer(await readJson(folder, 'tokenizer.json', tokenizerBytes), folder.name)
  const specialTokens = await readOptionalJson(folder, 'special_tokens_map.json')
  const config = { ...specialTokens, ...(await readOptionalJson(folder, 'tokenizer_config.json')) }
  return {
    tokenizer,
    config,
    model: await readOptionalJson(folder, 'config.json'),
    generation: await readOptionalJson(folder, 'generation_config.json'),
    chatTemplates: await readChatTemplates(folder, config),
  }
}

async function missingTokenizer(folder: Folder): Promise<AwqError> {
  const files = await folder.list()
  const convertible = ['tokenizer.model', 'tekken.json', 'vocab.json', 'merges.txt', 'spiece.model'].filter((file) =>
    files.includes(file),
  )
  const convert =
    'python -c "import sys; from transformers import AutoTokenizer; d = sys.argv[1]; AutoTokenizer.from_pretrained(d).save_pretrained(d)"'
  const advice =
    convertible.length > 0
      ? `it has only ${convertible.join(', ')}. Make tokenizer.json once with Python's transformers: ${convert} '${folder.path ?? folder.name}'`
      : `it has ${files.length === 0 ? 'no files' : files.slice(0, 12).join(', ')}. Copy tokenizer.json and tokenizer_config.json from the model's page into it`
  return new AwqError('NOT_FOUND', `${folder.name} has no tokenizer.json; ${advice}`)
}

async function readJson(folder: Folder, file: string, maxBytes: number): Promise<JsonObject> {
  const text = await folder.readText(file, { maxBytes })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw damaged(folder.name, file, `is not valid JSON (${messageOf(cause)})`, cause)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw damaged(folder.name, file, 'is not a JSON object')
  }
  return value as JsonObject
}

async function readOptionalJson(folder: Folder, file: string): Promise<JsonObject> {
  return (await folder.has(file)) ? readJson(folder, file, smallBytes) : {}
}

function damaged(folder: string, file: string, what: string, cause?: unknown): AwqError {
  const message = `${file} in ${folder} ${what}; get the file from the model's page again`
  return new AwqError('INVALID_FILE', message, { cause })
}

function checkTokenizer(json: JsonObject, folder: string): TokenizerFiles['tokenizer'] {
  const file = 'tokenizer.json'
  const model = json.model
  if (!isObject(model)) throw damaged(folder, file, 'has no "model" object')
  const vocab = model.vocab
  if (Array.isArray(vocab) ? !vocab.every(isUnigramEntry) : !isVocabulary(vocab)) {
    throw damaged(folder, file, 'has no usable "model.vocab" (token -> id, ids below 2^24)')
  }
  if (model.type === 'BPE' && !(Array.isArray(model.merges) && model.merges.every(isMerge))) {
    throw damaged(folder, file, 'has no usable "model.merges" (a list of pairs)')
  }
  const added = json.added_tokens ?? []
  if (!Array.isArray(added) || !added.every(isAddedToken)) {
    throw damaged(folder, file, 'has "added_tokens" that are not a list of { id, content }')
  }
  const optional = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null }
  return { ...optional, ...json, model, added_tokens: added }
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isTokenId = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) < maxTokenId

const isVocabulary = (value: unknown): boolean => isObject(value) && Object.values(value).every(isTokenId)

const isUnigramEntry = (value: unknown): boolean =>
  Array.isArray(value) && typeof value[0] === 'string' && typeof value[1] === 'number'

const isMerge = (value: unknown): boolean =>
  typeof value === 'string' || (Array.isArray(value) && value.length === 2 && value.every((v) => typeof v === 'string'))

const isAddedToken = (value: unknown): value is AddedToken =>
  isObject(value) && isTokenId(value.id) && typeof value.content === 'string' && value.content !== ''

/** Order of precedence as in transformers: chat_template.jinja, chat_template.json, then tokenizer_config.json. */
async function readChatTemplates(folder: Folder, config: JsonObject): Promise<Map<string, string>> {
  const templates = new Map<string, string>()
  const inConfig = config.chat_template
  if (typeof inConfig === 'string') templates.set('default', inConfig)
  else if (Array.isArray(inConfig)) {
    for (const entry of inConfig) {
      if (isObject(entry) && typeof entry.name === 'string' && typeof entry.template === 'string') {
        templates.set(entry.name, entry.template)
      }
    }
  }
  const { chat_template: inJson } = await readOptionalJson(folder, 'chat_template.json')
  if (typeof inJson === 'string') templates.set('default', inJson)
  if (await folder.has('chat_template.jinja')) {
    templates.set('default', await folder.readText('chat_template.jinja', { maxBytes: smallBytes }))
  }
  return templates
}
