/**
 * Languages of bytes as expressions that are taken apart byte by byte (derivatives: Brzozowski, "Derivatives of regular
 * expressions", JACM 11, 1964). Rules may call each other, so JSON's nesting is an expression like any other: what is
 * still to come, the inner things first, is a sequence. Equal expressions are one object, as long as the table of them
 * lasts; that a copy may come after it was emptied costs time and nothing else.
 * @module
 */
import { type ByteSet, hasByte } from './byte-set.ts'

interface Common {
  /** Creation number, for keys. */
  readonly id: number
  /** The empty text is one of the language. */
  readonly nullable: boolean
  /** What follows each byte, where that is asked for often. */
  next?: (Expression | undefined)[]
  epoch?: number
  /** Symbols of the shortest text, where that was asked for (`leastLength`). */
  shortest?: number
}

/** A language of bytes. */
export type Expression = Common &
  (
    | { readonly kind: 'none' | 'end' }
    | { readonly kind: 'bytes'; readonly set: ByteSet }
    | { readonly kind: 'text'; readonly symbol: number; readonly rest: Expression }
    | { readonly kind: 'sequence'; readonly head: Expression; readonly tail: Expression }
    | { readonly kind: 'choice'; readonly members: readonly Expression[] }
    | { readonly kind: 'repeat'; readonly of: Expression; readonly least: number; readonly most: number }
    | { readonly kind: 'both'; readonly a: Expression; readonly b: Expression }
    | { readonly kind: 'unit'; readonly of: Expression }
    | { readonly kind: 'residue'; readonly divisor: number; readonly remainder: number }
    | { readonly kind: 'rule'; readonly expand: () => Expression }
  )

type Of<Kind extends Expression['kind']> = Extract<Expression, { kind: Kind }>

let created = 0
const known = new Map<string, Expression>()
const mostKnown = 50_000

const intern = (key: string, make: (id: number) => Expression): Expression => {
  const found = known.get(key)
  if (found) return found
  if (known.size >= mostKnown) known.clear()
  const made = make(created++)
  known.set(key, made)
  return made
}

/** No text at all: where a derivative comes to this, the bytes so far begin no text of the language. */
export const none: Expression = { kind: 'none', id: created++, nullable: false }

/** The empty text, and only that. */
export const end: Expression = { kind: 'end', id: created++, nullable: true }

/** One byte of a set. */
export const bytes = (set: ByteSet): Expression =>
  set.every((word) => word === 0)
    ? none
    : intern(`b${set.join()}`, (id) => ({ kind: 'bytes', id, nullable: false, set }))

/** A symbol and what follows: a byte, or from 256 on a control token (256 + its id), which no set of bytes contains. */
const textNode = (symbol: number, rest: Expression): Expression =>
  rest === none ? none : intern(`t${symbol},${rest.id}`, (id) => ({ kind: 'text', id, nullable: false, symbol, rest }))

const utf8 = new TextEncoder()

/** A text as it stands. */
export const text = (characters: string): Expression =>
  utf8.encode(characters).reduceRight((rest: Expression, byte) => textNode(byte, rest), end)

/** A control token. */
export const controlToken = (id: number): Expression => textNode(256 + id, end)

/** One after another. */
export const sequence = (...parts: readonly Expression[]): Expression =>
  parts.reduceRight((tail, head) => join(head, tail), end)

const join = (head: Expression, tail: Expression): Expression => {
  if (head === none || tail === none) return none
  if (head === end) return tail
  if (tail === end) return head
  if (head.kind === 'sequence') return join(head.head, join(head.tail, tail))
  return intern(`s${head.id},${tail.id}`, (id) => ({
    kind: 'sequence',
    id,
    nullable: head.nullable && tail.nullable,
    head,
    tail,
  }))
}

/** Ways that are followed at once; beyond so many the last ones are given up, which makes the language smaller. */
const mostMembers = 512

/** One of several. */
export const choice = (...options: readonly Expression[]): Expression => {
  if (options.length === 1) return options[0] as Expression
  const members = new Set<Expression>()
  const add = (option: Expression): void => {
    if (option.kind === 'choice') for (const member of option.members) members.add(member)
    else if (option !== none) members.add(option)
  }
  for (const option of options) add(option)
  const factored = members.size > 1 ? factor([...members]) : [...members]
  if (factored.length < 2) return factored[0] ?? none
  const sorted = factored.sort((a, b) => a.id - b.id).slice(0, mostMembers)
  return intern(`c${sorted.map(({ id }) => id).join()}`, (id) => ({
    kind: 'choice',
    id,
    nullable: sorted.some(({ nullable }) => nullable),
    members: sorted,
  }))
}

/** Members that begin with the same thing become one: it, and then a choice. So ways that meet again are followed once. */
const factor = (members: readonly Expression[]): Expression[] => {
  const groups = new Map<string, Expression[]>()
  for (const member of members) {
    let key = `${member.id}`
    if (member.kind === 'sequence') key = `${member.head.id}`
    else if (member.kind === 'text') key = `t${member.symbol}`
    const group = groups.get(key)
    if (group) group.push(member)
    else groups.set(key, [member])
  }
  return [...groups.values()].map((group) => {
    const first = group[0] as Expression
    if (group.length === 1) return first
    if (first.kind === 'text' && group.every(({ kind }) => kind === 'text')) {
      return textNode(first.symbol, choice(...group.map((member) => (member as Of<'text'>).rest)))
    }
    const head = first.kind === 'sequence' ? first.head : first
    return join(head, choice(...group.map((member) => (member === head ? end : (member as Of<'sequence'>).tail))))
  })
}

/** So many times, `most` may be Infinity. */
export const repeat = (of: Expression, least: number, most: number): Expression => {
  if (most <= 0 || of === end) return end
  if (of === none) return least === 0 ? end : none
  const fewest = of.nullable ? 0 : least
  if (fewest === 1 && most === 1) return of
  return intern(`r${of.id},${fewest},${most}`, (id) => ({
    kind: 'repeat',
    id,
    nullable: fewest === 0,
    of,
    least: fewest,
    most,
  }))
}

/** What is in both languages. Never a language without texts, unless finding that out takes too long. */
export const both = (a: Expression, b: Expression): Expression => {
  if (a === none || b === none) return none
  if (a === b) return a
  if (a === end || b === end) return a.nullable && b.nullable ? end : none
  const [low, high] = a.id < b.id ? [a, b] : [b, a]
  const made = intern(`&${low.id},${high.id}`, (id) => ({
    kind: 'both',
    id,
    nullable: low.nullable && high.nullable,
    a: low,
    b: high,
  }))
  return isAlive(made) ? made : none
}

/** A thing that is taken as a whole: masks are found for it alone, whatever follows it. */
export const unit = (of: Expression): Expression =>
  of === none || of === end || of.kind === 'unit' || of.kind === 'text'
    ? of
    : intern(`u${of.id}`, (id) => ({ kind: 'unit', id, nullable: of.nullable, of }))

/** Decimal digits of a number that leaves 0 by `divisor`, after digits that left `remainder`. */
export const residue = (divisor: number, remainder = 0): Expression =>
  intern(`%${divisor},${remainder}`, (id) => ({
    kind: 'residue',
    id,
    nullable: remainder === 0,
    divisor,
    remainder,
  }))

/** An expression that is made when it is needed, once; it must have texts, and not the empty one. */
export const rule = (make: () => Expression): Expression => {
  let made: Expression | undefined
  return {
    kind: 'rule',
    id: created++,
    nullable: false,
    expand() {
      made ??= make()
      return made
    },
  }
}

let epoch = 0
let tables = 0
/** Tables take 2 KiB; when there are so many, they are made anew where they are needed. */
const mostTables = 20_000

/** What may follow a byte (or a control token): the texts of the language that begin with it, without it. */
export const derive = (from: Expression, symbol: number): Expression => {
  switch (from.kind) {
    case 'none':
    case 'end':
      return none
    case 'bytes':
      return symbol < 256 && hasByte(from.set, symbol) ? end : none
    case 'text':
      return from.symbol === symbol ? from.rest : none
    case 'sequence': {
      const through = join(derive(from.head, symbol), from.tail)
      return from.head.nullable ? choice(through, derive(from.tail, symbol)) : through
    }
    case 'choice':
      return choice(...from.members.map((member) => derive(member, symbol)))
    case 'residue': {
      const digit = symbol - 48
      return digit < 0 || digit > 9 ? none : residue(from.divisor, (10 * from.remainder + digit) % from.divisor)
    }
    case 'rule':
      return remembered(from, symbol, () => derive(from.expand(), symbol))
    case 'unit':
      return remembered(from, symbol, () => unit(derive(from.of, symbol)))
    case 'both':
      return remembered(from, symbol, () => both(derive(from.a, symbol), derive(from.b, symbol)))
    case 'repeat':
      return remembered(from, symbol, () =>
        join(derive(from.of, symbol), repeat(from.of, Math.max(0, from.least - 1), from.most - 1)),
      )
  }
}

const remembered = (from: Expression, symbol: number, make: () => Expression): Expression => {
  // What a search meets on its way may have no texts, and is not to be met again.
  if (symbol >= 256 || (searching && (from.kind === 'both' || from.kind === 'unit'))) return make()
  if (from.next === undefined || from.epoch !== epoch) {
    if (++tables > mostTables) {
      tables = 0
      epoch++
    }
    from.next = new Array(256)
    from.epoch = epoch
  }
  const { next } = from
  let found = next[symbol]
  if (found === undefined) {
    found = make()
    next[symbol] = found
  }
  return found
}

/** Whether the language has a text at all: found by trying, for expressions of `both`; true when that takes too long. */
const alive = new WeakMap<Expression, boolean>()
const mostTries = 20_000
let searching = false

const isAlive = (start: Expression): boolean => {
  // While a search runs, its own derivatives are taken as they come.
  if (searching || start.nullable || start.kind !== 'both') return true
  const found = alive.get(start)
  if (found !== undefined) return found
  searching = true
  try {
    const result = search(start)
    alive.set(start, result)
    return result
  } finally {
    searching = false
  }
}

/** Searches for the shortest text; what lies on the way to one is alive, and where there is none nothing of it is. */
const search = (start: Expression): boolean => {
  const before = new Map<Expression, Expression | undefined>([[start, undefined]])
  const open = [start]
  let tries = 0
  for (let at = 0; at < open.length; at++) {
    const from = open[at] as Expression
    if (from.nullable || from.kind !== 'both' || alive.get(from) === true) {
      for (let on: Expression | undefined = from; on; on = before.get(on)) alive.set(on, true)
      return true
    }
    let [lastA, lastB]: Expression[] = []
    for (let byte = 0; byte < 256; byte++) {
      const a = derive(from.a, byte)
      if (a === none) continue
      const b = derive(from.b, byte)
      // Neighbours mostly lead to the same.
      if (b === none || (a === lastA && b === lastB)) continue
      lastA = a
      lastB = b
      if (++tries > mostTries) return true
      const to = both(a, b)
      if (to === none || before.has(to)) continue
      before.set(to, from)
      open.push(to)
    }
  }
  for (const dead of open) alive.set(dead, false)
  return false
}
