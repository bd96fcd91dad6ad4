/**
 * The tokenizer of a GGUF file as tokenizer.json and tokenizer_config.json.
 * @module
 */
import { AwqError, quoted } from '@awq/tensor'
import { type Fields, fieldsOf } from './config.ts'
import type { GgufValue } from './cursor.ts'
import type { GgufHeader } from './header.ts'
import { type PreTokenizer, preTokenizerJson, preTokenizerNamed, preTokenizers } from './pretokenizers.ts'
import { mergesOfScores } from './scores.ts'

/** Kinds of tokens. */
export const tokenKinds = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const

/** The key under which files may carry a tokenizer.json as it is. */
export const TOKENIZER_JSON_KEY = 'tokenizer.huggingface.json'

/** Text files of a folder, by name. */
export interface TokenizerTexts {
  readonly 'tokenizer.json': string
  readonly 'tokenizer_config.json': string
  readonly 'generation_config.json': string
}

interface Vocabulary {
  readonly name: string
  readonly fields: Fields
  readonly tokens: readonly string[]
  /** Absent in some files: all are normal. */
  readonly kinds: readonly number[]
}

const listOf = <T extends GgufValue>(
  name: string,
  metadata: GgufHeader['metadata'],
  key: string,
  type: 'string' | 'number',
): readonly T[] | undefined => {
  const list = metadata.get(key)
  if (list === undefined) return undefined
  if (Array.isArray(list) && list.every((item) => typeof item === type)) return list as readonly T[]
  throw new AwqError('INVALID_FILE', `${name}: ${key} is no list of ${type}s`)
}

const required = <T>(name: string, key: string, list: readonly T[] | undefined): readonly T[] => {
  if (list !== undefined) return list
  throw new AwqError('INVALID_FILE', `${name}: ${key} is missing; a model without its tokenizer is of no use`)
}

const idOf = ({ fields, tokens, name }: Vocabulary, key: string): number | undefined => {
  if (!fields.has(key)) return undefined
  const id = fields.number(key)
  if (tokens[id] !== undefined) return id
  throw new AwqError('INVALID_FILE', `${name}: tokenizer.ggml.${key} is ${id}, but there are ${tokens.length} tokens`)
}

/** Tokens that are cut out of a text before anything else. */
const addedTokens = ({ tokens, kinds }: Vocabulary) =>
  tokens.flatMap((content, id) => {
    const kind = kinds[id]
    const special = kind === tokenKinds.control || kind === tokenKinds.unknown
    if (!special && kind !== tokenKinds.userDefined) return []
    return [{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special }]
  })

/** Adds BOS in front and EOS behind, as the file says. */
const postProcessor = (vocabulary: Vocabulary, metadata: GgufHeader['metadata'], bosByDefault: boolean): unknown => {
  const flag = (key: string, fallback: boolean) => (metadata.get(`tokenizer.ggml.${key}`) ?? fallback) === true
  const [bos, eos] = [idOf(vocabulary, 'bos_token_id'), idOf(vocabulary, 'eos_token_id')]
  const front = flag('add_bos_token', bosByDefault) ? bos : undefined
  const behind = flag('add_eos_token', false) ? eos : undefined
  const ids = [front, behind].filter((id) => id !== undefined)
  if (ids.length === 0) return null
  const token = (id: number | undefined, type: number) =>
    id === undefined ? [] : [{ SpecialToken: { id: vocabulary.tokens[id], type_id: type } }]
  const around = (sequence: string, type: number) => [
    ...token(front, type),
    { Sequence: { id: sequence, type_id: type } },
    ...token(behind, type),
  ]
  const known = ids.map((id) => {
    const content = vocabulary.tokens[id]!
    return [content, { id: content, ids: [id], tokens: [content] }]
  })
  return {
    type: 'TemplateProcessing',
    single: around('A', 0),
    pair: [...around('A', 0), ...around('B', 1)],
    special_tokens: Object.fromEntries(known),
  }
}

const vocabOf = (tokens: readonly string[]): Record<string, number> =>
  Object.fromEntries(tokens.map((token, id) => [token, id]))

const decoderBytes = { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true }

/** Byte-level merges: GPT-2 and all after it. */
const byteLevel = (vocabulary: Vocabulary, metadata: GgufHeader['metadata'], pre: PreTokenizer): unknown => {
  const { name, tokens } = vocabulary
  const key = 'tokenizer.ggml.merges'
  const merges = required(name, key, listOf<string>(name, metadata, key, 'string'))
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: addedTokens(vocabulary),
    normalizer: pre.normalizer === undefined ? null : { type: pre.normalizer },
    pre_tokenizer: preTokenizerJson(pre),
    post_processor: postProcessor(vocabulary, metadata, pre.addsBos === true),
    decoder: decoderBytes,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: pre.ignoreMerges === true,
      vocab: vocabOf(tokens),
      merges,
    },
  }
}

/** SentencePiece's merges, which follow from the scores of tokens; bytes stand for what is not in the vocabulary. */
const sentencePieces = (vocabulary: Vocabulary, metadata: GgufHeader['metadata']): unknown => {
  const { name, tokens, kinds } = vocabulary
  const key = 'tokenizer.ggml.scores'
  const scores = required(name, key, listOf<number>(name, metadata, key, 'number'))
  const prefixed = (metadata.get('tokenizer.ggml.add_space_prefix') ?? true) === true
  const unknown = idOf(vocabulary, 'unknown_token_id') ?? kinds.indexOf(tokenKinds.unknown)
  const replace = (from: string, content: string) => ({ type: 'Replace', pattern: { String: from }, content })
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: addedTokens(vocabulary),
    normalizer: {
      type: 'Sequence',
      normalizers: [...(prefixed ? [{ type: 'Prepend', prepend: '▁' }] : []), replace(' ', '▁')],
    },
    pre_tokenizer: null,
    post_processor: postProcessor(vocabulary, metadata, true),
    decoder: {
      type: 'Sequence',
      decoders: [
        replace('▁', ' '),
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        ...(prefixed ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
      ],
    },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: tokens[unknown] ?? null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: kinds.includes(tokenKinds.byte),
      ignore_merges: false,
      vocab: vocabOf(tokens),
      merges: mergesOfScores(tokens, scores, (id) => kinds[id] === tokenKinds.normal),
    },
  }
}

const tokenizerOf = (vocabulary: Vocabulary, metadata: GgufHeader['metadata']): unknown => {
  const { name, fields } = vocabulary
  const model = fields.text('model', 'missing')
  if (model === 'llama') return sentencePieces(vocabulary, metadata)
  if (model !== 'gpt2') {
    throw new AwqError('UNSUPPORTED', `${name}: tokenizer.ggml.model is ${quoted(model)}; gpt2 and llama are read`)
  }
  const cut = fields.text('pre', 'missing')
  const pre = preTokenizerNamed(cut)
  if (pre) return byteLevel(vocabulary, metadata, pre)
  const known = preTokenizers.flatMap(({ names }) => names).join(', ')
  throw new AwqError(
    'UNSUPPORTED',
    `${name}: tokenizer.ggml.pre is ${quoted(cut)}, a way of cutting texts that is not known here (known: ${known}). ` +
      'Use the checkpoint in safetensors, with its tokenizer.json',
  )
}

const givenTokenizer = (name: string, metadata: GgufHeader['metadata']): string | undefined => {
  const text = metadata.get(TOKENIZER_JSON_KEY)
  if (typeof text !== 'string') return undefined
  try {
    JSON.parse(text)
    return text
  } catch (cause) {
    throw new AwqError('INVALID_FILE', `${name}: ${TOKENIZER_JSON_KEY} is not JSON`, { cause })
  }
}

/**
 * The tokenizer files of a GGUF file.
 * @throws AwqError UNSUPPORTED naming a kind of tokenizer that is not read, INVALID_FILE for lists that do not fit
 */
export const tokenizerTexts = (name: string, { metadata }: GgufHeader): TokenizerTexts => {
  const fields = fieldsOf(name, metadata, 'tokenizer.ggml.')
  const key = 'tokenizer.ggml.tokens'
  const tokens = required(name, key, listOf<string>(name, metadata, key, 'string'))
  const listed = listOf<number>(name, metadata, 'tokenizer.ggml.token_type', 'number')
  const kinds = listed ?? tokens.map(() => tokenKinds.normal)
  if (kinds.length !== tokens.length) {
    throw new AwqError('INVALID_FILE', `${name}: ${tokens.length} tokens have ${kinds.length} types`)
  }
  const vocabulary = { name, fields, tokens, kinds }
  const named = (field: string, idKey: string) => {
    const id = idOf(vocabulary, idKey)
    return { [field]: id === undefined ? null : tokens[id] }
  }
  const template = metadata.get('tokenizer.chat_template')
  const ends = ['eos_token_id', 'eot_token_id', 'eom_token_id'].map((end) => idOf(vocabulary, end))
  const given = givenTokenizer(name, metadata)
  return {
    'tokenizer.json': given ?? JSON.stringify(tokenizerOf(vocabulary, metadata)),
    'tokenizer_config.json': JSON.stringify({
      tokenizer_class: 'PreTrainedTokenizerFast',
      ...named('bos_token', 'bos_token_id'),
      ...named('eos_token', 'eos_token_id'),
      ...named('pad_token', 'padding_token_id'),
      ...named('unk_token', 'unknown_token_id'),
      clean_up_tokenization_spaces: false,
      ...(typeof template === 'string' ? { chat_template: template } : {}),
    }),
    'generation_config.json': JSON.stringify({
      ...(fields.has('bos_token_id') ? { bos_token_id: fields.number('bos_token_id') } : {}),
      eos_token_id: [...new Set(ends.filter((id) => id !== undefined))],
    }),
  }
}
