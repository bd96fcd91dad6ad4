import { createTurns, type Turns } from '../turns.ts'
import type { Device } from '../types.ts'
import type { Runtime } from './runtime.ts'

const queues = new WeakMap<Runtime, Map<Device, Turns>>()

/**
 * The queue of everything that is done on a device: runs, loads, copies, allocations. All sessions of a library share one
 * WebGPU device, whose buffers must not be taken and recorded from several threads at a time; and a copy to the device
 * has to be over before the run that reads it.
 */
export function deviceTurns(runtime: Runtime, device: Device): Turns {
  const ofRuntime = queues.get(runtime) ?? new Map<Device, Turns>()
  queues.set(runtime, ofRuntime)
  const turns = ofRuntime.get(device) ?? createTurns()
  ofRuntime.set(device, turns)
  return turns
}
