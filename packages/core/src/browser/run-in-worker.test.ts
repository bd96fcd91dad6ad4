import { describe, expect, test } from 'vitest'
import type { WorkerMessage } from './messages.ts'
import { plainOptions, runInWorker } from './run-in-worker.ts'

/** A Worker that answers its first message with these. */
const answering = (...messages: readonly WorkerMessage[]): Worker => {
  const worker = {
    onmessage: undefined as ((event: { data: WorkerMessage }) => void) | undefined,
    postMessage: () =>
      queueMicrotask(() => {
        for (const data of messages) worker.onmessage?.({ data })
      }),
    terminate: () => {},
  }
  return worker as unknown as Worker
}

test('warnings are events, and told to onWarning', async () => {
  const event = { type: 'warning', message: 'look out' } as const
  const [events, warnings]: [unknown[], string[]] = [[], []]
  await runInWorker(
    { name: 'compare', options: {} as never },
    {
      model: 'm',
      worker: () => answering({ type: 'progress', event }, { type: 'done', result: [] }),
      onProgress: (told) => events.push(told),
      onWarning: (message) => warnings.push(message),
    },
  )
  expect([events, warnings]).toEqual([[event], ['look out']])
})

describe('options that cross to a Worker', () => {
  test('are plain values, what is undefined left out; Blobs and bytes stay what they are', () => {
    const [blob, bytes] = [new Blob(['a']), new Uint8Array(2)]
    expect(plainOptions({ a: undefined, b: [1, { c: null }], blob, bytes })).toEqual({
      b: [1, { c: null }],
      blob,
      bytes,
    })
    expect(plainOptions({ blob }).blob).toBe(blob)
  })

  test.each([
    [{ method: { name: 'mine', passes: [() => 1] } }, /^method\.passes\[0\] is code/],
    [{ plan: new Map([['a', 4]]) }, /^plan is a Map, which can not cross to a Worker/],
  ])('%j is refused', (options, message) => {
    expect(() => plainOptions(options)).toThrow(message)
  })
})
