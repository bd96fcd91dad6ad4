import { expect, test } from 'vitest'
import { measureMemoryRead } from './memory-read.ts'

test('measures a rate that memory has, and stops when it is told to', async () => {
  const rate = await measureMemoryRead(2, new AbortController().signal)
  expect(rate).toBeGreaterThan(1e8)
  expect(rate).toBeLessThan(1e13)
  const reason = new Error('enough')
  await expect(measureMemoryRead(1, AbortSignal.abort(reason))).rejects.toBe(reason)
  const controller = new AbortController()
  const running = measureMemoryRead(2, controller.signal)
  setTimeout(() => controller.abort(reason), 50)
  await expect(running).rejects.toBe(reason)
})
