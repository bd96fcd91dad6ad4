import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decoderFactory } from './decoder.ts'
import { tokenizerFolder } from './fixtures/load.ts'
import { loadTokenizer } from './tokenizer.ts'

const families = ['digits-bytes', 'split-bytes', 'metaspace', 'metaspace-split', 'replace-space', 'stories260k']

describe.each(families)('streaming decoder of %s', async (family) => {
  const tokenizer = await loadTokenizer(tokenizerFolder(family))
  const anyIds = fc.array(fc.integer({ min: 0, max: tokenizer.vocabSize + 3 }), { maxLength: 60 })

  it('gives in pieces what decode gives at once, for any ids', () => {
    fc.assert(
      fc.property(anyIds, fc.boolean(), fc.boolean(), (ids, skipSpecialTokens, continuation) => {
        const decoder = tokenizer.createDecoder({ skipSpecialTokens, continuation })
        const streamed = ids.map((id) => decoder.push(id)).join('') + decoder.flush()
        expect(streamed).toBe(tokenizer.decode(ids, { skipSpecialTokens, continuation }))
      }),
    )
  })

  it('has the bytes of every token that continues a text', () => {
    fc.assert(
      fc.property(anyIds, (ids) => {
        const bytes = ids.flatMap((id) => [...(tokenizer.tokenBytes(id) ?? [])])
        const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes))
        expect(text).toBe(tokenizer.decode(ids, { continuation: true }))
      }),
    )
  })

  it('shows control tokens that are asked for, and no others', () => {
    const [first, second] = [...tokenizer.specialIds]
    if (first === undefined || second === undefined) return
    const decoder = tokenizer.createDecoder({ visibleTokens: new Set([first]) })
    expect(decoder.push(first) + decoder.push(second) + decoder.flush()).toBe(tokenizer.decode([first]))
  })

  it('never emits half a character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 30 }), (text) => {
        const decoder = tokenizer.createDecoder({ skipSpecialTokens: false })
        const pieces = tokenizer.encode(text).map((id) => decoder.push(id))
        if (!text.includes('\ufffd') && !pieces.join('').includes('<unk>')) {
          expect(pieces.join('')).not.toContain('\ufffd')
          expect(decoder.flush()).toBe('')
        }
      }),
    )
  })

  it('reproduces text (round trip)', () => {
    for (const text of ['Once upon a time', 'naïve 👩‍👩‍👧‍👦 你好', '\ufeffmark', 'a\n\n b']) {
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text)
    }
  })
})

describe('leading space of SentencePiece', async () => {
  const tokenizer = await loadTokenizer(tokenizerFolder('stories260k'))
  const ids = tokenizer.encode('Once upon')

  it('is dropped at the start of a text and kept in a continuation', () => {
    expect(tokenizer.decode(ids)).toBe('Once upon')
    expect(tokenizer.decode(ids, { continuation: true })).toBe(' Once upon')
    expect(tokenizer.decode([1, ...ids], { skipSpecialTokens: true })).toBe('Once upon')
    expect(tokenizer.decode([1, ...ids])).toBe('<s> Once upon')
  })
})

describe('bytes', () => {
  const vocabulary = {
    token: (id: number) => `<0x${id.toString(16).padStart(2, '0')}>`,
    isAdded: () => false,
    specialIds: new Set<number>(),
  }
  const decoder = decoderFactory({ type: 'ByteFallback' }, vocabulary).createDecoder()

  it('wait for the end of a character, and an unfinished one becomes U+FFFD', () => {
    expect([0xf0, 0x9f, 0x91, 0x8b].map((byte) => decoder.push(byte))).toEqual(['', '', '', '👋'])
    expect([0xe2, 0x82, 0x41].map((byte) => decoder.push(byte)).join('')).toBe('\ufffdA')
    expect(decoder.push(0xc3)).toBe('')
    expect(decoder.flush()).toBe('\ufffd')
  })
})

it('refuses decoders that need more than one token at a time', () => {
  const { createDecoder } = decoderFactory(
    { type: 'WordPiece' },
    { token: () => '', isAdded: () => false, specialIds: new Set() },
  )
  expect(() => createDecoder()).toThrow(/WordPiece/)
})
