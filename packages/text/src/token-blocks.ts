import { AwqError } from '@awq/tensor'
import { isImageDocument } from './image-records.ts'
import { shuffled } from './random.ts'
import type { ChatMessage, ImageDocument, TextDocument, TextSource, Tokenizer } from './types.ts'

/** Options of {@link tokenBlocks}. */
export interface TokenBlocksOptions {
  /** How many blocks are wanted. Default 128. */
  readonly samples?: number | undefined
  /** Tokens per block. Default 512. */
  readonly length?: number | undefined
  /** The longest text the model takes; longer blocks are clamped to it, with a warning. */
  readonly contextLength?: number | undefined
  /**
   * Draws the blocks at random instead of taking the first ones: up to 16 times as many blocks are cut, shuffled
   * (`shuffled`: Fisher-Yates with mulberry32) and the first `samples` taken. An integer from 0 to 2^32 - 1.
   */
  readonly seed?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Called with one line for everything that is not as asked for. */
  readonly onWarning?: ((message: string) => void) | undefined
  /** Called after each document with the tokens so far and the number wanted. */
  readonly onProgress?: ((event: { readonly tokens: number; readonly wanted: number }) => void) | undefined
}

/** What {@link tokenBlocks} returns. */
export interface TokenBlocks {
  /** Token ids, `length` each. */
  readonly blocks: Int32Array[]
  /** Tokens per block, after clamping. */
  readonly length: number
  /** Tokens of the text that were read; those of an incomplete last block and of blocks not drawn are included. */
  readonly tokens: number
}

/** How many times `samples` blocks are cut before a seeded draw. */
const drawFactor = 16

/** More than the characters of a token in almost every text: so many characters have the tokens that are wanted. */
const charactersPerToken = 8

/** Pieces are no shorter than this, which every tokenizer does in about a second, and no longer than that. */
const shortestPiece = 2 ** 16
const longestPiece = 2 ** 20

/** Lets a signal arrive between pieces: tokenising takes seconds in which nothing else runs. */
async function turnEventLoop(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0))
  signal?.throwIfAborted()
}

/**
 * Cuts a long text into pieces of about `wish` characters: behind a line end that no white space follows, where byte-level
 * tokenizers begin a word anyway; else before a space; else anywhere but inside a character.
 */
export function* piecesOf(text: string, wish: number): Generator<string> {
  const length = Math.min(longestPiece, Math.max(shortestPiece, wish))
  let start = 0
  while (text.length - start > length) {
    const end = cutWithin(text, start, start + length)
    yield text.slice(start, end)
    start = end
  }
  yield text.slice(start)
}

function cutWithin(text: string, start: number, limit: number): number {
  for (let at = limit - 1; at > start; at = text.lastIndexOf('\n', at - 1)) {
    if (text[at] === '\n' && /\S/.test(text[at + 1] as string)) return at + 1
  }
  const space = text.lastIndexOf(' ', limit)
  if (space > start) return space
  return /[\ud800-\udbff]/.test(text[limit - 1] as string) ? limit - 1 : limit
}

/**
 * Cuts text into blocks of token ids for calibration or evaluation. Every document is tokenised once, without BOS or EOS
 * (as AutoAWQ and llm-compressor's block style do); the ids of all documents are joined in file order with nothing between
 * them and cut into blocks of `length`; the first `samples` are taken. Conversations are rendered by the chat template first,
 * which writes its own control tokens; a model without a template gets the contents joined by line ends, with a warning.
 * Reading stops as soon as there are enough tokens; a document with far more than that is tokenised in pieces (`piecesOf`).
 * Throws `AwqError` INVALID_ARGUMENT for options that are not positive integers, when there is less than one block, and for a
 * document with images.
 */
export async function tokenBlocks(
  texts: TextSource,
  tokenizer: Tokenizer,
  options: TokenBlocksOptions = {},
): Promise<TokenBlocks> {
  const { samples, ...counts } = await cutSamples(texts, tokenizer, options)
  return {
    ...counts,
    blocks: samples.map((sample) => {
      if (sample instanceof Int32Array) return sample
      throw new AwqError('INVALID_ARGUMENT', `${sample.where} has images, but only text is read here`)
    }),
  }
}

/** What {@link cutSamples} returns. */
export interface Samples extends Omit<TokenBlocks, 'blocks'> {
  /** Blocks of `length` token ids; documents with images as they are: each is a sample of its own, whatever its length. */
  readonly samples: (Int32Array | ImageDocument)[]
}

/** As {@link tokenBlocks}, of texts and documents with images in any order. */
export async function cutSamples(
  texts: TextSource,
  tokenizer: Tokenizer,
  options: TokenBlocksOptions = {},
): Promise<Samples> {
  const { seed, signal, onProgress, onWarning = () => {} } = options
  const samples = positiveInteger('samples', options.samples ?? 128)
  const length = blockLength(options, onWarning)
  if (seed !== undefined && !(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32)) {
    throw new AwqError('INVALID_ARGUMENT', `seed must be an integer from 0 to 4294967295, not ${seed}`)
  }
  const cut = seed === undefined ? samples : samples * drawFactor
  const found: (Int32Array | ImageDocument)[] = []
  let block = new Int32Array(length)
  let filled = 0
  let tokens = 0
  let images = 0
  const render = documentRenderer(tokenizer, onWarning)
  for await (const document of texts) {
    signal?.throwIfAborted()
    if (isImageDocument(document)) {
      found.push(document)
      images++
      if (found.length === cut) break
      continue
    }
    for (const piece of piecesOf(render(document), cut * length * charactersPerToken)) {
      for (const id of tokenizer.encode(piece)) {
        tokens++
        block[filled++] = id
        if (filled < length) continue
        found.push(block)
        block = new Int32Array(length)
        filled = 0
        if (found.length === cut) break
      }
      onProgress?.({ tokens, wanted: samples * length })
      if (found.length === cut) break
      if (piece.length >= shortestPiece) await turnEventLoop(signal)
    }
    if (found.length === cut) break
  }
  signal?.throwIfAborted()
  if (found.length === 0) {
    throw new AwqError(
      'INVALID_ARGUMENT',
      `the text has ${tokens} tokens, less than one block of ${length}; give more text, or a smaller length`,
    )
  }
  if (found.length < samples) {
    const blocks = `${found.length - images} blocks of ${length} tokens (${tokens} tokens)`
    const given =
      images === 0 ? blocks : `${images} samples with images${images < found.length ? ` and ${blocks}` : ''}`
    onWarning(`the text gives only ${given}, not ${samples}; using those`)
  }
  const chosen = seed === undefined ? found : shuffled(found, seed).slice(0, samples)
  return { samples: chosen, length, tokens }
}

function blockLength(options: TokenBlocksOptions, onWarning: (message: string) => void): number {
  const length = positiveInteger('length', options.length ?? 512)
  if (options.contextLength === undefined) return length
  const context = positiveInteger('contextLength', options.contextLength)
  if (length > context) onWarning(`blocks of ${length} tokens are longer than the model's context; using ${context}`)
  return Math.min(length, context)
}

function positiveInteger(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new AwqError('INVALID_ARGUMENT', `${name} must be a positive integer, not ${value}`)
}

function documentRenderer(tokenizer: Tokenizer, onWarning: (message: string) => void) {
  let warned = false
  return (document: Exclude<TextDocument, ImageDocument>): string => {
    if (typeof document === 'string') return document
    if (tokenizer.chatTemplate !== undefined) return tokenizer.applyChatTemplate(document)
    if (!warned) onWarning('the text has conversations but the model has no chat template; using them as plain text')
    warned = true
    return `${document.map(plainContent).join('\n')}\n`
  }
}

function plainContent({ content }: ChatMessage): string {
  if (typeof content === 'string') return content
  return (content ?? []).map((part) => part.text ?? '').join('')
}
