import { fileURLToPath } from 'node:url'
import { openFolder } from '@awq/tensor/node'
import { loadTokenizer } from '@awq/text'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { loadModel } from '../load-model.ts'
import { createRandom } from '../random.ts'
import type { Constraint } from '../token-constraint.ts'
import { jsonObjectConstraint, jsonSchemaConstraint } from './json-constraint.ts'
import { readVocabulary, type TokenSource } from './vocabulary.ts'

const folder = await openFolder(fileURLToPath(new URL('../../../../examples/models/stories260k', import.meta.url)))
const tokenizer = await loadTokenizer(folder)

const objectOf = (properties: Record<string, unknown>, more: Record<string, unknown> = {}) => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
  ...more,
})
const short = { type: 'string', maxLength: 6 }
const link = {
  type: 'object',
  properties: { v: { type: 'integer' }, next: { anyOf: [{ $ref: '#/$defs/link' }, { type: 'null' }] } },
  required: ['v', 'next'],
  additionalProperties: false,
}

const schemas: Record<string, unknown> = {
  flat: objectOf({
    name: short,
    age: { type: 'integer', minimum: 0, maximum: 120 },
    tags: { type: 'array', items: short, minItems: 1, maxItems: 3 },
    kind: { enum: ['a', 'b"\n', 3, null] },
  }),
  optional: {
    ...objectOf(Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`p${i}`, { type: ['integer', 'null'] }]))),
    required: ['p2'],
    maxProperties: 4,
  },
  others: {
    type: 'object',
    properties: { a: short },
    required: ['a'],
    additionalProperties: { type: 'boolean' },
    maxProperties: 3,
  },
  numbers: {
    type: 'array',
    minItems: 2,
    maxItems: 4,
    items: {
      anyOf: [
        { type: 'number', minimum: -1.5, exclusiveMaximum: 3.25 },
        { type: 'integer', multipleOf: 7, minimum: 10 },
        { type: 'number', maximum: -5 },
      ],
    },
  },
  strings: {
    type: 'array',
    minItems: 1,
    maxItems: 3,
    items: {
      anyOf: [
        { type: 'string', pattern: '^[a-z]{2,5}(-\\d+)?$', maxLength: 9 },
        { type: 'string', pattern: 'x|^y.z$', maxLength: 12 },
        { type: 'string', minLength: 3, maxLength: 5 },
        { type: 'string', format: 'date' },
      ],
    },
  },
  list: { $ref: '#/$defs/link', $defs: { link } },
  branches: {
    oneOf: [
      objectOf({ t: { const: 'a' }, x: { type: 'integer' } }),
      objectOf({ t: { const: 'b' }, y: { type: 'boolean' } }),
      short,
    ],
  },
  merged: {
    allOf: [
      { type: 'object', properties: { a: { type: 'integer', minimum: 3 } }, required: ['a'] },
      { type: 'object', properties: { a: { type: 'integer', maximum: 10 }, b: short }, required: ['b'] },
    ],
  },
  tuple: { type: 'array', prefixItems: [{ type: 'integer' }, short], items: false, minItems: 1 },
  nothing: { type: 'null' },
}

const validators = new Map(Object.entries(schemas).map(([name, schema]) => [name, z.fromJSONSchema(schema as never)]))

/** The ids of a mask. */
const idsOf = (mask: Uint32Array): number[] => {
  const ids: number[] = []
  for (const [word, all] of mask.entries()) {
    for (let bits = all; bits !== 0; bits &= bits - 1) ids.push(32 * word + 31 - Math.clz32(bits & -bits))
  }
  return ids
}

/** A text of random tokens among those that are allowed; undefined when it does not end. */
const randomText = (constraint: Constraint, seed: number): string | undefined => {
  const random = createRandom(seed)
  const state = constraint.start()
  const ids: number[] = []
  while (!state.finished && ids.length < 600) {
    const allowed = idsOf(state.allowed()!)
    expect(allowed).not.toEqual([])
    // What closes something comes more often, so that most texts end.
    const closing = allowed.filter((id) => /["}\]]/.test(tokenizer.decode([id])))
    const among = closing.length > 0 && random.next() < 0.4 ? closing : allowed
    const id = among[Math.floor(random.next() * among.length)]!
    state.accept(id)
    if (!tokenizer.eosIds.includes(id)) ids.push(id)
  }
  return state.finished ? tokenizer.decode(ids) : undefined
}

const byteToken = (code: number) => tokenizer.tokenId(`<0x${code.toString(16).toUpperCase().padStart(2, '0')}>`)!

describe('jsonSchemaConstraint', () => {
  it.each(Object.entries(schemas))('gives texts that are valid: %s', async (name, schema) => {
    const constraint = await jsonSchemaConstraint(schema, tokenizer)
    let ended = 0
    for (let seed = 0; seed < 30; seed++) {
      const written = randomText(constraint, seed)
      if (written === undefined) continue
      ended++
      const value: unknown = JSON.parse(written)
      const { success } = validators.get(name)!.safeParse(value)
      expect(success ? '' : written).toBe('')
    }
    expect(ended).toBeGreaterThan(10)
  })

  it('allows exactly the tokens whose bytes can go on, in every state', async () => {
    const constraint = await jsonSchemaConstraint(schemas.flat, tokenizer)
    const state = constraint.start()
    const written = '{"name": "Tim \\u00e9", "age": 42, "tags": ["x\\ny"], "kind": "b'
    const steps = [...written].map((character) => byteToken(character.charCodeAt(0)))
    for (const [place, step] of steps.entries()) {
      const allowed = new Set(idsOf(state.allowed()!))
      for (let id = 0; id < tokenizer.vocabSize && place % 3 === 0; id++) {
        const probe = constraint.start()
        for (const earlier of steps.slice(0, place)) probe.accept(earlier)
        let fits = true
        try {
          probe.accept(id)
        } catch {
          fits = false
        }
        expect([id, allowed.has(id)]).toEqual([id, fits])
      }
      state.accept(step)
    }
    expect(state.complete).toBe(false)
  })

  it('excludes control tokens, and ends a sequence only where the text may end', async () => {
    const state = (await jsonSchemaConstraint({ type: 'integer' }, tokenizer)).start()
    const [eos] = tokenizer.eosIds
    expect(idsOf(state.allowed()!)).not.toContain(eos)
    state.accept(tokenizer.tokenId('4')!)
    expect(state).toMatchObject({ complete: true, finished: false })
    expect(idsOf(state.allowed()!)).toContain(eos)
    for (const id of tokenizer.specialIds) {
      if (id !== eos) expect(idsOf(state.allowed()!)).not.toContain(id)
    }
    expect(() => state.accept(tokenizer.tokenId('a')!)).toThrow(/not allowed/)
    state.accept(eos!)
    expect(state.finished).toBe(true)
  })

  it('bounds white space', async () => {
    const state = (await jsonObjectConstraint(tokenizer)).start()
    state.accept(byteToken(0x7b))
    state.accept(byteToken(10))
    for (let i = 0; i < 32; i++) state.accept(byteToken(32))
    expect(() => state.accept(byteToken(32))).toThrow(/not allowed/)
    expect(() => state.accept(byteToken(10))).toThrow(/not allowed/)
  })

  it.each<[unknown, RegExp]>([
    [{ type: 'array', uniqueItems: true }, /"#".*"uniqueItems"/],
    [{ properties: { a: { if: {} } } }, /"#\/properties\/a".*"if"/],
    [{ type: 'object', properties: { a: { type: 'text' } } }, /"#\/properties\/a".*"type"/],
    [{ type: 'string', pattern: '(?=a)b' }, /"pattern".*looks around/],
    [{ type: 'string', format: 'shoe-size' }, /"format" "shoe-size"/],
    [{ type: 'number', multipleOf: 0.1 }, /"multipleOf"/],
    [{ $ref: 'http://example.com/x' }, /"\$ref"/],
    [{ $ref: '#/$defs/none' }, /points to nothing/],
    [{ $ref: '#' }, /allows no document/],
    [{ oneOf: [{ type: 'integer' }, { type: 'number' }] }, /"oneOf".*0 and 1/],
    [{ type: 'integer', minimum: 3, maximum: 2 }, /allows no document/],
    [{ type: 'string', pattern: '^a+$', minLength: 2, maxLength: 1 }, /allows no document/],
    [{ type: 'object', properties: { a: { $ref: '#' } }, required: ['a'] }, /without an end/],
    [{ enum: [1, 2], type: 'string' }, /allows no document/],
    [{ not: { type: 'string' } }, /"not"/],
    [{ minLength: -1 }, /"minLength"/],
    ['text', /neither an object/],
    [undefined, /neither an object/],
    [{ type: 'string', description: 'x'.repeat(1_000_001) }, /more than 1000000 characters/],
  ])('refuses %j', async (schema, message) => {
    const refusal = jsonSchemaConstraint(schema, tokenizer)
    await expect(refusal).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(refusal).rejects.toThrow(message)
  })

  it.each<[string, unknown]>([
    [
      'a deep schema',
      Array.from({ length: 2000 }).reduce((inner: unknown) => ({ type: 'array', items: inner }), { type: 'null' }),
    ],
    [
      'deep alternatives',
      Array.from({ length: 200 }).reduce((inner: unknown) => ({ anyOf: [inner] }), { type: 'null' }),
    ],
    [
      'alternatives that multiply',
      { allOf: Array.from({ length: 20 }, (_, i) => ({ anyOf: [{ minimum: i }, { maximum: i }] })) },
    ],
    ['a long string', { type: 'string', maxLength: 1e9 }],
    ['a long list', { type: 'array', items: { type: 'integer' }, minItems: 1e9 }],
    ['nested repetitions', { type: 'string', pattern: '^((a{1,1000}){1,1000}){1,1000}$' }],
    ['a pattern of many ways', { type: 'string', pattern: '^(a|a?)+(a|aa)*(a*)*b$', maxLength: 5000 }],
    [
      'many properties',
      {
        type: 'object',
        properties: Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`p${i}`, { type: 'string' }])),
      },
    ],
    ['many values', { enum: Array.from({ length: 5000 }, (_, i) => `value ${i}`) }],
    [
      'names like those of prototypes',
      JSON.parse(
        '{"type":"object","properties":{"__proto__":{"type":"null"},"constructor":{"type":"null"}},"required":["__proto__","toString"]}',
      ),
    ],
  ])('survives %s', async (_, schema) => {
    const started = performance.now()
    const constraint = await jsonSchemaConstraint(schema, tokenizer).catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' })
    })
    const state = constraint?.start()
    for (let i = 0; state && i < 20 && !state.finished; i++) state.accept(idsOf(state.allowed()!)[0]!)
    // Generous: what is to be seen is that nothing grows without bound.
    expect(performance.now() - started).toBeLessThan(20_000)
  })

  it('keeps what it made of a schema, and can be aborted', async () => {
    await expect(jsonSchemaConstraint(true, tokenizer, { signal: AbortSignal.abort('no') })).rejects.toBe('no')
    const controller = new AbortController()
    const properties = Object.fromEntries(
      Array.from({ length: 1500 }, (_, i) => [`p${i}`, { type: 'string', maxLength: i, pattern: '^[a-z]+$' }]),
    )
    const slow = jsonSchemaConstraint({ type: 'object', properties }, tokenizer, { signal: controller.signal })
    setTimeout(() => controller.abort('enough'), 5)
    await expect(slow).rejects.toBe('enough')
  })

  it('refuses a vocabulary that cannot write JSON', async () => {
    const letters: TokenSource = {
      vocabSize: 1,
      tokenBytes: () => Uint8Array.of(97),
      specialIds: new Set(),
      eosIds: [],
    }
    await expect(readVocabulary(letters)).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  })
})

describe('a model that writes JSON', () => {
  it('writes 200 valid documents, with and without drafts', async () => {
    await using model = await loadModel(folder)
    const names = Object.keys(schemas)
    let ended = 0
    for (let seed = 0; seed < 200; seed++) {
      const name = names[seed % names.length]!
      const constraint = await jsonSchemaConstraint(schemas[name], model.tokenizer)
      const options = { constraint, temperature: 1.5, seed, maxNewTokens: 120, promptLookup: seed % 3 === 0 }
      const { text, finishReason } = await model.generate({ prompt: 'Once' }, options).result
      if (finishReason === 'length') continue
      ended++
      expect(finishReason).toBe('eos')
      expect(validators.get(name)!.safeParse(JSON.parse(text)).success ? '' : text).toBe('')
    }
    expect(ended).toBeGreaterThan(150)
  })
})
