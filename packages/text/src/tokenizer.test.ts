import { AwqError, memoryFolder } from '@awq/tensor'
import { describe, expect, it } from 'vitest'
import { digest, fixture, smollm2, tokenizerFolder } from './fixtures/load.ts'
import { loadTokenizer } from './tokenizer.ts'

interface Golden {
  cases: { text: string; ids: number[]; special: number[]; decoded: string; skipped: string }[]
  long: { count: number; sha256: string }
}
const goldens = JSON.parse(fixture('tokens.json')) as { long: string; tokenizers: Record<string, Golden> }

for (const [name, golden] of Object.entries(goldens.tokenizers)) {
  describe.skipIf(name === 'smollm2' && !smollm2)(`${name} agrees with Python's tokenizers`, async () => {
    const tokenizer = name === 'smollm2' && !smollm2 ? undefined : await loadTokenizer(tokenizerFolder(name))

    it.for(golden.cases)('ids of $text', ({ text, ids, special }) => {
      expect(tokenizer?.encode(text)).toEqual(ids)
      expect(tokenizer?.encode(text, { addSpecialTokens: true })).toEqual(special)
    })

    it.for(golden.cases)('text of the ids of $text', ({ ids, decoded, skipped }) => {
      expect(tokenizer?.decode(ids)).toBe(decoded)
      expect(tokenizer?.decode(ids, { skipSpecialTokens: true })).toBe(skipped)
    })

    it('ids of 100,000 characters', () => {
      const text = goldens.long.repeat(Math.ceil(100_000 / goldens.long.length) + 1)
      const ids = tokenizer?.encode([...text].slice(0, 100_000).join('')) ?? []
      expect(ids.length).toBe(golden.long.count)
      expect(digest(ids)).toBe(golden.long.sha256)
    })
  })
}

describe('loadTokenizer', () => {
  const stories = tokenizerFolder('stories260k')

  it('knows sizes and special tokens', async () => {
    const tokenizer = await loadTokenizer(stories)
    expect(tokenizer.vocabSize).toBe(512)
    expect(tokenizer.bosId).toBe(1)
    expect(tokenizer.eosIds).toEqual([2])
    expect([...tokenizer.specialIds]).toEqual([0, 1, 2])
    expect(tokenizer.tokenId('</s>')).toBe(2)
    expect(tokenizer.chatTemplate).toBeUndefined()
  })

  it('joins the end tokens of all files and takes lists', async () => {
    const folder = memoryFolder({
      'tokenizer.json': fixture('digits-bytes.json'),
      'tokenizer_config.json': JSON.stringify({ eos_token: { content: '<|im_end|>' }, bos_token: null }),
      'generation_config.json': JSON.stringify({ eos_token_id: [5, 0] }),
      'config.json': JSON.stringify({ eos_token_id: 5, bos_token_id: 1 }),
    })
    const tokenizer = await loadTokenizer(folder)
    expect(tokenizer.eosIds).toEqual([5, 0, 2])
    expect(tokenizer.bosId).toBeUndefined()
  })

  it.each([
    ['nothing', {}, 'NOT_FOUND', /no tokenizer\.json.*no files/],
    ['SentencePiece only', { 'tokenizer.model': 'x' }, 'NOT_FOUND', /only tokenizer\.model.*save_pretrained/],
    ['cut JSON', { 'tokenizer.json': '{"model": {' }, 'INVALID_FILE', /tokenizer\.json.*not valid JSON/],
    ['an array', { 'tokenizer.json': '[]' }, 'INVALID_FILE', /not a JSON object/],
    ['no model', { 'tokenizer.json': '{}' }, 'INVALID_FILE', /no "model"/],
    ['no vocabulary', { 'tokenizer.json': '{"model":{"type":"BPE"}}' }, 'INVALID_FILE', /model\.vocab/],
    ['forged id', { 'tokenizer.json': '{"model":{"type":"BPE","vocab":{"a":4e9}}}' }, 'INVALID_FILE', /model\.vocab/],
    ['negative id', { 'tokenizer.json': '{"model":{"type":"BPE","vocab":{"a":-1}}}' }, 'INVALID_FILE', /model\.vocab/],
    ['no merges', { 'tokenizer.json': '{"model":{"type":"BPE","vocab":{"a":0}}}' }, 'INVALID_FILE', /model\.merges/],
    [
      'unknown component',
      { 'tokenizer.json': '{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"Magic"}}' },
      'UNSUPPORTED',
      /Magic/,
    ],
    [
      'broken tokenizer_config',
      { 'tokenizer.json': fixture('metaspace.json'), 'tokenizer_config.json': '{' },
      'INVALID_FILE',
      /tokenizer_config\.json.*not valid JSON/,
    ],
  ])('refuses a folder with %s', async (_, files, code, message) => {
    const error = await loadTokenizer(memoryFolder(files, 'model')).catch((thrown) => thrown)
    expect(AwqError.is(error)).toBe(true)
    expect(error.code).toBe(code)
    expect(error.message).toMatch(message)
  })
})
