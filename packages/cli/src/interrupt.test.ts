import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import type { Context } from './context.ts'
import { createInterruption } from './interrupt.ts'
import type { Reporter } from './reporter.ts'

test('many commands in one process leave one listener on each stream, which takes a late EPIPE', () => {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const context = { stdout, stderr, onInterrupt: () => () => {} } as Partial<Context> as Context
  for (let i = 0; i < 3; i++) createInterruption(context, {} as Reporter, true).dispose()
  for (const stream of [stdout, stderr]) {
    expect(stream.listenerCount('error')).toBe(1)
    expect(() => stream.emit('error', new Error('EPIPE'))).not.toThrow()
  }
})
