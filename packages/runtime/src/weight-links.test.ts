import { type Folder, memoryFolder } from '@awq/tensor'
import { describe, expect, it } from 'vitest'
import { locateWeights } from './weight-links.ts'

const features = { inPlaceOutputs: false, asyncRun: false, deviceTensors: false, externalFiles: true, float16: true }
const bytes = Uint8Array.from({ length: 50 }, (_, i) => i)
const memory = memoryFolder({ 'a.safetensors': bytes, 'b.safetensors': bytes })
const located = (directories: Record<string, string>): Folder => ({
  ...memory,
  locate: async (file) => ({ directory: directories[file]!, file: `blob-${file}` }),
})

describe('locateWeights', () => {
  it('links by path to where the files really are, when all are in one directory', async () => {
    const folder = located({ 'a.safetensors': '/blobs', 'b.safetensors': '/blobs' })
    const links = (await locateWeights(folder, ['a.safetensors', 'b.safetensors'], { features })).links()
    expect(links.link({ file: 'b.safetensors', offset: 3, length: 4 })).toEqual({
      file: 'blob-b.safetensors',
      offset: 3,
      length: 4,
    })
    expect(await links.sessionOptions()).toEqual({ externalDirectory: '/blobs' })
    expect(() => links.link({ file: 'c', offset: 0, length: 1 })).toThrow(/c is not one of/)
  })

  it.each<[string, Folder, boolean]>([
    ['the files are in several directories', located({ 'a.safetensors': '/x', 'b.safetensors': '/y' }), true],
    ['the folder is not on disk', memory, true],
    ['the engine opens no files', located({ 'a.safetensors': '/x', 'b.safetensors': '/x' }), false],
  ])('hands over bytes when %s, only those asked for and each once', async (_, folder, externalFiles) => {
    const engine = { features: { ...features, externalFiles } }
    const links = (await locateWeights(folder, ['a.safetensors', 'b.safetensors'], engine)).links()
    const one = links.link({ file: 'a.safetensors', offset: 3, length: 4 })
    const two = links.link({ file: 'b.safetensors', offset: 10, length: 2 })
    expect(links.link({ file: 'a.safetensors', offset: 3, length: 4 })).toEqual(one)
    const { externalData } = await links.sessionOptions()
    expect(one.offset).toBe(0)
    expect(externalData).toEqual({ [one.file]: bytes.slice(3, 7), [two.file]: bytes.slice(10, 12) })
  })
})
