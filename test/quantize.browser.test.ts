import { openOutput, quantizeInWorker, removeOutput } from '@awq/core/browser'
import { evaluate } from '@awq/evaluate'
import type { Device } from '@awq/ort'
import type { Folder } from '@awq/tensor'
import { bundledText } from '@awq/text'
import { beforeAll, describe, expect, test } from 'vitest'
import { equalCodes, hashes, quantizedInNode } from './browser/models.ts'
import { stories } from './browser/stories.ts'

const settings = { groupSize: 32, samples: 8, length: 64 } as const
const methods = ['rtn', 'awq', 'gptq', 'awq-gptq', 'smoothquant', 'smoothquant-awq']

const inPage = async (device: Device, method: string): Promise<Folder> => {
  const output = `codes/${device}-${method}`
  await removeOutput(output)
  await quantizeInWorker({ model: await stories(), output, device, method, ...settings })
  return await openOutput(output)
}

const perplexity = async (model: Folder): Promise<number> =>
  (await evaluate({ model, text: (await bundledText()).slice(0, 20_000), window: 128, maxWindows: 8 })).perplexity

describe('codes of a page', { timeout: 180_000 }, () => {
  let inNode: readonly Folder[]
  let sameEngine: readonly Folder[]
  beforeAll(async () => {
    inNode = await quantizedInNode(methods.map((method) => ({ ...settings, method })))
    sameEngine = await quantizedInNode(methods.map((method) => ({ ...settings, method, engine: 'onnxruntime-web' })))
  }, 240_000)

  const proves = async (device: Device, method: string) => {
    const [page, node] = [await inPage(device, method), inNode[methods.indexOf(method)]!]
    expect(await equalCodes(page, node)).toBeGreaterThanOrEqual(0.999)
    expect(Math.abs((await perplexity(page)) / (await perplexity(node)) - 1)).toBeLessThan(0.001)
    return page
  }

  test.each(methods)(
    '%s on WebAssembly are those of Node, and the bytes those of the same engine there',
    async (method) => {
      const page = await proves('cpu', method)
      const same = sameEngine[methods.indexOf(method)]!
      expect((await hashes(page))['model.safetensors']).toBe((await hashes(same))['model.safetensors'])
    },
  )

  // Not gptq: calibrated on its own quantized blocks, it passes a code on a rounding edge on to all blocks behind it.
  test.each(['smoothquant', 'awq', 'awq-gptq'])(
    '%s on WebGPU are those of Node',
    async (method) => {
      await proves('webgpu', method)
    },
    300_000,
  )
})
