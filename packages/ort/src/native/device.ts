import { checkProbe, probeInput, unusableDevice } from '../probe.ts'
import { probeGraph } from '../probe-graph.ts'
import type { Turns } from '../turns.ts'
import { hasDeviceMemory, openDeviceMemory } from './device-memory.ts'
import { deviceTensorStore } from './device-store.ts'
import { loadSession } from './load-session.ts'
import type { Runtime } from './runtime.ts'
import { wrapNativeSession } from './session.ts'
import type { EngineSettings } from './session-options.ts'
import { cpuTensorStore, type TensorStore } from './tensor-store.ts'

/**
 * Makes sure that the device really computes: runs a small graph on it with the fallback to the CPU forbidden.
 * @returns where its tensors are kept
 * @throws AwqError `UNSUPPORTED` with ONNX Runtime's reason and `advice`
 */
export async function requireDevice(
  runtime: Runtime,
  settings: EngineSettings,
  advice: string,
  turns: Turns,
): Promise<TensorStore> {
  const store = cpuTensorStore(runtime)
  try {
    const pointer = await turns.take(() => loadSession(runtime, settings, probeGraph(), {}, true))
    await using session = wrapNativeSession(runtime, { pointer, store, turns, profiled: false, onEnd: () => {} })
    const { y } = await session.run({ x: probeInput })
    checkProbe(y!.data as Float32Array)
    if (!hasDeviceMemory(settings.device)) return store
    return deviceTensorStore(runtime, await turns.take(() => openDeviceMemory(runtime, settings)), turns)
  } catch (error) {
    throw unusableDevice(settings.device, error, advice)
  }
}
