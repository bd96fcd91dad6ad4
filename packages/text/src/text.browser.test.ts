import { blobSource, memoryFolder } from '@awq/tensor'
import { expect, it } from 'vitest'
import { bundledText, loadTokenizer, readTexts, tokenBlocks } from './index.ts'

const fixture = (file: string) => fetch(new URL(`./fixtures/${file}`, import.meta.url))

it('tokenizes, reads parquet and cuts the bundled text in a browser', async () => {
  const folder = memoryFolder({ 'tokenizer.json': await (await fixture('digits-bytes.json')).text() })
  const tokenizer = await loadTokenizer(folder)
  const text = 'Bonjour 👋 123'
  expect(tokenizer.decode(tokenizer.encode(text))).toBe(text)

  const rows: unknown[] = []
  const source = blobSource(await (await fixture('rows.zstd.parquet')).blob(), 'rows.parquet')
  for await (const row of readTexts(source)) rows.push(row)
  expect(rows).toHaveLength(49)

  const { blocks } = await tokenBlocks([await bundledText()], tokenizer, { samples: 4, length: 64 })
  expect(blocks.map((block) => block.length)).toEqual([64, 64, 64, 64])
})
