/**
 * Long texts to tokens, piece by piece: a tokenizer takes seconds for megabytes, in which nothing else would run.
 * @module
 */
import type { Tokenizer } from '@awq/text'
import { turnEventLoop } from './event-loop.ts'
import { PromptTooLong } from './prompt-too-long.ts'

/** Texts up to this length are encoded as they are, characters. */
const shortText = 8192
/** Characters of a piece. */
const pieceLength = 4096
/** Bytes at the end of a piece whose tokens may come out otherwise when the text goes on. */
const unsettled = 256
/** Tokens that two pieces have in common, of which all but the first few must be alike. */
const common = 12
const mustAgree = 6
/** Tokens among which the beginning of a word is looked for. */
const placesTried = 64

/** How a prompt is made ready. */
export interface PrepareOptions {
  /** Tokens that there may be; any number by default. */
  readonly most?: number | undefined
  readonly signal?: AbortSignal | undefined
  /**
   * Told how the prompt's images are let go, for a prompt that is not continued at once: until then they are kept. A generation
   * keeps those of its own prompt.
   */
  readonly onHold?: ((release: () => void) => void) | undefined
}

/** How a text is encoded. */
export interface EncodeOptions extends PrepareOptions {
  /** What the tokenizer puts around a text, such as a token that begins it; left out by default. */
  readonly addSpecialTokens?: boolean | undefined
}

/**
 * The tokens of a text. Pieces overlap and are joined where they agree on several tokens; a text whose pieces do not, such as one
 * that its normalizer rewrites, is encoded at once.
 * @throws PromptTooLong as soon as there are more tokens than `most`
 */
export const encodeInPieces = async (
  tokenizer: Tokenizer,
  text: string,
  { most = Number.POSITIVE_INFINITY, addSpecialTokens = false, signal }: EncodeOptions = {},
): Promise<number[]> => {
  const limited = (ids: number[]): number[] => {
    if (ids.length > most) throw new PromptTooLong(most, ids.length)
    return ids
  }
  if (text.length <= shortText) return limited(tokenizer.encode(text, { addSpecialTokens }))
  const { before, behind } = addSpecialTokens ? surroundings(tokenizer) : { before: [], behind: [] }
  const own = await ownTokens(tokenizer, text, most, signal)
  return limited([...before, ...own, ...behind])
}

/** What a tokenizer puts around a text. */
const surroundings = (tokenizer: Tokenizer): { readonly before: number[]; readonly behind: number[] } => {
  const bare = tokenizer.encode('x')
  const whole = tokenizer.encode('x', { addSpecialTokens: true })
  const at = whole.findIndex((_, start) => bare.every((id, i) => whole[start + i] === id))
  return at < 0 ? { before: [], behind: [] } : { before: whole.slice(0, at), behind: whole.slice(at + bare.length) }
}

/** The tokens of a long text without special ones; no more than one piece beyond `most`. */
const ownTokens = async (
  tokenizer: Tokenizer,
  text: string,
  most: number,
  signal: AbortSignal | undefined,
): Promise<readonly number[]> => {
  const ids: number[] = []
  /** Where the next piece begins, and what the settled tokens at its beginning are. */
  let at = 0
  let known: readonly number[] = []
  let knownBytes = 0
  for (;;) {
    const end = pieceEnd(text, at)
    const piece = text.slice(at, end)
    const encoded = spelled(tokenizer, piece)
    const from = encoded && continuation(encoded, known, knownBytes)
    if (!encoded || from === undefined) break
    if (end === text.length) return [...ids, ...encoded.ids.slice(from)]
    const cut = cutOf(encoded, piece, from)
    if (!cut) break
    for (let i = from; i < cut.index; i++) ids.push(encoded.ids[i] as number)
    if (ids.length > most) throw new PromptTooLong(most, ids.length, false)
    known = encoded.ids.slice(cut.overlap, cut.index)
    knownBytes = (encoded.ends[cut.index - 1] as number) - (encoded.ends[cut.overlap - 1] ?? 0)
    at += cut.characters
    await turnEventLoop()
    signal?.throwIfAborted()
  }
  return tokenizer.encode(text)
}

/** The end of the piece that begins at `at`; no character is cut in two. */
const pieceEnd = (text: string, at: number): number => {
  const end = Math.min(text.length, at + pieceLength)
  const last = text.charCodeAt(end - 1)
  return end < text.length && last >= 0xd800 && last < 0xdc00 ? end - 1 : end
}

/** The tokens of a piece and where they end in its UTF-8. */
interface Spelled {
  readonly ids: readonly number[]
  readonly ends: readonly number[]
  readonly utf8: Uint8Array
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** Undefined where the tokens do not spell the piece, a space in front of it aside. */
const spelled = (tokenizer: Tokenizer, piece: string): Spelled | undefined => {
  const ids = tokenizer.encode(piece)
  const utf8 = encoder.encode(piece)
  const sizes = ids.map((id) => tokenizer.tokenBytes(id)?.length ?? Number.NaN)
  const added = sizes.reduce((sum, size) => sum + size, 0) - utf8.length
  if (added !== 0 && added !== 1) return undefined
  let end = -added
  return { ids, utf8, ends: sizes.map((size) => (end += size)) }
}

/** The first token behind those that the piece before has settled; undefined where the two do not agree. */
const continuation = ({ ids, ends }: Spelled, known: readonly number[], knownBytes: number): number | undefined => {
  if (known.length === 0) return 0
  const from = ends.indexOf(knownBytes) + 1
  if (from < mustAgree) return undefined
  for (let back = 1; back <= mustAgree; back++) if (ids[from - back] !== known[known.length - back]) return undefined
  return from
}

/** Where a piece is left: its tokens from `index` on are not settled, the next piece begins at token `overlap`. */
interface Cut {
  readonly index: number
  readonly overlap: number
  /** Characters in front of `overlap`. */
  readonly characters: number
}

const isSpace = (byte: number | undefined): boolean => byte === 32 || byte === 10

/** The last good place: in front of a word, and both its ends between characters. */
const cutOf = ({ ids, ends, utf8 }: Spelled, piece: string, from: number): Cut | undefined => {
  const between = (index: number): boolean => ((utf8[ends[index - 1] as number] ?? 0) & 0xc0) !== 0x80
  const inFrontOfWord = (index: number): boolean => {
    const byte = ends[index - 1] as number
    return isSpace(utf8[byte]) && !isSpace(utf8[byte - 1])
  }
  const settled = utf8.length - unsettled
  let last = ids.length - 1
  while (last > 0 && (ends[last - 1] as number) > settled) last--
  const least = Math.max(from, common) + 1
  let index: number | undefined
  for (let place = last; place >= least && place > last - placesTried; place--) {
    if (!between(place)) continue
    index ??= place
    if (!inFrontOfWord(place)) continue
    index = place
    break
  }
  if (index === undefined) return undefined
  let overlap = index - common
  while (overlap > 0 && !between(overlap)) overlap--
  if (overlap <= 0) return undefined
  const characters = decoder.decode(utf8.subarray(0, ends[overlap - 1] as number)).length
  return piece.length > characters && characters > 0 ? { index, overlap, characters } : undefined
}
