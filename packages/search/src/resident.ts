import type { DeviceTensor, Engine, Tensor } from '@awq/ort'

/** Tensors that many runs read, kept on the engine's device when it has one. */
export interface Resident {
  keep(value: Tensor): Tensor | DeviceTensor
  dispose(): void
}

/** A holder of such tensors; on the CPU they stay as they are. */
export function resident(engine: Engine): Resident {
  const held: DeviceTensor[] = []
  const uploads = engine.features.deviceTensors
  return {
    keep(value) {
      if (!uploads) return value
      const uploaded = engine.upload(value)
      held.push(uploaded)
      return uploaded
    },
    dispose() {
      for (const value of held) value.dispose()
    },
  }
}
