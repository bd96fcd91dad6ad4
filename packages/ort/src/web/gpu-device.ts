/**
 * The WebGPU device of an engine: asked for with all that its adapter has, and watched.
 * @module
 */
import { AwqError } from '@awq/tensor'
import type { DeviceLimits } from '../types.ts'
import type { Health } from './health.ts'

/** Features of WebGPU that ONNX Runtime's kernels use where they are there. */
const wanted: readonly string[] = ['shader-f16', 'subgroups', 'subgroups-f16']

export interface GpuDevice {
  readonly device: GPUDevice
  readonly float16: boolean
  readonly limits: DeviceLimits
  /** Throws `ENGINE` for what has gone wrong on the device since the last look; WebGPU tells of it late. */
  takeError(): void
  /** The reason of a failed call: the loss of the device, which is told after what failed by it, or the failure itself. */
  reason(failure: unknown): Promise<unknown>
  dispose(): void
}

const advice = 'Close other pages that use the GPU, use a smaller model or a shorter context, or device cpu'

/** The device is gone: the driver was reset, the system slept, its memory ended, or somebody destroyed it. */
const lostError = ({ reason, message }: GPUDeviceLostInfo): AwqError =>
  new AwqError(
    'ENGINE',
    `the WebGPU device was lost (${reason}${message ? `: ${message.trim()}` : ''}): all that lay in its memory is gone. ` +
      `Make another engine and load the model again. ${advice}`,
  )

const deviceError = (error: GPUError): AwqError =>
  error instanceof GPUOutOfMemoryError
    ? new AwqError('ENGINE', `the GPU has no memory left: ${error.message}. ${advice}`)
    : new AwqError('ENGINE', `WebGPU: ${error.message}`)

/** Milliseconds by which the news of a loss may come after its consequences. */
const lossDelay = 100

/** Every limit that the adapter has: the defaults are those of the smallest devices. */
function limitsOf(adapter: GPUAdapter): Record<string, number> {
  const limits: Record<string, number> = {}
  // They are getters of the prototype.
  for (const name in adapter.limits) {
    const value = adapter.limits[name as keyof GPUSupportedLimits]
    if (typeof value === 'number') limits[name] = value
  }
  return limits
}

/** Asks for a device, whose loss ends `health`. Throws an `Error` that says why there is none. */
export async function openGpuDevice(health: Health): Promise<GpuDevice> {
  const gpu: GPU | undefined = globalThis.navigator?.gpu
  if (!gpu) throw new Error('there is no WebGPU here (it needs a secure page and a browser that has it)')
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' })
  if (!adapter) throw new Error('there is no WebGPU adapter')
  const requiredFeatures = wanted.filter((name) => adapter.features.has(name)) as GPUFeatureName[]
  const device = await adapter.requestDevice({ requiredFeatures, requiredLimits: limitsOf(adapter) })
  return watchDevice(device, health)
}

/** Watches a device. */
function watchDevice(device: GPUDevice, health: Health): GpuDevice {
  let error: AwqError | undefined
  let disposed = false
  void device.lost.then((info) => {
    if (!disposed) health.end(lostError(info))
  })
  device.addEventListener('uncapturederror', (event) => {
    error ??= deviceError(event.error)
    event.preventDefault()
  })
  return {
    device,
    float16: device.features.has('shader-f16'),
    limits: { bufferBytes: device.limits.maxBufferSize, bindingBytes: device.limits.maxStorageBufferBindingSize },
    takeError() {
      const taken = error
      error = undefined
      if (taken) throw taken
    },
    async reason(failure) {
      await Promise.race([device.lost, new Promise((resolve) => setTimeout(resolve, lossDelay))])
      return health.failure ?? failure
    },
    dispose() {
      disposed = true
      device.destroy()
    },
  }
}
