import { Graph } from '@awq/onnx'
import { AwqError, messageOf } from '@awq/tensor'
import { fatalSeverity } from './log-severity.ts'
import type { RuntimeApi } from './runtime-api.ts'
import { tensor } from './tensor.ts'
import type { Device } from './types.ts'

/** A graph of one matrix product, `y = x x` for x [2, 2]: every device's provider has a kernel for it. */
export function probeGraph(): Uint8Array {
  const graph = new Graph('probe')
  const x = graph.input('x', 'float32', [2, 2])
  graph.output('y', graph.add('MatMul', [x, x]))
  return graph.toBytes()
}

/** What the probe is given. */
export const probeInput = tensor('float32', [2, 2], Float32Array.of(1, 2, 3, 4))

/** Throws when `y` is not what the probe makes of its input. */
export function checkProbe(y: ArrayLike<number>): void {
  const made = Array.from(y)
  if (made.join() !== '7,10,15,22') throw new Error(`it computed ${made.join(', ')} for 7, 10, 15, 22`)
}

/** The error of a device whose probe failed: with the reason, and what to do about it. */
export const unusableDevice = (device: Device, reason: unknown, advice: string): AwqError =>
  new AwqError('UNSUPPORTED', `device '${device}' cannot be used: ${messageOf(reason)}. ${advice}`, { cause: reason })

/**
 * Makes sure that `provider` really computes: runs a small graph on it with the fallback to the CPU forbidden. ONNX
 * Runtime itself only warns when a provider cannot be had, and goes on with the CPU.
 * @throws AwqError `UNSUPPORTED` with ONNX Runtime's reason and `advice`
 */
export async function requireProvider(
  api: RuntimeApi,
  device: Device,
  provider: string,
  advice: string,
): Promise<void> {
  try {
    const session = await api.InferenceSession.create(probeGraph(), {
      executionProviders: [provider],
      logSeverityLevel: fatalSeverity,
      extra: { session: { disable_cpu_ep_fallback: '1' } },
    })
    const x = new api.Tensor(probeInput.dtype, probeInput.data, probeInput.shape)
    const { y } = await session.run({ x })
    const data = (await (y as { getData(): Promise<unknown> }).getData()) as Float32Array
    await session.release()
    checkProbe(data)
  } catch (error) {
    throw unusableDevice(device, error, advice)
  }
}
