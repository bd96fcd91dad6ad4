import { AwqError, messageOf } from '@awq/tensor'
import { tensor } from './tensor.ts'
import type { Device } from './types.ts'

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
