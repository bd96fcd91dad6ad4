import { fileURLToPath } from 'node:url'
import { describeModel } from '@awq/models'
import { memoryFolder } from '@awq/tensor'
import { openFolder } from '@awq/tensor/node'
import { describe, expect, test } from 'vitest'
import { floatFiles, packModel, randomParameters, tinyConfig } from './fixtures/tiny-model.ts'
import { weightBytesPerToken } from './weight-bytes.ts'

/** Parameters of the tiny model's blocks: q, k, v, o, gate, up, down; two norms. */
const linears = 2 * (72 * (64 + 32 + 32 + 64) + 3 * 72 * 104)
const vectors = 2 * 2 * 72 + 72
const table = 97 * 72

describe('weightBytesPerToken', () => {
  test.each([
    ['tied', true, table + 72],
    ['apart', false, table + 72],
  ] as const)('of a float model, tables %s: everything once, of the embedding one row', async (_, tied, tables) => {
    const config = tinyConfig({ tie_word_embeddings: tied })
    const folder = memoryFolder(await floatFiles(config, randomParameters(describeModel(config)), 'F16'))
    expect(await weightBytesPerToken(folder)).toBe(4 * (linears + vectors + tables))
    expect(await weightBytesPerToken(folder, { device: 'cuda' })).toBe(2 * (linears + vectors + tables))
  })

  test('of a quantized model: codes, scales and zero points as stored', async () => {
    const { files } = await packModel(tinyConfig(), () => ({ bits: 4, groupSize: 32, symmetric: false }))
    // Rows of 72 inputs have 3 blocks of 16 bytes, 3 scales and 2 bytes of zero points; of 64, 2 blocks; of 104, 4.
    const row = (blocks: number) => blocks * (16 + 2) + Math.ceil(blocks / 2)
    const block = (64 + 32 + 32) * row(3) + 72 * row(2) + 2 * 104 * row(3) + 72 * row(4)
    expect(await weightBytesPerToken(memoryFolder(files))).toBe(2 * block + vectors * 4 + 97 * row(3) + row(3))
  })

  test('of a mixture of experts: as many experts as a token has', async () => {
    const folder = await openFolder(fileURLToPath(new URL('../../../test/fixtures/models/mixtral', import.meta.url)))
    // Two layers: q and o of 32 x 32, k and v of 16 x 32, the router's 4 rows, 2 of 4 experts of 3 x 24 x 32, two norms.
    const layer = 2 * 32 * 32 + 2 * 16 * 32 + 4 * 32 + 2 * 3 * 24 * 32 + 2 * 32
    expect(await weightBytesPerToken(folder)).toBe(4 * (2 * layer + 32 + 48 * 32 + 32))
  })
})
