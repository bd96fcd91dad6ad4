import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { memoryFolder } from '@awq/tensor'
import { openFolder } from '@awq/tensor/node'
import { loadTokenizer } from '@awq/text'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeInPieces } from './encode-in-pieces.ts'
import { PromptTooLong } from './prompt-too-long.ts'
import { scriptedModel } from './server/fixtures/scripted-model.ts'

const root = new URL('../../../', import.meta.url)
const read = (relative: string) => readFile(new URL(relative, root), 'utf8')
const names = ['metaspace', 'metaspace-split', 'digits-bytes', 'split-bytes', 'replace-space']
const fixtures = names.map(async (name) => {
  const file = await read(`packages/text/src/fixtures/${name}.json`)
  return [name, await loadTokenizer(memoryFolder({ 'tokenizer.json': file }, name))] as const
})
const bundled = await loadTokenizer(await openFolder(fileURLToPath(new URL('examples/models/stories260k', root))))
const tokenizers = [['stories260k', bundled] as const, ...(await Promise.all(fixtures))]
const prose = await read('ARCHITECTURE.md')
const { signal } = new AbortController()
describe.each(tokenizers)('encodeInPieces by %s', (_, tokenizer) => {
  it.each<[string, string]>([
    ['prose', prose.repeat(4)],
    ['one letter', 'a'.repeat(40_000)],
    ['spaces', ' '.repeat(40_000)],
    ['lines', '\n'.repeat(20_000)],
    ['characters of several bytes', '漢字かな👩‍👩‍👧ü'.repeat(3000)],
    ['no words', 'aB3$ü'.repeat(6000)],
    ['marks', '<s></s><|im_end|>'.repeat(2000)],
    ['a mark of byte order', `${'\ufeff x'.repeat(6000)}`],
  ])('gives the tokens of the whole text: %s', async (_, text) => {
    expect(await encodeInPieces(tokenizer, text, { signal })).toEqual(tokenizer.encode(text))
  })

  it('gives the tokens of the whole text, whatever it is', async () => {
    const part = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.constantFrom(' ', '\n', '  ', 'a', 'the ', '<s>', prose.slice(0, 500), '👍', '    ', '-'),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 8 }), fc.nat(4000), async (parts, more) => {
        const text = parts.join('').repeat(Math.ceil((9000 + more) / Math.max(1, parts.join('').length)))
        expect(await encodeInPieces(tokenizer, text, { signal })).toEqual(tokenizer.encode(text))
      }),
      { numRuns: 15 },
    )
  })
})

it('stops where there are too many', async () => {
  const text = 'a '.repeat(500_000)
  const refused = await encodeInPieces(bundled, text, { most: 5000 }).catch((error: unknown) => error)
  expect(refused).toBeInstanceOf(PromptTooLong)
  expect(refused).toMatchObject({ counted: false, tokens: expect.any(Number) })
  expect((refused as PromptTooLong).tokens).toBeLessThan(12_000)
  await expect(encodeInPieces(bundled, 'a b c', { most: 2 })).rejects.toThrow('The prompt has 3 tokens')
})

it('lets others have their turn, and ends when it is told to', async () => {
  const text = prose.repeat(100)
  let turns = 0
  const counting = setInterval(() => turns++, 0)
  await encodeInPieces(bundled, text, { signal })
  clearInterval(counting)
  expect(turns).toBeGreaterThan(20)
  const controller = new AbortController()
  const aborted = encodeInPieces(bundled, text, { signal: controller.signal })
  controller.abort(new Error('gone'))
  await expect(aborted).rejects.toThrow('gone')
})

it.each([10, 20_000])('adds special tokens as the tokenizer does to %i words', async (words) => {
  const text = 'once '.repeat(words)
  const whole = bundled.encode(text, { addSpecialTokens: true })
  expect(await encodeInPieces(bundled, text, { addSpecialTokens: true })).toEqual(whole)
  expect(whole.length).toBeGreaterThan(bundled.encode(text).length)
})

it('encodes at once what its tokens do not spell', async () => {
  const { tokenizer } = scriptedModel().model
  const text = 'ü'.repeat(10_000)
  expect(await encodeInPieces(tokenizer, text, { signal })).toEqual(tokenizer.encode(text))
})
