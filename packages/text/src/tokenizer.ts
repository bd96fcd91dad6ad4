import { AwqError, type Folder, messageOf } from '@awq/tensor'
import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers'
import { chatTemplateRenderer } from './chat-template.ts'
import { decoderFactory, type Vocabulary } from './decoder.ts'
import { correctPreTokenizers } from './library-corrections.ts'
import { type JsonObject, readTokenizerFiles, type TokenizerFiles } from './tokenizer-files.ts'
import type { Tokenizer } from './types.ts'

/**
 * Loads the tokenizer of a model folder: tokenizer.json (the specification of the ids; see `readTokenizerFiles` for the
 * other files), with the chat template and the special tokens.
 * Throws `AwqError` NOT_FOUND without a tokenizer.json, INVALID_FILE when a file is damaged, UNSUPPORTED for a component of
 * tokenizer.json that is not implemented.
 */
export async function loadTokenizer(folder: Folder): Promise<Tokenizer> {
  const files = await readTokenizerFiles(folder)
  const library = makeLibraryTokenizer(files, folder.name)
  const added = new Map(files.tokenizer.added_tokens.map((token) => [token.id, token.content]))
  const vocabulary: Vocabulary = {
    token: (id) => added.get(id) ?? library.id_to_token(id),
    isAdded: (id) => added.has(id),
    specialIds: new Set(files.tokenizer.added_tokens.filter((token) => token.special).map((token) => token.id)),
  }
  const tokenId = (token: string) => library.token_to_id(token)
  const specialTokens = namedSpecialTokens(files.config)
  const { createDecoder, tokenBytes } = decoderFactory(files.tokenizer.decoder, vocabulary)
  const bosId = beginningId(files, specialTokens, tokenId)
  const chatTemplate = files.chatTemplates.get('default')

  return {
    encode(text, options = {}) {
      if (text === '' && !options.addSpecialTokens) return []
      return library.encode(text, { add_special_tokens: options.addSpecialTokens ?? false }).ids
    },
    decode(ids, options = {}) {
      const decoder = createDecoder({ skipSpecialTokens: false, ...options })
      const pieces: string[] = []
      for (let i = 0; i < ids.length; i++) pieces.push(decoder.push(ids[i] as number))
      pieces.push(decoder.flush())
      return pieces.join('')
    },
    createDecoder,
    vocabSize: sizeOfVocabulary(files),
    ...(bosId === undefined ? {} : { bosId }),
    eosIds: endIds(files, specialTokens, tokenId),
    specialIds: vocabulary.specialIds,
    tokenId,
    tokenBytes,
    ...(chatTemplate === undefined ? {} : { chatTemplate }),
    applyChatTemplate: chatTemplateRenderer({ model: folder.name, templates: files.chatTemplates, specialTokens }),
  }
}

function makeLibraryTokenizer(files: TokenizerFiles, name: string): LibraryTokenizer {
  try {
    const library = new LibraryTokenizer(files.tokenizer, files.config)
    correctPreTokenizers(library, files.tokenizer.pre_tokenizer)
    return library
  } catch (cause) {
    const unknown = /^Unknown .* type/.test(messageOf(cause))
    throw new AwqError(
      unknown ? 'UNSUPPORTED' : 'INVALID_FILE',
      `tokenizer.json in ${name} cannot be used: ${messageOf(cause)}`,
      { cause },
    )
  }
}

function sizeOfVocabulary({ tokenizer }: TokenizerFiles): number {
  const vocab = tokenizer.model.vocab as unknown[] | Record<string, number>
  let size = Array.isArray(vocab) ? vocab.length : 0
  if (!Array.isArray(vocab)) for (const id of Object.values(vocab)) size = Math.max(size, id + 1)
  for (const token of tokenizer.added_tokens) size = Math.max(size, token.id + 1)
  return size
}

/** `bos_token`, `eos_token`, `pad_token`, … of tokenizer_config.json, which writes them as strings or as objects. */
function namedSpecialTokens(config: JsonObject): Record<string, string> {
  const tokens: Record<string, string> = {}
  for (const [key, value] of Object.entries(config)) {
    if (!key.endsWith('_token')) continue
    const content = typeof value === 'object' && value !== null ? (value as JsonObject).content : value
    if (typeof content === 'string') tokens[key] = content
  }
  return tokens
}

type TokenIds = (token: string) => number | undefined

/** The tokenizer's BOS; config.json decides only when tokenizer_config.json does not mention one (null means none). */
function beginningId(files: TokenizerFiles, tokens: Record<string, string>, tokenId: TokenIds): number | undefined {
  if (tokens.bos_token !== undefined) return tokenId(tokens.bos_token)
  if ('bos_token' in files.config) return undefined
  return idList(files.model.bos_token_id)[0]
}

function endIds(files: TokenizerFiles, tokens: Record<string, string>, tokenId: TokenIds): number[] {
  const named = tokens.eos_token === undefined ? undefined : tokenId(tokens.eos_token)
  return [...new Set([...idList(files.generation.eos_token_id), ...idList(files.model.eos_token_id), ...idList(named)])]
}

/** Token ids written as a number or as a list of numbers. */
function idList(value: unknown): number[] {
  const values: unknown[] = Array.isArray(value) ? value : [value]
  return values.filter((id): id is number => Number.isInteger(id) && (id as number) >= 0)
}
