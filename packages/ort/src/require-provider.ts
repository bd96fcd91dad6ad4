import { fatalSeverity } from './log-severity.ts'
import { checkProbe, probeInput, unusableDevice } from './probe.ts'
import { probeGraph } from './probe-graph.ts'
import type { RuntimeApi } from './runtime-api.ts'
import type { Device } from './types.ts'

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
