import { AwqError } from '@awq/tensor'
import type { DecoderOptions, TextDecoderStream } from './types.ts'

/** The vocabulary as the decoder needs it. */
export interface Vocabulary {
  /** Spelling of a token, undefined for an id outside the vocabulary. */
  token(id: number): string | undefined
  /** True for a token that was added beside the model's own vocabulary: it is spelled as the text it stands for. */
  isAdded(id: number): boolean
  readonly specialIds: ReadonlySet<number>
}

/** What a `decoder` entry of tokenizer.json does, reduced to steps that work token by token. */
interface DecodingPlan {
  /** Token characters are byte values in the byte-level alphabet. */
  byteLevel: boolean
  /** Tokens `<0x00>` to `<0xFF>` are bytes. */
  byteFallback: boolean
  /** Literal replacements inside a token, in order. */
  replacements: { from: string; to: string }[]
  /** Up to `count` leading copies of `content` are dropped from the whole text. */
  strip: { content: string; count: number }
  /** Replacement characters of the first token that are dropped rather than turned into spaces (Metaspace). */
  firstTokenDrops: string | undefined
  /** Text between tokens (tokenizers without a decoder). */
  separator: string
}

type Json = Record<string, unknown>

const byteOfCharacter = byteLevelAlphabet()
const utf8 = new TextEncoder()

/**
 * Compiles the `decoder` entry of tokenizer.json into a factory of streaming detokenizers. Supported: ByteLevel, Metaspace,
 * and sequences of Replace (literal), ByteFallback, Fuse and Strip at the start: every decoder that causal language models
 * use. Bytes that are not UTF-8 become U+FFFD as the Encoding standard says. Spaces are never "cleaned up": the flag
 * `clean_up_tokenization_spaces` changes text that the model wrote and cannot be applied to a stream.
 * Throws `AwqError` UNSUPPORTED, when a decoder is made, for any other type.
 */
export function decoderFactory(decoder: unknown, vocabulary: Vocabulary): DecoderFactory {
  let plan: DecodingPlan | undefined
  const bytesOf: (Uint8Array | undefined)[] = []
  return {
    createDecoder(options = {}) {
      plan ??= decodingPlan(decoder)
      return openDecoder(plan, vocabulary, bytesOf, options)
    },
    tokenBytes(id) {
      plan ??= decodingPlan(decoder)
      const token = vocabulary.token(id)
      if (token === undefined) return undefined
      const bytes = tokenBytes(plan, token, vocabulary.isAdded(id))
      return plan.separator === '' ? bytes : Uint8Array.of(...utf8.encode(plan.separator), ...bytes)
    },
  }
}

/** Streaming detokenizers of one vocabulary, and what single tokens contribute to a text. */
export interface DecoderFactory {
  createDecoder(options?: DecoderOptions): TextDecoderStream
  /** The bytes that a token adds to a text that goes before it; undefined for ids that the vocabulary lacks. */
  tokenBytes(id: number): Uint8Array | undefined
}

function openDecoder(
  plan: DecodingPlan,
  vocabulary: Vocabulary,
  bytesOf: (Uint8Array | undefined)[],
  { skipSpecialTokens = true, visibleTokens, continuation = false }: DecoderOptions,
): TextDecoderStream {
  const characters = new TextDecoder('utf-8', { ignoreBOM: true })
  let first = !continuation
  let strips = continuation ? 0 : plan.strip.count

  const stripStart = (text: string): string => {
    let rest = text
    while (strips > 0 && rest !== '') {
      if (!rest.startsWith(plan.strip.content)) strips = 0
      else {
        rest = rest.slice(plan.strip.content.length)
        strips--
      }
    }
    return rest
  }

  return {
    push(id) {
      if (skipSpecialTokens && vocabulary.specialIds.has(id) && !visibleTokens?.has(id)) return ''
      const token = vocabulary.token(id)
      if (token === undefined) return ''
      let bytes: Uint8Array
      if (first && plan.firstTokenDrops) {
        bytes = tokenBytes(plan, token.replaceAll(plan.firstTokenDrops, ''), vocabulary.isAdded(id))
      } else {
        bytes = bytesOf[id] ??= tokenBytes(plan, token, vocabulary.isAdded(id))
      }
      const between = first || plan.separator === '' ? '' : plan.separator
      first = false
      return stripStart(between + characters.decode(bytes, { stream: true }))
    },
    flush() {
      return stripStart(characters.decode())
    },
  }
}

function tokenBytes(plan: DecodingPlan, token: string, added: boolean): Uint8Array {
  if (plan.byteFallback) {
    const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1]
    if (byte !== undefined) return Uint8Array.of(Number.parseInt(byte, 16))
  }
  if (plan.byteLevel && !added) {
    const bytes = Array.from(token, (character) => byteOfCharacter.get(character))
    // A token with a character outside the byte alphabet is spelled as plain text.
    if (bytes.every((byte) => byte !== undefined)) return Uint8Array.from(bytes)
  }
  return utf8.encode(plan.replacements.reduce((text, { from, to }) => text.replaceAll(from, to), token))
}

function decodingPlan(decoder: unknown): DecodingPlan {
  const plan: DecodingPlan = {
    byteLevel: false,
    byteFallback: false,
    replacements: [],
    strip: { content: ' ', count: 0 },
    firstTokenDrops: undefined,
    separator: decoder === null || decoder === undefined ? ' ' : '',
  }
  let fused = false
  for (const step of flatten(decoder)) {
    if (step.type === 'ByteLevel') plan.byteLevel = true
    else if (step.type === 'ByteFallback') plan.byteFallback = true
    else if (step.type === 'Fuse') fused = true
    else if (step.type === 'Replace' && literal(step.pattern) !== undefined && typeof step.content === 'string') {
      plan.replacements.push({ from: literal(step.pattern) as string, to: step.content })
    } else if (step.type === 'Strip' && fused && typeof step.content === 'string' && !step.stop) {
      plan.strip = { content: step.content, count: Number(step.start) || 0 }
    } else if (step.type === 'Metaspace') {
      const replacement = typeof step.replacement === 'string' ? step.replacement : '▁'
      plan.replacements.push({ from: replacement, to: ' ' })
      // Older files say add_prefix_space: false where newer ones say prepend_scheme: "never".
      const never =
        step.prepend_scheme === 'never' || (step.prepend_scheme === undefined && step.add_prefix_space === false)
      if (!never) plan.firstTokenDrops = replacement
    } else {
      throw new AwqError(
        'UNSUPPORTED',
        `tokenizer.json has the decoder ${JSON.stringify(step).slice(0, 200)}, which cannot be decoded token by token; ` +
          'supported are ByteLevel, Metaspace, Replace (literal), ByteFallback, Fuse and Strip at the start',
      )
    }
  }
  return plan
}

function flatten(decoder: unknown): Json[] {
  if (typeof decoder !== 'object' || decoder === null) return []
  const step = decoder as Json
  if (step.type === 'Sequence' && Array.isArray(step.decoders)) return step.decoders.flatMap(flatten)
  return [step]
}

function literal(pattern: unknown): string | undefined {
  const text = (pattern as Json | undefined)?.String
  return typeof text === 'string' && text !== '' ? text : undefined
}

/**
 * The alphabet of byte-level BPE (GPT-2): printable Latin-1 bytes stand for themselves, the other 68 bytes, in increasing
 * order, for the characters from U+0100 on.
 */
function byteLevelAlphabet(): Map<string, number> {
  const alphabet = new Map<string, number>()
  let next = 0x100
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xff && byte !== 0xad)
    alphabet.set(String.fromCharCode(printable ? byte : next++), byte)
  }
  return alphabet
}
