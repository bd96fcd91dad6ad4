import { AwqError, fromFloat32 } from '@awq/tensor'
import { expect, test } from 'vitest'
import { float16Scales } from './float16-scales.ts'

const convert = (values: readonly number[], dtype: 'F32' | 'BF16' = 'F32') => {
  const warnings: string[] = []
  const scales = float16Scales({ onWarning: (line) => warnings.push(line) })
  const bits = scales.convert(fromFloat32(Float32Array.from(values), dtype), dtype, 'm.scales')
  scales.report()
  return { bits: [...bits], warnings }
}

test('scales that float16 holds move as they are; of others the largest change is told once', () => {
  expect(convert([1, 0.5, 2 ** -24, 0], 'BF16')).toEqual({ bits: [0x3c00, 0x3800, 1, 0], warnings: [] })
  expect(convert([1 + 2 ** -12, 1]).warnings).toEqual([
    'scales of 1 matrices were rounded to float16; the largest relative change is 2.4e-4, in m.scales',
  ])
})

test('one that becomes zero is a group of nothing beside a larger one, and is refused where all are tiny', () => {
  expect(convert([0.01, 1e-9]).warnings[0]).toMatch(/largest relative change is 1.0e\+0/)
  expect(() => convert([1e-6, 1e-9])).toThrow(/m\.scales: its scales, 1\.0e-6 at most, are too small .*1\.0e-9 would/)
  expect(() => convert([1e-9])).toThrow(AwqError)
})

test.each([65520, Number.NaN, Number.POSITIVE_INFINITY])('%d is refused', (value) => {
  expect(() => convert([1, value])).toThrow(/m\.scales: the scale .* at index 1 is not finite in float16/)
})
