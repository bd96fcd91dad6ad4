import { fileURLToPath } from 'node:url'
import { openFolder } from '@awq/tensor/node'
import { loadTokenizer } from '@awq/text'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { loadModel } from '../load-model.ts'
import { createRandom } from '../random.ts'
import { createClosings } from './closing.ts'
import { both, bytes, choice, derive, type Expression, end, none, repeat, rule, sequence, text } from './expression.ts'
import { jsonSchemaConstraint } from './json-constraint.ts'
import { stringOf } from './json-text.ts'
import { pattern } from './pattern.ts'
import { leastLength, shortestText } from './shortest.ts'
import { readVocabulary } from './vocabulary.ts'

const folder = await openFolder(fileURLToPath(new URL('../../../../examples/models/stories260k', import.meta.url)))
const tokenizer = await loadTokenizer(folder)
const decoder = new TextDecoder()

/** The length of the shortest text by trying all of them, up to `most`. */
const byTrying = (of: Expression, most: number): number => {
  let states = new Set([of])
  for (let length = 0; length <= most; length++) {
    if ([...states].some(({ nullable }) => nullable)) return length
    const next = new Set<Expression>()
    for (const state of states) for (let byte = 97; byte < 101; byte++) next.add(derive(state, byte))
    next.delete(none)
    states = next
  }
  return Number.POSITIVE_INFINITY
}

const letters = (from: string, to: string): Expression => {
  const set = new Uint32Array(8)
  for (let byte = from.charCodeAt(0); byte <= to.charCodeAt(0); byte++) set[byte >> 5]! |= 1 << (byte & 31)
  return bytes(set)
}

describe('the shortest text of a language', () => {
  const { expression } = fc.letrec<{ expression: Expression }>((tie) => ({
    expression: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(text('a'), text('bcd'), text('abab'), letters('a', 'c'), end),
      fc.tuple(tie('expression'), tie('expression')).map(([a, b]) => sequence(a, b)),
      fc.array(tie('expression'), { minLength: 1, maxLength: 3 }).map((all) => choice(...all)),
      fc.tuple(tie('expression'), fc.nat(3), fc.nat(3)).map(([of, low, more]) => repeat(of, low, low + more)),
      fc.tuple(tie('expression'), tie('expression')).map(([a, b]) => both(a, b)),
    ),
  }))

  it('is as short as the shortest that is found by trying, and one of the language', () => {
    fc.assert(
      fc.property(expression, (of) => {
        const tried = byTrying(of, 12)
        const least = leastLength(of)
        if (tried <= 12 || least <= 12) expect(least).toBe(tried)
        const found = shortestText(of, 12)
        expect(found?.length).toBe(tried <= 12 ? tried : undefined)
        if (found) expect(found.reduce(derive, of).nullable).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  it('is found for rules that contain themselves, and there is none where they never end', () => {
    const list: Expression = rule(() => choice(sequence(text('['), list, list, text(']')), text('xyz')))
    expect(leastLength(list)).toBe(3)
    const opened = derive(list, '['.charCodeAt(0))
    expect(String.fromCharCode(...shortestText(opened, 100)!)).toBe('xyzxyz]')
    const endless: Expression = rule(() => sequence(text('['), endless))
    expect(leastLength(endless)).toBe(Number.POSITIVE_INFINITY)
    expect(shortestText(endless, 100)).toBeUndefined()
  })

  it('is found for patterns that hold at once', () => {
    const inside = both(stringOf(pattern('^[a-m]{3,}$')), stringOf(pattern('z|ab')))
    expect(shortestText(inside, 20)).toHaveLength(5)
  })

  it('is spelled in as few tokens as there are', async () => {
    const closings = createClosings(await readVocabulary(tokenizer))
    const words = closings.tokensOf(text('"once upon a time"'))!
    expect(decoder.decode(Uint8Array.from(words.flatMap((id) => [...tokenizer.tokenBytes(id)!])))).toBe(
      '"once upon a time"',
    )
    expect(words.length).toBeLessThan(14)
    expect(words.length).toBeLessThanOrEqual(tokenizer.encode('"once upon a time"').length)
  })
})

const tree = {
  type: 'object',
  properties: {
    name: { type: 'string', minLength: 2 },
    kind: { enum: ['branch', 'leaf'] },
    children: { type: 'array', items: { $ref: '#' } },
  },
  required: ['name', 'kind', 'children'],
  additionalProperties: false,
}
const treeShape: z.ZodType = z.strictObject({
  name: z.string().min(2),
  kind: z.enum(['branch', 'leaf']),
  children: z.array(z.lazy(() => treeShape)),
})

/** Writes with any of the allowed tokens, as a model that never wants to end would. */
const write = async (schema: unknown, most: number, seed: number): Promise<string> => {
  const state = (await jsonSchemaConstraint(schema, tokenizer)).start()
  const random = createRandom(seed)
  const made: number[] = []
  for (let left = most; left > 0 && !state.finished; left--) {
    const mask = state.allowed()!
    const allowed: number[] = []
    for (let id = 0; id < tokenizer.vocabSize; id++) if ((mask[id >> 5]! >>> (id & 31)) & 1) allowed.push(id)
    const going = allowed.filter((id) => !tokenizer.eosIds.includes(id))
    const id = state.within!((going.length > 0 ? going : allowed)[Math.floor(random.next() * going.length)]!, left)
    expect(allowed).toContain(id)
    state.accept(id)
    if (!tokenizer.eosIds.includes(id)) made.push(...tokenizer.tokenBytes(id)!)
  }
  return decoder.decode(Uint8Array.from(made))
}

describe('a constraint with few tokens left', () => {
  it('comes to the end of a document that contains itself, whatever the model wants', async () => {
    // {"name":"xx","kind":"leaf","children":[]} in the tokens of this vocabulary
    for (const most of [34, 35, 40, 50, 80, 150]) {
      for (let seed = 1; seed <= 8; seed++) treeShape.parse(JSON.parse(await write(tree, most, seed)))
    }
  })

  it('comes to the end of any JSON', async () => {
    for (const most of [1, 2, 3, 5, 8, 20, 60]) {
      for (let seed = 1; seed <= 8; seed++) {
        const value: unknown = JSON.parse(await write({ type: 'object' }, Math.max(most, 2), seed))
        expect(value).toBeTypeOf('object')
      }
    }
  })

  it('writes a beginning where no document is so short', async () => {
    const made = await write(tree, 8, 1)
    expect(made.startsWith('{')).toBe(true)
    expect(() => JSON.parse(made)).toThrow()
  })

  it('ends generations of a model: by its own end, not by their length', async () => {
    await using model = await loadModel(folder)
    const constraint = await jsonSchemaConstraint(tree, model.tokenizer)
    for (const maxNewTokens of [40, 90]) {
      const options = { constraint, maxNewTokens, temperature: 1.2, seed: 3, promptLookup: true }
      const { text, finishReason } = await model.generate({ prompt: 'Once upon a time' }, options).result
      treeShape.parse(JSON.parse(text))
      expect(finishReason).toBe('eos')
    }
  })
})
