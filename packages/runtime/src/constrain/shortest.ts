/**
 * The shortest texts of languages: lengths by the least fixed point over the parts of an expression (Knuth, "A generalization
 * of Dijkstra's algorithm", 1977, solved here by iteration), texts by following the parts that these lengths come from.
 * @module
 */
import { derive, type Expression, none } from './expression.ts'

/** Expressions that are looked at for one length; what lies further counts as endless. */
const mostVisited = 50_000
/** Derivatives that a search may take. */
const mostTries = 5_000

/** The parts that a length follows from. */
const partsOf = (of: Expression): readonly Expression[] => {
  switch (of.kind) {
    case 'text':
      return [of.rest]
    case 'sequence':
      return [of.head, of.tail]
    case 'choice':
      return of.members
    case 'repeat':
      return of.least > 0 ? [of.of] : []
    case 'unit':
      return [of.of]
    case 'rule':
      return [of.expand()]
    default:
      return []
  }
}

const lengthOf = (of: Expression): number => {
  const known = (part: Expression): number => part.shortest ?? Number.POSITIVE_INFINITY
  switch (of.kind) {
    case 'none':
      return Number.POSITIVE_INFINITY
    case 'end':
      return 0
    case 'bytes':
      return 1
    case 'text':
      return 1 + known(of.rest)
    case 'sequence':
      return known(of.head) + known(of.tail)
    case 'choice':
      return of.members.reduce((least, member) => Math.min(least, known(member)), Number.POSITIVE_INFINITY)
    case 'repeat':
      return of.least === 0 ? 0 : of.least * known(of.of)
    case 'unit':
      return known(of.of)
    case 'rule':
      return known(of.expand())
    case 'both':
    case 'residue':
      return found(of)?.length ?? Number.POSITIVE_INFINITY
  }
}

/**
 * Symbols (bytes, control tokens) of the shortest text of a language. Infinity where there is none, or none is found with
 * reasonable effort; never too small.
 */
export const leastLength = (of: Expression): number => {
  if (of.shortest !== undefined) return of.shortest
  const visited = new Set([of])
  for (const part of visited) {
    for (const next of partsOf(part)) if (next.shortest === undefined && visited.size < mostVisited) visited.add(next)
  }
  // What was met last is mostly inside of what was met first.
  const order = [...visited].reverse()
  for (let changed = true; changed; ) {
    changed = false
    for (const part of order) {
      const length = lengthOf(part)
      if (length === (part.shortest ?? Number.POSITIVE_INFINITY)) continue
      part.shortest = length
      changed = true
    }
  }
  for (const part of order) part.shortest ??= Number.POSITIVE_INFINITY
  return of.shortest ?? Number.POSITIVE_INFINITY
}

/**
 * A shortest text of a language as symbols: bytes, and from 256 on control tokens. Undefined where none of up to `most` is
 * known.
 */
export const shortestText = (of: Expression, most: number): readonly number[] | undefined => {
  if (leastLength(of) > most) return undefined
  const symbols: number[] = []
  const open = [of]
  // Lengths of parts that were met too late may be missing: then this does not go on for ever.
  for (let steps = 0; steps < 100 * (most + 10); steps++) {
    const part = open.pop()
    if (part === undefined) return symbols
    switch (part.kind) {
      case 'none':
        return undefined
      case 'end':
        break
      case 'bytes':
        symbols.push(firstByte(part.set))
        break
      case 'text':
        symbols.push(part.symbol)
        open.push(part.rest)
        break
      case 'sequence':
        open.push(part.tail, part.head)
        break
      case 'choice':
        open.push(part.members.reduce((best, member) => (leastLength(member) < leastLength(best) ? member : best)))
        break
      case 'repeat':
        for (let i = 0; i < part.least; i++) open.push(part.of)
        break
      case 'unit':
        open.push(part.of)
        break
      case 'rule':
        open.push(part.expand())
        break
      case 'both':
      case 'residue': {
        const text = found(part)
        if (text === undefined) return undefined
        symbols.push(...text)
      }
    }
  }
  return undefined
}

const firstByte = (set: Uint32Array): number => {
  const word = set.findIndex((bits) => bits !== 0)
  const bits = set[word] as number
  return 32 * word + 31 - Math.clz32(bits & -bits)
}

const texts = new WeakMap<Expression, readonly number[] | null>()

/** The shortest text by trying all bytes, where lengths do not follow from parts. */
const found = (start: Expression): readonly number[] | undefined => {
  let text = texts.get(start)
  if (text === undefined) {
    text = search(start) ?? null
    texts.set(start, text)
  }
  return text ?? undefined
}

const search = (start: Expression): readonly number[] | undefined => {
  const ways = new Map<Expression, { readonly from: Expression; readonly byte: number } | undefined>([
    [start, undefined],
  ])
  let tries = 0
  for (const from of ways.keys()) {
    if (from.nullable) {
      const text: number[] = []
      for (let way = ways.get(from); way; way = ways.get(way.from)) text.unshift(way.byte)
      return text
    }
    let last: Expression = none
    for (let byte = 0; byte < 256; byte++) {
      const to = derive(from, byte)
      // Neighbours mostly lead to the same.
      if (to === none || to === last) continue
      last = to
      if (++tries > mostTries) return undefined
      if (!ways.has(to)) ways.set(to, { from, byte })
    }
  }
  return undefined
}
