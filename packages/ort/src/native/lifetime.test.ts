import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Graph } from '@awq/onnx'
import { AwqError } from '@awq/tensor'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { countedRuntime } from '../../test/counted-runtime.ts'
import { runScript } from '../../test/run-script.ts'
import { type BoundRun, createEngine, type DeviceTensor, type Engine, type Session, tensor, zeros } from '../index.ts'
import { createNativeEngine, loadRuntime } from './create-native-engine.ts'

const double = (): Uint8Array => {
  const graph = new Graph('double')
  const x = graph.input('x', 'float32', ['rows', 2])
  graph.output('y', graph.add('Add', [x, x]))
  return graph.toBytes()
}

/** What one step of a life does, with the numbers that pick what it does it to. */
const step = fc.record({
  what: fc.constantFrom(
    'load',
    'loadBad',
    'run',
    'runBad',
    'runInto',
    'runAborted',
    'bind',
    'bindBad',
    'runBound',
    'allocate',
    'read',
    'endBound',
    'endSession',
    'endTensor',
    'endEngine',
    'wait',
  ),
  pick: fc.nat(1000),
})

const choose = <T>(items: readonly T[], pick: number): T | undefined => items[pick % Math.max(1, items.length)]

/** Does the steps without waiting for one before the next, disposes everything, and says whether all that failed failed well. */
async function live(engine: Engine, steps: readonly { what: string; pick: number }[]): Promise<void> {
  const sessions: Session[] = []
  const bound: BoundRun[] = []
  const tensors: DeviceTensor[] = []
  const work: Promise<unknown>[] = []
  const x = tensor('float32', [1, 2], Float32Array.of(1, 2))
  const stop = new Error('stop')
  const attempt = (task: () => unknown) => {
    work.push(
      (async () => task())().catch((error: unknown) => {
        if (error !== stop && !AwqError.is(error)) throw error
      }),
    )
  }
  const actions: Record<string, (pick: number) => unknown> = {
    load: async () => sessions.push(await engine.createSession(double())),
    loadBad: () => engine.createSession(Uint8Array.of(1, 2, 3)),
    run: (pick) => choose(sessions, pick)?.run({ x: choose(tensors, pick) ?? x }),
    runBad: (pick) => choose(sessions, pick)?.run({ x: zeros('float32', [3]) }),
    runInto: (pick) =>
      choose(sessions, pick)?.run({ x }, { into: { y: choose(tensors, pick) ?? zeros('float32', [9, 2]) } }),
    runAborted: (pick) => {
      const controller = new AbortController()
      const run = choose(sessions, pick)?.run({ x }, { signal: controller.signal })
      controller.abort(stop)
      return run
    },
    bind: (pick) => {
      const session = choose(sessions, pick)
      if (session)
        bound.push(
          session.bind({ x: choose(tensors, pick) ?? x }, pick % 2 ? { into: { y: zeros('float32', [1, 2]) } } : {}),
        )
    },
    bindBad: (pick) => choose(sessions, pick)?.bind({ x }, { into: { y: zeros('float32', [1]) } }),
    runBound: (pick) => choose(bound, pick)?.run(),
    allocate: () => tensors.push(engine.allocate('float32', [1, 2])),
    read: (pick) => choose(tensors, pick)?.read(),
    endBound: (pick) => choose(bound, pick)?.dispose(),
    endSession: (pick) => choose(sessions, pick)?.dispose(),
    endTensor: (pick) => choose(tensors, pick)?.dispose(),
    endEngine: (pick) => (pick % 4 === 0 ? engine.dispose() : undefined),
    wait: () => undefined,
  }
  for (const { what, pick } of steps) {
    attempt(() => actions[what]!(pick))
    if (what === 'wait' || (what === 'load' && pick % 2)) await Promise.all(work)
  }
  await Promise.all(work)
  await Promise.all(sessions.map((session) => session.dispose()))
  await engine.dispose()
}

describe('what the native engine makes', () => {
  test('is freed once, whatever is ended in whatever order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
        const { runtime, count, values } = countedRuntime(await loadRuntime({}))
        const engine = await createNativeEngine(runtime, { device: 'cpu', threads: 1 }, '')
        await live(engine, [{ what: 'load', pick: 1 }, ...steps])
        expect(Object.entries(count.alive).filter(([, alive]) => alive !== 0)).toEqual([])
        expect(values.size).toBe(0)
        expect(count.alive).toHaveProperty('Session')
      }),
      { numRuns: 150 },
    )
  })

  test('does not grow: 10,000 runs, bound and not, and what fails', { timeout: 120_000 }, async () => {
    const { output, code } = await runScript('leak.ts', [], ['--expose-gc'])
    expect(code, output).toBe(0)
    const [before, amid, after] = JSON.parse(output) as [number, number, number]
    // What leaks grows in both halves; what the system takes back late does not.
    expect(Math.min(amid - before, after - amid) / 2 ** 20).toBeLessThan(8)
  })

  test.each(['live', 'running', 'loading', 'aborted'])('does not crash a process that exits (%s)', async (mode) => {
    const { output, code } = await runScript('exit.ts', [mode])
    expect(code, output).toBe(0)
  })
})

test('400 sessions load and run at once', async () => {
  const engine = await createEngine({ engine: 'native', threads: 1 })
  const sessions = await Promise.all(Array.from({ length: 400 }, () => engine.createSession(double())))
  const x = tensor('float32', [1, 2], Float32Array.of(1, 2))
  const results = await Promise.all(sessions.map((session) => session.run({ x })))
  expect(results.every(({ y }) => y!.data[1] === 4)).toBe(true)
  await Promise.all(sessions.map((session) => session.dispose()))
  await engine.dispose()
})

test('a session is freed on another thread, even when its profile can not be written', async () => {
  const given = await loadRuntime({})
  const { runtime, count } = countedRuntime(given)
  const { async } = runtime.api.ReleaseSession
  const ReleaseSession = Object.assign(() => expect.unreachable('the event loop waits'), { async })
  const SessionEndProfiling = () => {
    throw new Error('disk full')
  }
  const api = { ...runtime.api, ReleaseSession, SessionEndProfiling } as unknown as typeof runtime.api
  const engine = await createNativeEngine({ ...runtime, api }, { device: 'cpu', threads: 1 }, '')
  await (await engine.createSession(double())).dispose()
  const folder = await mkdtemp(join(tmpdir(), 'awq-profile-'))
  const profiled = await engine.createSession(double(), { profile: join(folder, 'p') })
  await expect(profiled.dispose()).rejects.toThrow('disk full')
  expect(count.alive.Session).toBe(0)
  await engine.dispose()
  await rm(folder, { recursive: true })
})

describe('memory that native code would lose', () => {
  const options = { maxByteLength: 16 }
  const resizable: ArrayBuffer = Reflect.construct(ArrayBuffer, [8, options])
  const growable: SharedArrayBuffer = Reflect.construct(SharedArrayBuffer, [8, options])
  test.each([
    ['a resizable buffer', () => new Float32Array(resizable)],
    ['a growable buffer', () => new Float32Array(growable)],
  ])('%s is refused', async (_, make) => {
    await using session = await (await createEngine({ engine: 'native' })).createSession(double())
    const x = { dtype: 'float32' as const, shape: [1, 2], data: make() }
    await expect(session.run({ x })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(session.run({ x })).rejects.toThrow(/input x: the memory of a resizable buffer may move/)
    expect(() => session.bind({ x })).toThrow(/resizable/)
  })

  test('a transferred buffer ends a bound run', async () => {
    await using session = await (await createEngine({ engine: 'native' })).createSession(double())
    const x = tensor('float32', [1, 2], Float32Array.of(1, 2))
    const bound = session.bind({ x })
    await bound.run()
    structuredClone(x.data.buffer, { transfer: [x.data.buffer as ArrayBuffer] })
    await expect(bound.run()).rejects.toThrow(/input x: its memory was transferred/)
  })
})

test('threads that wait without spinning compute the same', async () => {
  const engine = await createEngine({ engine: 'native', spin: false, threads: availableParallelism() })
  await using session = await engine.createSession(double())
  expect((await session.run({ x: tensor('float32', [1, 2], Float32Array.of(1, 2)) })).y!.data).toEqual(
    Float32Array.of(2, 4),
  )
})
