/**
 * The tokens of a tokenizer as a tree of their bytes, in which all tokens that begin alike are looked at together.
 * @module
 */
import { AwqError } from '@awq/tensor'
import type { Tokenizer } from '@awq/text'
import { turnEventLoop } from '../event-loop.ts'

/** What a vocabulary is made from. */
export type TokenSource = Pick<Tokenizer, 'vocabSize' | 'tokenBytes' | 'specialIds' | 'eosIds'>

/** Tokens by their bytes. Nodes are numbered so that those below a node come right behind it; 0 is the root. */
export interface Vocabulary {
  /** 32-bit words of a mask over all tokens. */
  readonly words: number
  /** The byte that leads to a node. */
  readonly bytes: Uint8Array
  readonly depths: Uint16Array
  /** The first node that is not below a node. */
  readonly ends: Uint32Array
  /** A token that ends at a node, -1 where none does; others of the same bytes by `sameAs`. */
  readonly tokens: Int32Array
  /** Another token with the same bytes as a token; -1 for none. */
  readonly sameAs: Int32Array
  /** Bytes of the longest token. */
  readonly longest: number
  /** Every byte of text is a token of its own, so that a text never needs more tokens than it has bytes. */
  readonly spellsBytes: boolean
  readonly eosIds: readonly number[]
  /** The bytes of a token; undefined for control tokens and ids that are none. */
  bytesOf(id: number): Uint8Array | undefined
}

/** Milliseconds of work between rests. */
const workAtOnce = 8
/** Tokens that are longer are left out; there are none of use. */
const longestToken = 1000

/** Lets others run when that is due. */
export const createRests = (signal: AbortSignal | undefined): (() => Promise<void>) => {
  let since = performance.now()
  return async () => {
    if (performance.now() - since < workAtOnce) return
    await turnEventLoop()
    signal?.throwIfAborted()
    since = performance.now()
  }
}

/**
 * Reads all tokens but control tokens, which are no text, and those that end a sequence.
 * @throws AwqError UNSUPPORTED for a vocabulary that cannot spell every printable ASCII character
 */
export const readVocabulary = async (source: TokenSource, signal?: AbortSignal): Promise<Vocabulary> => {
  const { vocabSize, eosIds, specialIds } = source
  const left = new Set([...specialIds, ...eosIds])
  const rest = createRests(signal)
  const tree = createTree(vocabSize)
  const bytesOf = (id: number) => (left.has(id) ? undefined : source.tokenBytes(id))
  for (let id = 0; id < vocabSize; id++) {
    const bytes = bytesOf(id)
    if (bytes && bytes.length > 0 && bytes.length <= longestToken) tree.add(id, bytes)
    if (id % 512 === 0) await rest()
  }
  await rest()
  const flat = await tree.flatten(rest)
  const single = singleBytes(flat)
  checkCharacters(single)
  return {
    words: Math.ceil(vocabSize / 32),
    ...flat,
    spellsBytes: textBytes.every((byte) => single.has(byte)),
    eosIds,
    bytesOf,
  }
}

/** A tree whose nodes know their first child and next sibling. */
const createTree = (vocabSize: number) => {
  let capacity = 4 * vocabSize + 16
  let bytes = new Uint8Array(capacity)
  let children = new Uint32Array(capacity)
  let siblings = new Uint32Array(capacity)
  let tokens = new Int32Array(capacity).fill(-1)
  const sameAs = new Int32Array(vocabSize).fill(-1)
  /** Nodes of one byte and of two, which have many siblings. */
  const first = new Uint32Array(256 + 256 * 256)
  let count = 1

  const grow = (): void => {
    capacity *= 2
    const larger = <T extends Uint8Array | Uint32Array>(old: T, made: T): T => {
      made.set(old)
      return made
    }
    bytes = larger(bytes, new Uint8Array(capacity))
    children = larger(children, new Uint32Array(capacity))
    siblings = larger(siblings, new Uint32Array(capacity))
    const old = tokens
    tokens = new Int32Array(capacity).fill(-1)
    tokens.set(old)
  }

  const childOf = (node: number, byte: number): number => {
    for (let child = children[node] as number; child !== 0; child = siblings[child] as number) {
      if (bytes[child] === byte) return child
    }
    return makeChild(node, byte)
  }

  const makeChild = (node: number, byte: number): number => {
    if (count === capacity) grow()
    const made = count++
    bytes[made] = byte
    siblings[made] = children[node] as number
    children[node] = made
    return made
  }

  return {
    add(id: number, spelling: Uint8Array): void {
      let node = 0
      for (let at = 0; at < spelling.length; at++) {
        const byte = spelling[at] as number
        if (at > 1) {
          node = childOf(node, byte)
          continue
        }
        const place = at === 0 ? byte : 256 + 256 * (spelling[0] as number) + byte
        const child = first[place] || makeChild(node, byte)
        first[place] = child
        node = child
      }
      sameAs[id] = tokens[node] as number
      tokens[node] = id
    },
    /** The nodes in the order in which a walk meets them. */
    async flatten(rest: () => Promise<void>) {
      const flat = {
        bytes: new Uint8Array(count),
        depths: new Uint16Array(count),
        ends: new Uint32Array(count),
        tokens: new Int32Array(count),
        sameAs,
        longest: 0,
      }
      const stack: { node: number; place: number }[] = []
      let place = 0
      let depth = 0
      const enter = (node: number): void => {
        flat.bytes[place] = bytes[node] as number
        flat.tokens[place] = tokens[node] as number
        flat.depths[place] = depth
        flat.longest = Math.max(flat.longest, depth++)
        stack.push({ node: children[node] as number, place: place++ })
      }
      enter(0)
      for (let top = stack[stack.length - 1]; top; top = stack[stack.length - 1]) {
        if (top.node === 0) {
          flat.ends[top.place] = place
          stack.pop()
          depth--
          continue
        }
        const { node } = top
        top.node = siblings[node] as number
        enter(node)
        if (place % 4096 === 0) await rest()
      }
      return flat
    },
  }
}

/** The bytes that UTF-8 has, control characters that JSON writes by escapes aside. */
const textBytes = Array.from({ length: 256 }, (_, byte) => byte).filter(
  (byte) => byte === 9 || byte === 10 || byte === 13 || (byte >= 32 && byte < 0xc0) || (byte > 0xc1 && byte < 0xf5),
)

/** The bytes that are tokens. */
const singleBytes = ({
  bytes,
  depths,
  tokens,
}: Pick<Vocabulary, 'bytes' | 'depths' | 'tokens'>): ReadonlySet<number> => {
  const single = new Set<number>()
  for (let node = 1; node < bytes.length; node++) {
    if (depths[node] === 1 && (tokens[node] as number) >= 0) single.add(bytes[node] as number)
  }
  return single
}

const checkCharacters = (single: ReadonlySet<number>): void => {
  const missing = Array.from({ length: 95 }, (_, i) => 32 + i).filter((byte) => !single.has(byte))
  if (missing.length === 0) return
  throw new AwqError(
    'UNSUPPORTED',
    `The vocabulary has no tokens for ${String.fromCharCode(...missing.slice(0, 8))}, so it cannot write all JSON; ` +
      'constraints need tokens for every printable ASCII character.',
  )
}
