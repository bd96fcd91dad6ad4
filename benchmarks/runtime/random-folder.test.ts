import { describeModel, modelParameters } from '@awq/models'
import { memoryFolder, openCheckpoint, readFloat32 } from '@awq/tensor'
import { describe, expect, test } from 'vitest'
import { randomFolder } from './random-folder.ts'
import { shapes } from './shapes.ts'

const small = {
  ...shapes['smollm2-135m'],
  hidden_size: 64,
  intermediate_size: 160,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 16,
  vocab_size: 300,
}
const tokenizer = memoryFolder({ 'tokenizer.json': '{"model":{}}', 'model.safetensors': 'not this one' }, 'tokenizer')

describe('randomFolder', () => {
  test('has every parameter: norms of ones, weights of the right scale that differ by tensor and row', async () => {
    const folder = randomFolder(small, tokenizer)
    expect(await folder.list()).toEqual(['config.json', 'model.safetensors', 'tokenizer.json'])
    expect(await folder.readText('tokenizer.json')).toBe('{"model":{}}')
    await using checkpoint = await openCheckpoint(folder)
    const firsts = new Set<number>()
    let matrices = 0
    for (const { name, shape } of modelParameters(describeModel(small))) {
      const entry = checkpoint.tensors.get(name)!
      expect(entry.shape, name).toEqual(shape)
      const values = await readFloat32(entry)
      if (shape.length === 1) {
        expect(values.every((value) => value === 1)).toBe(true)
        continue
      }
      matrices++
      firsts.add(values[0]!)
      firsts.add(values[shape[1]!]!)
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length
      const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length)
      expect(Math.abs(mean), name).toBeLessThan(0.002)
      expect(deviation, name).toBeCloseTo(0.02, 2)
    }
    expect(firsts.size).toBe(2 * matrices)
  })

  test('gives the same bytes however they are read, and others for another seed', async () => {
    const source = await randomFolder(small, tokenizer).open('model.safetensors')
    const whole = await source.read(0, source.size)
    const again = await randomFolder(small, tokenizer).open('model.safetensors')
    const pieces: number[] = []
    for (let at = 0; at < 5000; at += 777) pieces.push(...(await again.read(at, 777)))
    expect(pieces).toEqual([...whole.subarray(0, pieces.length)])
    const other = await randomFolder(small, tokenizer, 1).open('model.safetensors')
    expect(await other.read(source.size - 64, 64)).not.toEqual(whole.subarray(-64))
    await expect(source.read(source.size - 1, 2)).rejects.toThrow(/outside/)
  })
})
