import { fileURLToPath } from 'node:url'
import { inspect } from '@awq/core'
import { openFolder } from '@awq/tensor/node'
import { expect, test } from 'vitest'
import { inspectionLines } from './inspect-report.ts'

const mixture = fileURLToPath(new URL('../../../test/fixtures/models/qwen3-moe', import.meta.url))

const scaleGroups = async (all: boolean): Promise<string[]> => {
  const lines = inspectionLines('m', await inspect(await openFolder(mixture)), all)
  return lines.slice(lines.findIndex((line) => line.startsWith('scale group'))).map((line) => line.replace(/ +/g, ' '))
}

test('the experts of a mixture are one row', async () => {
  expect(await scaleGroups(false)).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^ post_attention_layernorm \d norm mlp\.experts\.0-3\.\{gate_proj,up_proj\}$/),
      expect.stringMatching(/^ mlp\.experts\.0-3\.up_proj \d linear mlp\.experts\.0-3\.down_proj$/),
    ]),
  )
})

test('--all shows each', async () => {
  expect((await scaleGroups(true)).join('\n')).toContain('mlp.experts.2.up_proj 1 linear mlp.experts.2.down_proj')
})
