import { Graph } from '@awq/onnx'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createEngine, type Engine, tensor, zeros } from '../index.ts'

afterEach(() => vi.restoreAllMocks())

const x = tensor('float32', [1, 2], Float32Array.of(1, 2))

function doubleGraph(): Uint8Array {
  const graph = new Graph('double')
  const value = graph.input('x', 'float32', ['rows', 2])
  graph.output('y', graph.add('Add', [value, value]))
  return graph.toBytes()
}

/** An engine of this thread with its device. */
async function engineAndDevice(change: (descriptor: GPUDeviceDescriptor) => GPUDeviceDescriptor = (same) => same) {
  const request = GPUAdapter.prototype.requestDevice
  let device: GPUDevice | undefined
  vi.spyOn(GPUAdapter.prototype, 'requestDevice').mockImplementation(async function (
    this: GPUAdapter,
    descriptor: GPUDeviceDescriptor = {},
  ) {
    device = await request.call(this, change(descriptor))
    return device
  })
  const engine = await createEngine({ device: 'webgpu', worker: false })
  vi.restoreAllMocks()
  return { engine, device: device! }
}

const lost = { code: 'ENGINE', message: expect.stringMatching(/WebGPU device was lost.*Make another engine/s) }

describe('a lost WebGPU device', () => {
  test('ends the call in flight and all later ones, and another engine works', async () => {
    const { engine, device } = await engineAndDevice()
    const session = await engine.createSession(doubleGraph())
    const held = engine.upload(x)
    await session.run({ x: held })
    const inFlight = [session.run({ x }), held.read(), session.run({ x: held })]
    device.destroy()
    const outcomes = await Promise.allSettled(inFlight)
    for (const outcome of outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason: lost })
    await expect(session.run({ x })).rejects.toMatchObject(lost)
    await expect(engine.createSession(doubleGraph())).rejects.toMatchObject(lost)
    expect(() => engine.upload(x)).toThrow(/device was lost/)
    held.dispose()
    await session.dispose()
    await engine.dispose()

    const other = await createEngine({ device: 'webgpu', worker: false })
    await using again = await other.createSession(doubleGraph())
    expect((await again.run({ x })).y!.data).toEqual(Float32Array.of(2, 4))
    await other.dispose()
  })

  test('of an engine that is disposed is no failure of another', async () => {
    const one = await createEngine({ device: 'webgpu', worker: false })
    const other = await createEngine({ device: 'webgpu', worker: false })
    await using session = await other.createSession(doubleGraph())
    await one.dispose()
    expect((await session.run({ x })).y!.data).toEqual(Float32Array.of(2, 4))
    await other.dispose()
  })
})

describe('memory that is not there', () => {
  test('of the GPU is told at the next call', async () => {
    const { engine, device } = await engineAndDevice()
    await using session = await engine.createSession(doubleGraph())
    const error = new GPUOutOfMemoryError('no room')
    device.dispatchEvent(new GPUUncapturedErrorEvent('uncapturederror', { error }))
    await expect(session.run({ x })).rejects.toMatchObject({
      code: 'ENGINE',
      message: expect.stringMatching(/no memory left: no room.*smaller model/s),
    })
    expect((await session.run({ x })).y!.data).toEqual(Float32Array.of(2, 4))
    await engine.dispose()
  })

  test.each([false, true])('of a buffer beyond the limits is refused at once, in a Worker: %s', async (worker) => {
    const engine = await createEngine({ device: 'webgpu', worker })
    const { bufferBytes, bindingBytes } = engine.limits!
    expect(bufferBytes).toBeGreaterThanOrEqual(bindingBytes)
    const elements = bindingBytes / 4 + 1
    expect(() => engine.allocate('float32', [elements])).toThrow(`float32 [${elements}] has ${4 * elements} bytes`)
    await engine.dispose()
  })

  test('limits are those that the device was given', async () => {
    const small = { maxBufferSize: 2 ** 28, maxStorageBufferBindingSize: 2 ** 27 }
    const { engine } = await engineAndDevice((descriptor) => ({ ...descriptor, requiredLimits: small }))
    expect(engine.limits).toEqual({ bufferBytes: 2 ** 28, bindingBytes: 2 ** 27 })
    await engine.dispose()
  })

  const exhaust = async (engine: Engine) => {
    const held = []
    try {
      for (let made = 0; made < 8; made += 1) {
        const one = engine.allocate('float32', [2 ** 28 - 2 ** 10])
        held.push(one)
        await engine.memory?.()
        await using session = await engine.createSession(doubleGraph())
        await session.run({ x })
        if (made > 3) await one.read()
      }
    } finally {
      for (const one of held) one.dispose()
    }
  }

  test('of WebAssembly is an error, after which the engine works on', async () => {
    const engine = await createEngine({ worker: false })
    await expect(exhaust(engine)).rejects.toMatchObject({
      code: 'ENGINE',
      message: expect.stringMatching(/there is no memory to hold a tensor.*of at most 4096 MiB/s),
    })
    await using session = await engine.createSession(doubleGraph())
    expect((await session.run({ x })).y!.data).toEqual(Float32Array.of(2, 4))
    await engine.dispose()
  })

  test('of WebAssembly in a Worker is an error of the first call that needs it', async () => {
    const engine = await createEngine()
    const held = Array.from({ length: 6 }, () => engine.allocate('float32', [2 ** 28 - 2 ** 10]))
    await expect(held.at(-1)!.read()).rejects.toMatchObject({
      code: 'ENGINE',
      message: expect.stringMatching(/no memory/),
    })
    for (const one of held) one.dispose()
    expect(await engine.upload(x).read()).toEqual(x)
    await engine.dispose()
  })
})

describe('a Worker', () => {
  test('whose script does not load leaves the engine to the page, with a warning', async () => {
    const onWarning = vi.fn()
    const worker = () => new Worker('/there-is-no-such-script.js', { type: 'module' })
    const engine = await createEngine({ worker, onWarning })
    expect(engine.features.asyncRun).toBe(false)
    expect(onWarning).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('runs on the page'))
  })

  test('that may not be made leaves the engine to the page, with a warning', async () => {
    const onWarning = vi.fn()
    const worker = () => {
      throw new DOMException('refused', 'SecurityError')
    }
    expect((await createEngine({ worker, onWarning })).features.asyncRun).toBe(false)
    expect(onWarning).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('(refused)'))
  })

  test('tells of files that are not there', async () => {
    const made = createEngine({ wasmPaths: '/no/such/folder' })
    await expect(made).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringMatching(/no\/such\/folder\/ort-wasm-simd-threaded.mjs.*wasmPaths/s),
    })
  })

  test('reads Blobs piece by piece, and says how much was held', async () => {
    const graph = new Graph('pieces')
    let sum = graph.input('x', 'float32', [1024])
    const externalData: Record<string, Blob> = {}
    for (let part = 0; part < 8; part += 1) {
      const file = `${part}.bin`
      externalData[file] = new Blob([new Float32Array(1024).fill(part)])
      sum = graph.add('Add', [sum, graph.external(`w${part}`, 'float32', [1024], { file, offset: 0, length: 4096 })])
    }
    graph.output('y', sum)
    const engine = await createEngine()
    await using session = await engine.createSession(graph.toBytes(), { externalData })
    const { y } = await session.run({ x: zeros('float32', [1024]) })
    expect(y!.data).toEqual(new Float32Array(1024).fill(28))
    expect(await engine.memory!()).toMatchObject({ pieceBytes: 4096 })
    await engine.dispose()
  })
})
