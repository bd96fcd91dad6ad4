import { Graph, type OnnxType } from '@awq/onnx'
import { AwqError } from '@awq/tensor'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Engine, type Tensor, type TypedArray, tensor, zeros } from '../src/index.ts'
import { matMulNBitsCase } from './matmul-nbits-case.ts'

/** y = x + x for x [rows, 2], and z = -x. */
function doubleGraph(dtype: OnnxType = 'float32'): Uint8Array {
  const graph = new Graph('double')
  const x = graph.input('x', dtype, ['rows', 2])
  graph.output('y', graph.add('Add', [x, x]))
  graph.output('z', graph.add('Neg', [x]))
  return graph.toBytes()
}

function identityGraph(dtype: OnnxType): Uint8Array {
  const graph = new Graph('identity')
  graph.output('y', graph.add('Identity', [graph.input('x', dtype, ['n'])]))
  return graph.toBytes()
}

const values: Partial<Record<OnnxType, TypedArray>> = {
  float32: Float32Array.of(1.5, -2, 3e38),
  float16: Uint16Array.of(0x3c00, 0xc000, 0x7bff),
  uint8: Uint8Array.of(0, 7, 255),
  int8: Int8Array.of(-128, 0, 127),
  int32: Int32Array.of(-(2 ** 31), 0, 2 ** 31 - 1),
  int64: BigInt64Array.of(-(2n ** 63n), 0n, 2n ** 63n - 1n),
  bool: Uint8Array.of(0, 1, 1),
}

const pair = (...data: number[]): Tensor => tensor('float32', [data.length / 2, 2], Float32Array.from(data))

/** x^400 by 400 products, which takes a while. */
function longGraph(size: number): Uint8Array {
  const graph = new Graph('long')
  const x = graph.input('x', 'float32', [size, size])
  let power = x
  for (let step = 0; step < 400; step += 1) power = graph.add('MatMul', [power, x])
  graph.output('y', power)
  return graph.toBytes()
}

const failure = async (run: Promise<unknown>): Promise<AwqError> => {
  const error = await run.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!AwqError.is(error)) throw new Error(`expected an AwqError, got ${String(error)}`)
  return error
}

export interface ConformanceOptions {
  /** Element types that the device does not have. */
  readonly without?: readonly OnnxType[]
  /** After a failed run the session refuses more. */
  readonly endsOnFailure?: boolean
  /** Outputs are not written over inputs, but where a kernel is made for it. */
  readonly apart?: boolean
  /** A run hands all kernels to the device at once: an abort comes too late to keep any from running. */
  readonly queuesKernels?: boolean
}

/** What every engine must do, whatever is behind it. */
export function describeConformance(name: string, make: () => Promise<Engine>, options: ConformanceOptions = {}): void {
  describe(name, () => {
    let engine: Engine
    beforeAll(async () => {
      engine = await make()
    })
    afterAll(() => engine.dispose())

    test('says what it is', () => {
      expect(engine.threads).toBeGreaterThanOrEqual(1)
      expect(['cpu', 'cuda', 'webgpu']).toContain(engine.device)
      expect(['native', 'onnxruntime-node', 'onnxruntime-web']).toContain(engine.name)
    })

    test.each(Object.entries(values).filter(([dtype]) => !options.without?.includes(dtype as OnnxType)))(
      'carries %s unchanged',
      async (dtype, data) => {
        await using session = await engine.createSession(identityGraph(dtype as OnnxType))
        const { y } = await session.run({ x: { dtype: dtype as OnnxType, shape: [3], data } })
        expect(y).toEqual({ dtype, shape: [3], data })
      },
    )

    test('computes, and names inputs and outputs', async () => {
      await using session = await engine.createSession(doubleGraph())
      expect(session.inputNames).toEqual(['x'])
      expect(session.outputNames).toEqual(['y', 'z'])
      const made = await session.run({ x: pair(1, 2, 3, 4) })
      expect(made).toEqual({ y: pair(2, 4, 6, 8), z: pair(-1, -2, -3, -4) })
    })

    test('takes tensors without elements', async () => {
      await using session = await engine.createSession(doubleGraph())
      const { y } = await session.run({ x: zeros('float32', [0, 2]) })
      expect(y).toEqual(zeros('float32', [0, 2]))
    })

    test('takes views into a larger buffer', async () => {
      await using session = await engine.createSession(doubleGraph())
      const buffer = Float32Array.of(9, 9, 1, 2, 9)
      const { y } = await session.run({ x: tensor('float32', [1, 2], buffer.subarray(2, 4)) })
      expect(y).toEqual(pair(2, 4))
    })

    test('computes only the fetched outputs', async () => {
      await using session = await engine.createSession(doubleGraph())
      expect(Object.keys(await session.run({ x: pair(1, 2) }, { fetch: ['z'] }))).toEqual(['z'])
      expect((await failure(session.run({ x: pair(1, 2) }, { fetch: ['w'] }))).message).toContain('no output w')
    })

    test('writes into the given tensor and returns it', async () => {
      await using session = await engine.createSession(doubleGraph())
      const room = new Float32Array(6).fill(9)
      const target = tensor('float32', [2, 2], room.subarray(1, 5))
      const made = await session.run({ x: pair(1, 2, 3, 4) }, { into: { y: target } })
      expect(made.y).toBe(target)
      expect([...room]).toEqual([9, 2, 4, 6, 8, 9])
      expect(made.z).toEqual(pair(-1, -2, -3, -4))
    })

    test.each([
      ['another size', { y: zeros('float32', [3, 2]) }],
      ['another rank', { y: zeros('float32', [4]) }],
      ['another dtype', { y: zeros('float16', [2, 2]) }],
      ['an unknown name', { q: zeros('float32', [2, 2]) }],
    ])('refuses to write into %s', async (_, into) => {
      await using session = await engine.createSession(doubleGraph())
      expect((await failure(session.run({ x: pair(1, 2, 3, 4) }, { into }))).message).toMatch(/^into [qy]|^into: q/)
    })

    test('writes into room for an output of a size that the graph does not tell', async () => {
      const graph = new Graph('reshape')
      const shape = graph.input('shape', 'int64', [2])
      graph.output('y', graph.add('Reshape', [graph.input('x', 'float32', ['n']), shape]))
      await using session = await engine.createSession(graph.toBytes())
      const y = zeros('float32', [2, 3])
      const feeds = { x: zeros('float32', [6]), shape: tensor('int64', [2], BigInt64Array.of(2n, 3n)) }
      expect((await session.run(feeds, { into: { y } })).y).toBe(y)
    })

    test('two runs at once both finish', async () => {
      await using session = await engine.createSession(doubleGraph())
      const [first, second] = await Promise.all([session.run({ x: pair(1, 2) }), session.run({ x: pair(3, 4) })])
      expect(first!.y).toEqual(pair(2, 4))
      expect(second!.y).toEqual(pair(6, 8))
    })

    test('an uploaded tensor serves many runs, is read back, and ends with dispose', async () => {
      await using session = await engine.createSession(doubleGraph())
      const x = engine.upload(pair(1, 2))
      for (let run = 0; run < 2; run += 1) expect((await session.run({ x })).y).toEqual(pair(2, 4))
      expect(await x.read()).toEqual(pair(1, 2))
      x.dispose()
      x.dispose()
      expect((await failure(session.run({ x }))).code).toBe('INVALID_ARGUMENT')
      expect((await failure(x.read())).code).toBe('INVALID_ARGUMENT')
    })

    test('writes into a device tensor, which is not among the results', async () => {
      await using session = await engine.createSession(doubleGraph())
      const target = engine.allocate('float32', [2, 2])
      const made = await session.run({ x: pair(1, 2, 3, 4) }, { into: { y: target } })
      expect(made).toEqual({ z: pair(-1, -2, -3, -4) })
      expect(await target.read()).toEqual(pair(2, 4, 6, 8))
      if (!options.apart) {
        expect(await session.run({ x: target }, { into: { y: target }, fetch: ['y'] })).toEqual({})
        expect(await target.read()).toEqual(pair(4, 8, 12, 16))
      }
      target.dispose()
      expect((await failure(session.run({ x: pair(1, 2, 3, 4) }, { into: { y: target } }))).code).toBe(
        'INVALID_ARGUMENT',
      )
    })

    test.each([[[-1, 2]], [[1.5]], [[Number.NaN]]])('allocates nothing of the shape %o', (shape) => {
      expect(() => engine.allocate('float32', shape)).toThrow(/whole numbers/)
    })

    describe('a bound run', () => {
      test('reads its feeds anew each time, and gives new results', async () => {
        await using session = await engine.createSession(doubleGraph())
        const x = pair(1, 2)
        const bound = session.bind({ x })
        const first = await bound.run()
        x.data.set([3, 4] as never)
        const second = await bound.run()
        expect(first).toEqual({ y: pair(2, 4), z: pair(-1, -2) })
        expect(second).toEqual({ y: pair(6, 8), z: pair(-3, -4) })
        bound.dispose()
      })

      test('writes into its targets each time', async () => {
        await using session = await engine.createSession(doubleGraph())
        const x = pair(1, 2)
        const target = pair(9, 9)
        const handle = engine.allocate('float32', [1, 2])
        const bound = session.bind({ x }, { into: { y: target, z: handle } })
        for (const value of [1, 5, 7]) {
          x.data.fill(value as never)
          const made = await bound.run()
          expect(Object.keys(made)).toEqual(['y'])
          expect(made.y).toBe(target)
          expect(target).toEqual(pair(2 * value, 2 * value))
          expect(await handle.read()).toEqual(pair(-value, -value))
        }
        bound.dispose()
        handle.dispose()
      })

      test('chains by device tensors, and stops when one of them is disposed', async () => {
        if (options.apart) return
        await using session = await engine.createSession(doubleGraph())
        const handle = engine.upload(pair(1, 2))
        const bound = session.bind({ x: handle }, { into: { y: handle }, fetch: ['y'] })
        for (let run = 0; run < 3; run += 1) await bound.run()
        expect(await handle.read()).toEqual(pair(8, 16))
        handle.dispose()
        expect((await failure(bound.run())).code).toBe('INVALID_ARGUMENT')
        bound.dispose()
      })

      test('of small tensors survives what moves objects in memory', async () => {
        await using session = await engine.createSession(doubleGraph())
        const x = pair(1, 2)
        const y = pair(0, 0)
        const bound = session.bind({ x }, { into: { y } })
        let kept: number[][] = []
        for (let run = 0; run < 20; run += 1) {
          kept = Array.from({ length: 20_000 }, (_, index) => [index, run])
          x.data[0] = run as never
          await bound.run()
          expect(y.data[0]).toBe(2 * run)
        }
        expect(kept).toHaveLength(20_000)
      })

      test('two at once both finish, and one that is disposed meanwhile as well', async () => {
        await using session = await engine.createSession(doubleGraph())
        const bound = session.bind({ x: pair(1, 2) }, { fetch: ['y'] })
        const runs = [bound.run(), bound.run()]
        bound.dispose()
        expect(await Promise.all(runs)).toEqual([{ y: pair(2, 4) }, { y: pair(2, 4) }])
        expect((await failure(bound.run())).message).toContain('disposed')
        bound.dispose()
      })

      test('ends with its session', async () => {
        const session = await engine.createSession(doubleGraph())
        const bound = session.bind({ x: pair(1, 2) })
        await session.dispose()
        expect((await failure(bound.run())).message).toContain('disposed')
        bound.dispose()
        expect(() => session.bind({ x: pair(1, 2) })).toThrow('disposed')
      })

      test('refuses what does not fit before any run', async () => {
        await using session = await engine.createSession(doubleGraph())
        expect(() => session.bind({})).toThrow('input x was not given')
        expect(() => session.bind({ x: zeros('float32', [2]) })).toThrow('the graph wants')
        expect(() => session.bind({ x: pair(1, 2) }, { fetch: ['w'] })).toThrow('no output w')
        expect(() => session.bind({ x: pair(1, 2) }, { into: { y: zeros('float32', [4]) } })).toThrow('into y')
        const bound = session.bind({ x: pair(1, 2) }, { into: { y: pair(1, 2, 3, 4) } })
        expect(await failure(bound.run())).toMatchObject({
          code: 'INVALID_ARGUMENT',
          message: expect.stringMatching(/^into y: the output is float32 \[1, 2\], got room for float32 \[2, 2\]/),
        })
      })

      test('an aborted signal stops it, and the next run works', async () => {
        await using session = await engine.createSession(doubleGraph())
        const bound = session.bind({ x: pair(1, 2) }, { fetch: ['y'] })
        const reason = new Error('enough')
        await expect(bound.run({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
        const controller = new AbortController()
        const run = bound.run({ signal: controller.signal })
        controller.abort(reason)
        await expect(run).rejects.toBe(reason)
        expect(await bound.run({ signal: new AbortController().signal })).toEqual({ y: pair(2, 4) })
      })
    })

    test('where runs are asynchronous, one leaves the thread free and an abort ends it in the middle', async () => {
      if (!engine.features.asyncRun) return
      const size = options.queuesKernels ? 32 : 192
      await using session = await engine.createSession(longGraph(size))
      const x = zeros('float32', [size, size])
      const y = tensor('float32', [size, size], new Float32Array(size * size).fill(9))
      const controller = new AbortController()
      let turns = 0
      const ticking = setInterval(() => {
        turns += 1
        if (turns === 3) controller.abort(new Error('enough'))
      }, 1)
      const bound = session.bind({ x }, { into: { y } })
      await expect(bound.run({ signal: controller.signal })).rejects.toThrow('enough')
      clearInterval(ticking)
      expect(turns).toBeGreaterThanOrEqual(3)
      // The last product is not made: the run did not go on in secret.
      if (!options.queuesKernels) expect(y.data[0]).toBe(9)
      await bound.run()
      expect(y.data[0]).toBe(0)
    })

    test.each([
      ['a missing input', {}, 'input x was not given'],
      ['an unknown input', { x: pair(1, 2), extra: pair(1, 2) }, 'no input extra'],
      ['another rank', { x: zeros('float32', [2]) }, 'the graph wants float32 [rows, 2], got float32 [2]'],
      ['another fixed dimension', { x: zeros('float32', [2, 3]) }, 'got float32 [2, 3]'],
      ['another dtype', { x: zeros('float16', [2, 2]) }, 'got float16 [2, 2]'],
      [
        'too little data',
        { x: { dtype: 'float32', shape: [2, 2], data: new Float32Array(3) } },
        '4 elements, the data 3',
      ],
      [
        'another array type',
        { x: { dtype: 'float32', shape: [1, 2], data: new Float64Array(2) } },
        'must be a Float32Array',
      ],
      ['a negative dimension', { x: { dtype: 'float32', shape: [-1, 2], data: new Float32Array(2) } }, 'whole numbers'],
    ] as [string, Record<string, Tensor>, string][])('refuses %s before the run', async (_, feeds, message) => {
      await using session = await engine.createSession(doubleGraph())
      const error = await failure(session.run(feeds))
      expect(error.code).toBe('INVALID_ARGUMENT')
      expect(error.message).toContain(message)
    })

    test('a run that fails says so in ONNX Runtime’s words, and the session lives on or ends', async () => {
      const graph = new Graph('reshape')
      const x = graph.input('x', 'float32', ['n'])
      graph.output('y', graph.add('Reshape', [x, graph.input('shape', 'int64', [2])]))
      await using session = await engine.createSession(graph.toBytes())
      const run = (rows: bigint) =>
        session.run({ x: zeros('float32', [6]), shape: tensor('int64', [2], BigInt64Array.of(rows, 2n)) })
      const error = await failure(run(4n))
      expect(error.code).toBe('ENGINE')
      expect(error.message).toMatch(/could not run the graph: .*reshape/is)
      if (options.endsOnFailure) expect((await failure(run(3n))).message).toContain('create the session anew')
      else expect((await run(3n)).y).toEqual(zeros('float32', [3, 2]))
      await using other = await engine.createSession(doubleGraph())
      expect((await other.run({ x: pair(1, 2) })).y).toEqual(pair(2, 4))
    })

    test.each([
      ['no bytes', new Uint8Array()],
      ['no model', Uint8Array.of(1, 2, 3, 4, 5)],
    ])('refuses a graph of %s', async (_, bytes) => {
      expect((await failure(engine.createSession(bytes))).code).toBe('ENGINE')
    })

    test('an aborted signal stops before the run and before loading', async () => {
      await using session = await engine.createSession(doubleGraph())
      const reason = new Error('enough')
      const signal = AbortSignal.abort(reason)
      await expect(session.run({ x: pair(1, 2) }, { signal })).rejects.toBe(reason)
      await expect(engine.createSession(doubleGraph(), { signal })).rejects.toBe(reason)
    })

    test('an abort during the run rejects instead of giving results', async () => {
      await using session = await engine.createSession(doubleGraph())
      const controller = new AbortController()
      const run = session.run({ x: pair(1, 2) }, { signal: controller.signal })
      controller.abort(new Error('enough'))
      await expect(run).rejects.toThrow('enough')
    })

    test('dispose twice is one dispose, and running afterwards is an error', async () => {
      const session = await engine.createSession(doubleGraph())
      await Promise.all([session.run({ x: pair(1, 2) }), session.dispose()])
      await session.dispose()
      expect((await failure(session.run({ x: pair(1, 2) }))).message).toContain('disposed')
    })

    test('reads external data from memory', async () => {
      const graph = new Graph('external')
      const w = graph.external('w', 'float32', [2], { file: 'weights.bin', offset: 4, length: 8 })
      graph.output('y', graph.add('Add', [graph.input('x', 'float32', ['n', 2]), w]))
      const data = new Uint8Array(Float32Array.of(9, 10, 20).buffer)
      await using session = await engine.createSession(graph.toBytes(), { externalData: { 'weights.bin': data } })
      expect((await session.run({ x: pair(1, 2) })).y).toEqual(pair(11, 22))
    })

    test('reads external data from Blobs, also of sessions made at once under the same names', async () => {
      const graph = new Graph('external')
      const x = graph.input('x', 'float32', ['n', 2])
      const v = graph.external('v', 'float32', [2], { file: 'a.bin', offset: 0, length: 8 })
      const w = graph.external('w', 'float32', [2], { file: 'b.bin', offset: 4, length: 8 })
      graph.output('y', graph.add('Add', [graph.add('Mul', [x, v]), w]))
      const made = await Promise.all(
        [1, 2].map((scale) => {
          const file = new Blob([Float32Array.of(0, scale, 2 * scale, 7, 10 * scale, 20 * scale)])
          const externalData = { 'a.bin': file.slice(4, 12), 'b.bin': file.slice(12) }
          return engine.createSession(graph.toBytes(), { externalData })
        }),
      )
      const results = await Promise.all(made.map((session) => session.run({ x: pair(1, 2) })))
      expect(results.map(({ y }) => y)).toEqual([pair(11, 24), pair(22, 48)])
      for (const session of made) await session.dispose()
    })

    test('a Blob that is too short is an error', async () => {
      const graph = new Graph('external')
      const w = graph.external('w', 'float32', [2], { file: 'b.bin', offset: 4, length: 8 })
      graph.output('y', graph.add('Add', [graph.input('x', 'float32', [2]), w]))
      const externalData = { 'b.bin': new Blob([new Uint8Array(11)]) }
      expect((await failure(engine.createSession(graph.toBytes(), { externalData }))).code).toBe('ENGINE')
    })

    test.each([
      { bits: 4, blockSize: 32, asymmetric: true },
      { bits: 4, blockSize: 32, asymmetric: false },
      { bits: 4, blockSize: 16, asymmetric: true },
      { bits: 8, blockSize: 64, asymmetric: true },
    ] as const)('MatMulNBits equals plain arithmetic: %o', async (kind) => {
      const { graph, x, expected } = matMulNBitsCase({ rows: 3, width: 256, columns: 64, ...kind })
      await using session = await engine.createSession(graph)
      const { y } = await session.run({ x })
      expect(y!.shape).toEqual(expected.shape)
      let worst = 0
      for (const [index, value] of (expected.data as Float32Array).entries()) {
        worst = Math.max(worst, Math.abs(value - (y!.data as Float32Array)[index]!))
      }
      expect(worst).toBeLessThan(2e-5)
    })
  })
}
