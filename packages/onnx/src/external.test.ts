import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { safetensorsHeader } from '@awq/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { float32, refused, runGraph } from './fixtures/run.ts'
import { Graph } from './graph.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'awq-onnx-'))
})
afterAll(() => rm(folder, { recursive: true }))

const bytesOf = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength)

describe('Graph.external', () => {
  it('reads initializers from a safetensors file, also one that spans two adjacent tensors', async () => {
    const planned = safetensorsHeader([
      { name: 'q', dtype: 'F32', shape: [2, 3] },
      { name: 'k', dtype: 'F32', shape: [1, 3] },
    ])
    const rows = Float32Array.of(1, 0, 0, 0, 1, 0, 1, 1, 1)
    const file = new Uint8Array(planned.size)
    file.set(planned.header)
    const q = planned.offsets.get('q')!
    file.set(bytesOf(rows), q.offset)
    await writeFile(join(folder, 'model.safetensors'), file)

    const graph = new Graph('fused')
    const x = graph.input('x', 'float32', ['rows', 3])
    const k = planned.offsets.get('k')!
    expect(k.offset).toBe(q.offset + q.length)
    const location = { file: 'model.safetensors', offset: q.offset, length: q.length + k.length }
    const weight = graph.external('qk', 'float32', [3, 3], location)
    const last = graph.external('k', 'float32', [1, 3], { file: 'model.safetensors', ...k })
    graph.output('y', graph.add('Gemm', [x, weight], { transB: 1 }))
    graph.output('z', graph.add('Gemm', [x, last], { transB: 1 }))
    const { y, z } = await runGraph(graph, { x: float32([2, 3, 4], [1, 3]) }, folder)
    expect([...y!.data]).toEqual([2, 3, 9])
    expect([...z!.data]).toEqual([9])
    expect(graph.externals.map(({ location }) => location.offset)).toEqual([q.offset, k.offset])
    expect(graph.toBytes().length).toBeLessThan(500)
  })

  it('reads at odd offsets', async () => {
    await writeFile(join(folder, 'odd.bin'), bytesOf(Uint8Array.of(9, 9, 9, ...bytesOf(Float32Array.of(1.5, -2)))))
    const graph = new Graph('odd')
    const value = graph.external('value', 'float32', [2], { file: 'odd.bin', offset: 3, length: 8 })
    graph.output('y', graph.add('Neg', [value]))
    const { y } = await runGraph(graph, {}, folder)
    expect([...y!.data]).toEqual([-1.5, 2])
  })

  it('reads past 2 GiB, and a matrix in a file larger than that', async () => {
    const size = 3 * 2 ** 30
    const offset = size - 24
    const file = await open(join(folder, 'large.safetensors'), 'w')
    try {
      await file.truncate(size)
      await file.write(bytesOf(Float32Array.of(1, 2, 3, 4, 5, 6)), 0, 24, offset)
    } finally {
      await file.close()
    }
    const graph = new Graph('far')
    const x = graph.input('x', 'float32', ['rows', 2])
    const location = { file: 'large.safetensors', offset, length: 24 }
    graph.output('y', graph.add('MatMul', [x, graph.external('w', 'float32', [2, 3], location)]))
    const { y } = await runGraph(graph, { x: float32([1, 10], [1, 2]) }, folder)
    expect([...y!.data]).toEqual([41, 52, 63])
  })

  it.each([
    ['a file outside the folder', { file: '../w.bin' }],
    ['an absolute file', { file: '/w.bin' }],
    ['a drive', { file: 'C:/w.bin' }],
    ['a back slash', { file: 'a\\w.bin' }],
    ['no file', { file: '' }],
    ['a NUL', { file: 'w\0.bin' }],
    ['a negative offset', { offset: -1 }],
    ['a fractional offset', { offset: 0.5 }],
    ['an offset past 2^53', { offset: 2 ** 53 }],
    ['too few bytes', { length: 7 }],
    ['too many bytes', { length: 9 }],
  ])('refuses %s', (_, change) => {
    const graph = new Graph('store')
    const location = { file: 'w.bin', offset: 0, length: 8, ...change }
    const error = refused(() => graph.external('w', 'float32', [2], location))
    expect(error.code).toBe('INVALID_ARGUMENT')
    expect(error.message).toContain("graph 'store', initializer 'w'")
  })

  it('refuses a shape with names or past 2^53 elements', () => {
    const graph = new Graph('store')
    const location = { file: 'w.bin', offset: 0, length: 8 }
    expect(refused(() => graph.external('w', 'uint8', ['rows' as never], location)).message).toContain('rows')
    expect(refused(() => graph.external('v', 'uint8', [2 ** 40, 2 ** 40], location)).message).toContain('2^53')
  })
})
