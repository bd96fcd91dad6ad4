import { Graph } from '@awq/onnx'
import { expect, test } from 'vitest'
import { cachedSession } from './cached-session.ts'
import { createEngine } from './create-engine.ts'
import { tensor } from './tensor.ts'
import type { Engine } from './types.ts'
import { withEngine } from './with-engine.ts'

const negation = (): Uint8Array => {
  const graph = new Graph('negation')
  graph.output('y', graph.add('Neg', [graph.input('x', 'float32', [1])]))
  return graph.toBytes()
}
const x = tensor('float32', [1], Float32Array.of(3))

test('a session is made once for an engine and key, and freed with the engine', async () => {
  const engine = await createEngine()
  const other = await createEngine()
  const session = await cachedSession(engine, 'negation', negation)
  expect(await cachedSession(engine, 'negation', negation)).toBe(session)
  expect(await cachedSession(engine, 'another', negation)).not.toBe(session)
  expect(await cachedSession(other, 'negation', negation)).not.toBe(session)
  expect((await session.run({ x })).y!.data[0]).toBe(-3)
  await engine.dispose()
  await expect(session.run({ x })).rejects.toThrow(/disposed/)
  await other.dispose()
})

test('a session that could not be made is tried again', async () => {
  await withEngine({}, async (engine) => {
    await expect(cachedSession(engine, 'negation', () => Uint8Array.of(1))).rejects.toMatchObject({ code: 'ENGINE' })
    expect((await (await cachedSession(engine, 'negation', negation)).run({ x })).y!.data[0]).toBe(-3)
  })
})

test('withEngine disposes the engine it made, also after a failure, and only that', async () => {
  const made: Engine[] = []
  const use = (outcome: () => void) => (engine: Engine) => {
    made.push(engine)
    return Promise.resolve().then(outcome)
  }
  const failure = new Error('no')
  await withEngine(
    { threads: 1 },
    use(() => {}),
  )
  await expect(
    withEngine(
      { threads: 1 },
      use(() => {
        throw failure
      }),
    ),
  ).rejects.toBe(failure)
  expect(made).toHaveLength(2)
  for (const own of made) await expect(own.createSession(negation())).rejects.toThrow(/disposed/)
  const given = await createEngine()
  expect(await withEngine({ engine: given }, async (engine) => engine)).toBe(given)
  await (await given.createSession(negation())).dispose()
  await given.dispose()
})
