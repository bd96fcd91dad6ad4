import { gzipSync } from 'node:zlib'
import { AwqError, type ByteSource, memorySource } from '@awq/tensor'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fixtureBytes } from './fixtures/load.ts'
import { readTexts } from './read-texts.ts'
import { textLines } from './text-lines.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const file = (name: string, content: string | Uint8Array) =>
  memorySource(typeof content === 'string' ? bytes(content) : content, name)
const read = (source: ByteSource, options = {}) => collect(readTexts(source, options))
const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}
const failure = async (source: ByteSource): Promise<AwqError> => {
  const error = await read(source).catch((thrown: unknown) => thrown)
  if (AwqError.is(error)) return error
  throw new Error(`expected an AwqError, got ${error}`)
}

describe('plain text', () => {
  it('is one document', async () => {
    expect(await read(file('a.txt', 'one\n\ntwo\n'))).toEqual(['one\n\ntwo\n'])
    expect(await read(file('c4.utf8', 'naïve 👋'))).toEqual(['naïve 👋'])
  })

  it('has its byte-order mark dropped and its line ends made Unix ones, wherever pieces end', async () => {
    expect(await read(file('a.txt', '\ufeffa\r\nb\rc\n\r\n'))).toEqual(['a\nb\nc\n\n'])
    const half = `${'x'.repeat(2 ** 20 - 1)}\r\ny\r`
    expect(await read(file('a.txt', half))).toEqual([`${'x'.repeat(2 ** 20 - 1)}\ny\n`])
    const split = `${'x'.repeat(2 ** 20 - 1)}é👋`
    expect(await read(file('a.txt', split))).toEqual([split])
  })

  it('above 16 MiB comes in documents cut at line ends', async () => {
    const text = `${'z'.repeat(999)}\n`.repeat(40_000)
    const documents = (await read(file('a.txt', text))) as string[]
    expect(documents.length).toBeGreaterThan(1)
    expect(documents.join('')).toBe(text)
    for (const document of documents.slice(1)) expect(document[0]).toBe('\n')
  })

  it('may be packed by gzip', async () => {
    expect(await read(file('a.txt.gz', new Uint8Array(gzipSync('packed'))))).toEqual(['packed'])
    const cut = new Uint8Array(gzipSync('packed'.repeat(99))).slice(0, 20)
    expect((await failure(file('a.txt.gz', cut))).message).toMatch(/a\.txt\.gz is a damaged gzip file/)
  })

  it.each([
    ['nothing', new Uint8Array(), /a\.txt is empty/],
    ['white space', bytes(' \n\n '), /a\.txt contains no text/],
    ['a NUL byte', bytes('abc\0def'), /binary file \(it has a NUL byte at offset 3\)/],
    ['bytes that are not UTF-8', Uint8Array.of(65, 0xff, 65), /not UTF-8/],
    ['half a character at the end', bytes('é').slice(0, 1), /not UTF-8/],
    ['UTF-16', Uint8Array.of(0xff, 0xfe, 65, 0), /UTF-16/],
    ['Zstandard', Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 1), /zstd -d/],
    ['weights', fixtureBytes('rows.none.parquet').slice(4), /binary file/],
  ])('is refused when it is %s', async (_, content, message) => {
    expect((await failure(file('a.txt', content))).message).toMatch(message)
  })

  it('stops when aborted', async () => {
    const reason = new Error('stop')
    await expect(read(file('a.txt', 'text'), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})

describe('JSONL', () => {
  const turns = [
    { role: 'user', content: 'q' },
    { role: 'assistant', content: 'a' },
  ]
  it.each([
    ['a string', '"text"', 'text'],
    ['text', '{"id":1,"text":"t"}', 't'],
    ['content', '{"content":"t"}', 't'],
    ['messages', JSON.stringify({ prompt: 'q', messages: turns }), turns],
    ['a list of messages', JSON.stringify(turns), turns],
    ['ShareGPT', '{"conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"a"}]}', turns],
    ['prompt and response', '{"prompt":"q","response":"a"}', turns],
    ['prompt and completion', '{"prompt":"q","completion":"a"}', turns],
    ['question and answer', '{"question":"q","answer":"a"}', turns],
    ['instruction and output', '{"instruction":"q","input":"","output":"a"}', turns],
    [
      'instruction, input and output',
      '{"instruction":"q","input":"i","output":"a"}',
      [{ role: 'user', content: 'q\ni' }, turns[1]],
    ],
  ])('with %s', async (_, line, expected) => {
    expect(await read(file('a.jsonl', `\r\n${line}\r\n\n${line}`))).toEqual([expected, expected])
  })

  it.each([
    ['damaged', '{"text":"a"}\n\n{"text":', /a\.jsonl line 3 is not valid JSON/],
    [
      'other fields',
      '{"id":1,"body":"x"}',
      /line 1 has no text: looked for the fields messages, .*text, content, .*prompt \+ response.*; found id, body/,
    ],
    ['a number', '{"text":"a"}\n5', /line 2 is 5, not an object or a string/],
    [
      'a bad message',
      '{"messages":[{"role":"user","content":"x"},{"text":"y"}]}',
      /line 1, message 1: expected \{ role, content \}/,
    ],
    ['text that is no string', '{"text":5}', /line 1 has no text/],
    ['only empty texts', '{"text":""}\n{"text":null}', /a\.jsonl contains no text/],
  ])('is refused with %s', async (_, content, message) => {
    expect((await failure(file('a.jsonl', content))).message).toMatch(message)
  })

  it('is read as a stream', async () => {
    const line = `${JSON.stringify({ text: 'x'.repeat(1000) })}\n`
    const whole = file('a.jsonl', line.repeat(5000))
    let bytesRead = 0
    const source: ByteSource = {
      ...whole,
      read: (offset, length, options) => {
        bytesRead += length
        return whole.read(offset, length, options)
      },
    }
    for await (const document of readTexts(source)) {
      expect(document).toHaveLength(1000)
      break
    }
    expect(bytesRead).toBeLessThan(1.1 * 2 ** 20)
  })

  it('gives the lines of any text', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'grapheme' }).map((line) => line.replace(/[\r\n\0]/g, ''))),
        async (lines) => {
          const got = await collect(textLines(file('a', `\u2028${lines.join('\r\n')}`)))
          const expected = `\u2028${lines.join('\n')}`.replace(/\n$/, '').split('\n')
          expect(got.map(({ text }) => text)).toEqual(expected)
          expect(got.map(({ number }) => number)).toEqual(expected.map((_, i) => i + 1))
        },
      ),
    )
  })
})

describe('JSON', () => {
  it.each([
    ['a list of strings', '["a","b"]', ['a', 'b']],
    ['a list of objects, over several lines', '[\n {"text":"a"},\n {"content":"b"}\n]', ['a', 'b']],
    ['an object with a list', '{\n"data": [{"text":"a"}]}', ['a']],
    ['one object', '{"text":"a"}', ['a']],
    ['JSONL after all', '{"text":"a"}\n{"text":"b"}\n', ['a', 'b']],
  ])('as %s', async (_, content, expected) => {
    expect(await read(file('a.json', content))).toEqual(expected)
  })

  it('is refused when damaged, or with an element without text', async () => {
    expect((await failure(file('a.json', '[{"text":'))).message).toMatch(/a\.json is not valid JSON/)
    expect((await failure(file('a.json', '["a",{"x":1}]'))).message).toMatch(/a\.json element 1 has no text/)
  })
})

describe('parquet', () => {
  const rows = Array.from({ length: 50 }, (_, i) => `Row ${i}: ${'some text, ümläut. '.repeat(i % 5)}`)
  it.each(['none', 'snappy', 'zstd', 'gzip', 'brotli', 'lz4'])('compressed by %s, written by pyarrow', async (name) => {
    expect(await read(file('a.parquet', fixtureBytes(`rows.${name}.parquet`)))).toEqual(rows.filter((_, i) => i !== 7))
  })

  it('with messages, and under another name', async () => {
    const chats = await read(file('downloaded', fixtureBytes('chats.snappy.parquet')))
    expect(chats).toHaveLength(6)
    expect(chats[2]).toEqual([
      { role: 'user', content: 'Question 2?' },
      { role: 'assistant', content: 'Answer 2.' },
    ])
  })

  it('is refused without a text column, cut, forged, or not parquet', async () => {
    const whole = fixtureBytes('rows.snappy.parquet')
    expect((await failure(file('a.parquet', fixtureBytes('no-text.parquet')))).message).toMatch(
      /looked for .*; found label/,
    )
    expect((await failure(file('a.parquet', whole.slice(0, 1500)))).message).toMatch(
      /a\.parquet is a damaged parquet file/,
    )
    expect((await failure(file('a.parquet', 'text'))).message).toMatch(/not a parquet file/)
    const forged = whole.slice()
    forged.fill(0xff, forged.length - 8, forged.length - 4)
    expect((await failure(file('a.parquet', forged))).message).toMatch(/damaged parquet file/)
  })

  it('never fails in another way, whatever bytes are changed', async () => {
    const whole = fixtureBytes('rows.snappy.parquet')
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: whole.length - 1 }), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const changed = whole.slice()
        changed[at] = (changed[at] as number) ^ flip
        await read(file('a.parquet', changed)).catch((error: unknown) => {
          if (!AwqError.is(error)) throw error
        })
      }),
      { numRuns: 300 },
    )
  }, 60_000)
})
