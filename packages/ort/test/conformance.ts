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
