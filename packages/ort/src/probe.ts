import { Graph } from '@awq/onnx'
import { AwqError, messageOf } from '@awq/tensor'
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

/** What the probe is given, and what it must make of it. */
export const probeInput = tensor('float32', [2, 2], Float32Array.of(1, 2, 3, 4))
export const probeExpected: readonly number[] = [7, 10, 15, 22]

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
      logSeverityLevel: 4,
      extra: { session: { disable_cpu_ep_fallback: '1' } },
    })
    const x = new api.Tensor(probeInput.dtype, probeInput.data, probeInput.shape)
    const { y } = await session.run({ x })
    const data = (await (y as { getData(): Promise<unknown> }).getData()) as Float32Array
    await session.release()
    if (probeExpected.some((value, index) => data[index] !== value)) throw new Error(`it computed ${data.join(', ')}`)
  } catch (error) {
    throw new AwqError('UNSUPPORTED', `device '${device}' cannot be used: ${messageOf(error)}. ${advice}`, {
      cause: error,
    })
  }
}
