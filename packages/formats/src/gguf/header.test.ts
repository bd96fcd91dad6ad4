import { AwqError, type ByteSource, memorySource } from '@awq/tensor'
import { describe, expect, test } from 'vitest'
import { ggufBytes, type Raw } from '../fixtures/gguf.ts'
import { isGguf, readGgufHeader } from './header.ts'

const raw: Raw = {
  metadata: [
    ['general.architecture', 8, 'llama'],
    ['a.list', 9, { type: 8, items: ['x', 'ü', '\ufeff'] }],
    ['a.numbers', 9, { type: 5, items: [1, -2] }],
    ['a.float', 6, 0.5],
    ['a.flag', 7, 1],
    ['a.long', 10, 2 ** 40],
  ],
  tensors: [
    { name: 'one', dimensions: [32, 3], type: 2, bytes: 3 * 18 },
    { name: 'two', dimensions: [5], type: 0, bytes: 20 },
  ],
}

/** A source that remembers the most that was asked for at once. */
const watched = (bytes: Uint8Array): ByteSource & { largest: () => number } => {
  const source = memorySource(bytes, 'x.gguf')
  let largest = 0
  return {
    ...source,
    largest: () => largest,
    async read(offset, length, options) {
      largest = Math.max(largest, length)
      return await source.read(offset, length, options)
    },
  }
}

describe.each([2, 3])('version %s', (version) => {
  test('is read', async () => {
    const { bytes, dataAt } = ggufBytes({ ...raw, version })
    const { metadata, tensors } = await readGgufHeader(memorySource(bytes))
    expect(Object.fromEntries(metadata)).toEqual({
      'general.architecture': 'llama',
      'a.list': ['x', 'ü', '\ufeff'],
      'a.numbers': [1, -2],
      'a.float': 0.5,
      'a.flag': true,
      'a.long': 2 ** 40,
    })
    expect([...tensors.values()].map(({ name, shape, offset, length }) => ({ name, shape, offset, length }))).toEqual([
      { name: 'one', shape: [3, 32], offset: dataAt, length: 54 },
      { name: 'two', shape: [5], offset: dataAt + 64, length: 20 },
    ])
  })
})

test('a header longer than what is read at first', async () => {
  const items = Array.from({ length: 32_000 }, (_, i) => `a token of some length, ${i}`)
  const { bytes } = ggufBytes({ ...raw, metadata: [['long', 9, { type: 8, items }]] })
  expect(bytes.length).toBeGreaterThan(2 ** 20)
  const { metadata } = await readGgufHeader(memorySource(bytes))
  expect(metadata.get('long')).toEqual(items)
})

test('cut anywhere it is refused', async () => {
  const { bytes } = ggufBytes(raw)
  for (let length = 0; length < bytes.length; length++) {
    const reading = readGgufHeader(memorySource(bytes.slice(0, length), 'cut.gguf'))
    await expect(reading).rejects.toSatisfy(AwqError.is)
    await expect(reading).rejects.toThrow(/cut\.gguf/)
  }
})

const HUGE = 2 ** 52
const forged: [what: string, raw: Raw, message: RegExp][] = [
  ['version 1', { ...raw, version: 1 }, /version 1/],
  ['version 4', { ...raw, version: 4 }, /version 4/],
  ['big-endian numbers', { ...raw, version: 3 * 2 ** 24 }, /big-endian/],
  ['another magic number', { ...raw, magic: 0x46554746 }, /no GGUF file/],
  ['a forged number of tensors', { ...raw, tensorCount: HUGE }, /tensor/],
  ['a forged number of keys', { ...raw, keyCount: HUGE }, /ends at|type/],
  ['a huge text', { ...raw, metadata: [['k', 8, { length: HUGE }]] }, /"k".*would take 4503599627370496 bytes/],
  [
    'a huge array',
    { ...raw, metadata: [['k', 9, { type: 0, items: [], count: HUGE }]] },
    /"k" has 4503599627370496 elements/,
  ],
  ['a huge array of texts', { ...raw, metadata: [['k', 9, { type: 8, items: [], count: 2 ** 61 }]] }, /elements/],
  [
    'more elements than any list has',
    { ...raw, metadata: [['k', 9, { type: 0, items: [], count: 2 ** 24 + 1 }]] },
    /16777217 elements/,
  ],
  ['an unknown type of value', { ...raw, metadata: [['k', 13, 0]] }, /"k" has the unknown type 13/],
  [
    'a key twice',
    {
      ...raw,
      metadata: [
        ['k', 7, 1],
        ['k', 7, 1],
      ],
    },
    /"k" is there twice/,
  ],
  ['an alignment of 0', { ...raw, metadata: [['general.alignment', 4, 0]] }, /general\.alignment is 0/],
  ['an alignment of 48', { ...raw, metadata: [['general.alignment', 4, 48]] }, /general\.alignment is 48/],
  ['a huge alignment', { ...raw, metadata: [['general.alignment', 4, 2 ** 31]] }, /general\.alignment is 2147483648/],
  ['a text for an alignment', { ...raw, metadata: [['general.alignment', 8, '32']] }, /general\.alignment is 32/],
  ['a tensor twice', { ...raw, tensors: [raw.tensors[1]!, raw.tensors[1]!] }, /"two" is there twice/],
  ['no dimensions', { ...raw, tensors: [{ name: 't', dimensions: [], type: 0, bytes: 4 }] }, /"t" has 0 dimensions/],
  ['five', { ...raw, tensors: [{ name: 't', dimensions: [1, 1, 1, 1, 1], type: 0, bytes: 4 }] }, /"t" has 5/],
  [
    'a huge rank',
    { ...raw, tensors: [{ name: 't', dimensions: [1], type: 0, bytes: 4, rank: 2 ** 31 }] },
    /2147483648/,
  ],
  ['an empty shape', { ...raw, tensors: [{ name: 't', dimensions: [0, 4], type: 0, bytes: 4 }] }, /\[4, 0\]/],
  [
    'a huge shape',
    { ...raw, tensors: [{ name: 't', dimensions: [HUGE, HUGE], type: 0, bytes: 4 }] },
    /impossible shape/,
  ],
  ['a type that is not known', { ...raw, tensors: [{ name: 't', dimensions: [4], type: 77, bytes: 4 }] }, /type 77/],
  ['rows that are no blocks', { ...raw, tensors: [{ name: 't', dimensions: [40], type: 2, bytes: 4 }] }, /rows of 40/],
  [
    'a tensor behind the end',
    { ...raw, tensors: [{ name: 't', dimensions: [2 ** 30], type: 0, bytes: 4 }] },
    /cut or damaged/,
  ],
  [
    'a huge offset',
    { ...raw, tensors: [{ name: 't', dimensions: [1], type: 0, bytes: 4, offset: HUGE }] },
    /cut or damaged/,
  ],
  [
    'an odd offset',
    { ...raw, tensors: [{ name: 't', dimensions: [1], type: 0, bytes: 64, offset: 8 }] },
    /multiple of 32/,
  ],
]

test.each(forged)('%s is refused, and no memory is taken for it', async (_, given, message) => {
  const source = watched(ggufBytes(given).bytes)
  const reading = readGgufHeader(source)
  await expect(reading).rejects.toThrow(message)
  await expect(reading).rejects.toSatisfy(AwqError.is)
  expect(source.largest()).toBeLessThanOrEqual(2 ** 20)
})

test('whether a file begins as one', async () => {
  expect(await isGguf(memorySource(ggufBytes(raw).bytes))).toBe(true)
  expect(await isGguf(memorySource(Uint8Array.of(71, 71, 85)))).toBe(false)
  expect(await isGguf(memorySource(Uint8Array.of(71, 71, 85, 71)))).toBe(false)
})
