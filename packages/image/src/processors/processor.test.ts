import { AwqError, memoryFolder } from '@awq/tensor'
import { describe, expect, test } from 'vitest'
import { goldens, pattern, sha256 } from '../fixtures/goldens.ts'
import type { Backend } from '../pixels/resize.ts'
import { expandPrompt } from '../prompt/rules.ts'
import { loadImageProcessor } from './processor.ts'

interface Prompt {
  readonly text: string
  readonly expanded: string
}

interface Row {
  readonly size: [number, number]
  readonly shape: number[]
  readonly error?: string
  readonly image_grid_thw?: number[]
  readonly rows?: number[]
  readonly cols?: number[]
  readonly num_crops?: number[]
  readonly prompt: Prompt | null
  readonly torchvision: string
  readonly torchvisionSample: number[]
  readonly pil: string
  readonly pilSample: number[]
}

interface Case {
  readonly name: string
  readonly files: Record<string, unknown>
  readonly settings: Record<string, unknown>
  readonly images: Row[]
  readonly two: { readonly sizes: [number, number][]; readonly prompt: Prompt }
}

const cases = goldens<Case[]>('processors')
const folderOf = ({ files }: Case) =>
  memoryFolder(Object.fromEntries(Object.entries(files).map(([name, json]) => [name, JSON.stringify(json)])))

/** Numbers at the places that the script samples. */
const sample = (values: Float32Array): number[] =>
  [...values.filter((_, index) => index % Math.max(1, Math.floor(values.length / 5)) === 0)].slice(0, 6)

describe.each(cases)('$name', (one) => {
  describe.each<Backend>(['torchvision', 'pil'])('%s', (backend) => {
    test.each(one.images)('an image of $size', async (row) => {
      const processor = await loadImageProcessor(folderOf(one), { backend, settings: one.settings })
      if (row.error !== undefined) {
        expect(() => processor.process(pattern(...row.size))).toThrowError(AwqError)
        return
      }
      const done = processor.process(pattern(...row.size))
      expect(done.shape).toEqual(row.shape)
      expect(sample(done.pixelValues)).toEqual(row[`${backend}Sample`].map(Math.fround))
      expect(sha256(done.pixelValues)).toBe(row[backend])
      if (row.image_grid_thw) expect(done.grid).toEqual(row.image_grid_thw)
      if (row.rows) expect(done.split).toEqual({ rows: row.rows[0], columns: row.cols![0] })
      if (row.num_crops) expect(done.crops).toBe(row.num_crops[0])
      const expanded = expandPrompt(processor.prompt!, row.prompt!.text, [done])
      expect(expanded).toBe(row.prompt!.expanded)
      expect(expanded.split(processor.prompt!.imageToken).length - 1).toBe(processor.prompt!.rows(done))
    })
  })

  test('two images in one prompt, and one too few', async () => {
    const processor = await loadImageProcessor(folderOf(one), { settings: one.settings })
    const images = one.two.sizes.map((size) => processor.process(pattern(...size)))
    expect(expandPrompt(processor.prompt!, one.two.prompt.text, images)).toBe(one.two.prompt.expanded)
    expect(() => expandPrompt(processor.prompt!, one.two.prompt.text, images.slice(1))).toThrowError(
      /2 placeholders.*for 1 image;/,
    )
  })
})
