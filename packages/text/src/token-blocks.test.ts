import { memorySource } from '@awq/tensor'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bundledText } from './bundled-text.ts'
import { fixture, tokenizerFolder } from './fixtures/load.ts'
import { shuffled } from './random.ts'
import { readTexts } from './read-texts.ts'
import { piecesOf, tokenBlocks } from './token-blocks.ts'
import { loadTokenizer } from './tokenizer.ts'
import type { TextDocument } from './types.ts'

const tokenizer = await loadTokenizer(tokenizerFolder('stories260k'))
const story = 'Once upon a time there was a dog. It liked to run in the park and play.\n'

describe('tokenBlocks', () => {
  it('cuts a text as the peers do: tokenised once without special tokens, first blocks taken', async () => {
    const text = story.repeat(40)
    const ids = tokenizer.encode(text)
    const { blocks, length, tokens } = await tokenBlocks([text], tokenizer, { samples: 5, length: 16 })
    expect(length).toBe(16)
    expect(tokens).toBe(80)
    expect(blocks.flatMap((block) => [...block])).toEqual(ids.slice(0, 80))
  })

  it('joins documents in order, and stops reading when it has enough', async () => {
    const documents = Array.from({ length: 9 }, (_, i) => `${i}: ${story}`)
    let read = 0
    const texts = (function* () {
      for (const document of documents) {
        read++
        yield document
      }
    })()
    const { blocks } = await tokenBlocks(texts, tokenizer, { samples: 3, length: 20 })
    const joined = documents.flatMap((document) => tokenizer.encode(document))
    expect(blocks.flatMap((block) => [...block])).toEqual(joined.slice(0, 60))
    const needed = documents.findIndex(
      (_, i) => documents.slice(0, i + 1).flatMap((d) => tokenizer.encode(d)).length >= 60,
    )
    expect(read).toBe(needed + 1)
    expect(read).toBeLessThan(9)
  })

  it('does not tokenise the rest of a long text, and can be stopped within it', async () => {
    const text = story.repeat(60_000)
    let encoded = 0
    const counting = {
      ...tokenizer,
      encode: (piece: string) => {
        encoded += piece.length
        return Array.from(piece, () => 7)
      },
    }
    await tokenBlocks([text], counting, { samples: 2, length: 16 })
    expect(encoded).toBeLessThan(70_000)
    const controller = new AbortController()
    setTimeout(() => controller.abort(new Error('stop here')), 0)
    const wanted = { samples: 2 ** 20, length: 512, signal: controller.signal }
    await expect(tokenBlocks([text], counting, wanted)).rejects.toThrow('stop here')
    expect(encoded).toBeLessThan(text.length / 2)
  })

  it('has the tokens of the whole text where a long one is cut', async () => {
    const bytes = await loadTokenizer(tokenizerFolder('digits-bytes'))
    const text = 'The 1st line, of many.\n\n  Indented – ünïcödé 😀\nlast\n'.repeat(4000)
    const pieces = [...piecesOf(text, 0)]
    expect(pieces.length).toBeGreaterThan(2)
    expect(pieces.join('')).toBe(text)
    expect(pieces.flatMap((piece) => bytes.encode(piece))).toEqual(bytes.encode(text))
  })

  it.each([
    ['spaces', ' '],
    ['line ends', '\n'],
    ['one word', 'a'],
    ['pairs of surrogates', '😀'],
    ['one shifted', '😀', 'a'],
  ])('cuts %s into pieces that end', (_, unit, first = '') => {
    const text = first + unit.repeat(200_000)
    const pieces = [...piecesOf(text, 0)]
    expect(pieces.join('')).toBe(text)
    for (const piece of pieces) expect([piece.length <= 2 ** 16, /\p{Cs}/u.test(piece)]).toEqual([true, false])
  })

  it('clamps to the context and says so', async () => {
    const warnings: string[] = []
    const options = { samples: 2, length: 64, contextLength: 32, onWarning: (line: string) => warnings.push(line) }
    const { blocks, length } = await tokenBlocks([story.repeat(9)], tokenizer, options)
    expect([length, blocks.length, blocks[0]?.length]).toEqual([32, 2, 32])
    expect(warnings).toEqual(["blocks of 64 tokens are longer than the model's context; using 32"])
  })

  it('uses less text than asked for, with a warning', async () => {
    const warnings: string[] = []
    const { blocks } = await tokenBlocks([story.repeat(3)], tokenizer, {
      length: 20,
      onWarning: (line) => warnings.push(line),
    })
    expect(blocks.length).toBe(Math.floor(tokenizer.encode(story.repeat(3)).length / 20))
    expect(warnings[0]).toMatch(new RegExp(`only ${blocks.length} blocks of 20 tokens .* not 128`))
  })

  it('refuses less than one block, with the count', async () => {
    const count = tokenizer.encode(story).length
    await expect(tokenBlocks([story], tokenizer)).rejects.toThrow(
      `the text has ${count} tokens, less than one block of 512`,
    )
  })

  it.each([
    { samples: 0 },
    { samples: 1.5 },
    { length: -1 },
    { length: Number.NaN },
    { contextLength: 0 },
    { seed: -1 },
    { seed: 0.5 },
  ])('refuses %o', async (options) => {
    await expect(tokenBlocks([story], tokenizer, options)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  it('draws blocks by seed: the same ones for the same seed, others for another, all of them from the text', async () => {
    const text = Array.from({ length: 900 }, (_, i) => (i * 7919) % 997).join(' ')
    const keys = async (seed?: number) => {
      const { blocks } = await tokenBlocks([text], tokenizer, {
        samples: 6,
        length: 12,
        ...(seed === undefined ? {} : { seed }),
      })
      return blocks.map((block) => block.join())
    }
    const ids = tokenizer.encode(text)
    const all = Array.from({ length: 96 }, (_, i) => ids.slice(i * 12, i * 12 + 12).join())
    const [first, drawn, again, other] = [await keys(), await keys(7), await keys(7), await keys(8)]
    expect(first).toEqual(all.slice(0, 6))
    expect(drawn).toEqual(again)
    expect(drawn).not.toEqual(other)
    expect(drawn).not.toEqual(first)
    expect(new Set(drawn).size).toBe(6)
    for (const block of drawn) expect(all).toContain(block)
  })

  it('stops when aborted, with the reason', async () => {
    const controller = new AbortController()
    const texts = (function* () {
      for (;;) {
        yield 'a'
        controller.abort(new Error('enough'))
      }
    })()
    await expect(tokenBlocks(texts, tokenizer, { signal: controller.signal })).rejects.toThrow('enough')
  })

  it('renders conversations by the chat template, or as plain text with a warning', async () => {
    const chat: TextDocument = [
      { role: 'user', content: 'Hello dog' },
      { role: 'assistant', content: [{ type: 'text', text: 'Hello' }] },
    ]
    const warnings: string[] = []
    const plain = await tokenBlocks([chat, chat], tokenizer, {
      samples: 1,
      length: 4,
      onWarning: (line) => warnings.push(line),
    })
    expect(warnings).toHaveLength(1)
    expect([...(plain.blocks[0] ?? [])]).toEqual(tokenizer.encode('Hello dog\nHello\n').slice(0, 4))

    const chatting = { ...tokenizer, chatTemplate: 'x', applyChatTemplate: () => '<s>rendered</s>' }
    const rendered = await tokenBlocks([chat], chatting, { samples: 1, length: 3 })
    expect([...(rendered.blocks[0] ?? [])]).toEqual(tokenizer.encode('<s>rendered</s>').slice(0, 3))
  })

  it('takes JSONL through the chat template', async () => {
    const line = JSON.stringify({ messages: [{ role: 'user', content: 'Hello' }] })
    const source = memorySource(new TextEncoder().encode(`${line}\n${line}\n`), 'chat.jsonl')
    const chatting = { ...tokenizer, chatTemplate: 'x', applyChatTemplate: () => story }
    const { blocks } = await tokenBlocks(readTexts(source), chatting, { samples: 1, length: 30 })
    expect(blocks[0]).toEqual(Int32Array.from(tokenizer.encode(story).concat(tokenizer.encode(story)).slice(0, 30)))
  })
})

describe('shuffled', () => {
  it('is a permutation that depends on the seed only', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), fc.nat(), (items, seed) => {
        const result = shuffled(items, seed)
        expect([...result].sort()).toEqual([...items].sort())
        expect(shuffled(items, seed)).toEqual(result)
      }),
    )
  })

  it('gives these numbers for good (quantizations with a seed must stay reproducible)', () => {
    expect(shuffled([0, 1, 2, 3, 4, 5, 6, 7], 42)).toMatchInlineSnapshot(`
      [
        2,
        7,
        1,
        0,
        6,
        5,
        3,
        4,
      ]
    `)
  })

  it('puts every item everywhere about equally often', () => {
    const counts = Array.from({ length: 4 }, () => [0, 0, 0, 0])
    for (let seed = 0; seed < 4000; seed++) {
      for (const [place, item] of shuffled([0, 1, 2, 3], seed).entries())
        (counts[place] as number[])[item] = (counts[place]?.[item] ?? 0) + 1
    }
    for (const count of counts.flat()) expect(Math.abs(count - 1000)).toBeLessThan(120)
  })
})

describe('bundledText', () => {
  it('is enough for 128 blocks of 512 tokens of a large vocabulary, and is clean text', async () => {
    const text = await bundledText()
    expect(text.length).toBeGreaterThan(280_000)
    expect(text).not.toMatch(/\0|\ufffd/)
    expect(text).toContain('Once upon a time')
    const { blocks } = await tokenBlocks([text], tokenizer)
    expect(blocks.length).toBe(128)
  })

  it('comes with its licence', async () => {
    expect(fixture('../bundled-text-data.ts')).toMatch(/^\/\*!\n[^*]*MIT License/)
    expect(fixture('../bundled-text-data.LICENSE')).toContain('Copyright (c) 2025 Turboderp')
  })
})
