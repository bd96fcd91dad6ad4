/**
 * Whether a device computes right what a model is made of, tried when it is loaded: drivers and kernels give wrong results
 * without an error.
 * @module
 */
import { AwqError } from '@awq/tensor'
import type { DecoderRequest, OpenedModel } from './open-model.ts'
import { checkAttention } from './self-check/attention-check.ts'
import { checkMixtures } from './self-check/mixture-check.ts'
import { checkNorms } from './self-check/norm-check.ts'
import { checkQuantized } from './self-check/quantized-check.ts'
import { quantizedKinds } from './self-check/quantized-kinds.ts'
import { checkTower } from './self-check/tower-check.ts'

/** What a device computes wrong. */
export class WrongResults extends AwqError {
  constructor(device: string, problem: string, cause?: unknown) {
    super('NUMERIC', `device '${device}' computes wrong: ${problem}. Use device 'cpu'.`, { cause })
  }
}

/**
 * Tries a model's device on what its decoder is made of: each kind of MatMulNBits and GatherBlockQuantized (bits, block,
 * zero points, accuracy level, type, shape) on some rows of a matrix of the model with one and several rows of input, each kind
 * of mixture by one operator (QMoE) on parts of some experts, each norm, each kind of attention with a cache, and that of the
 * vision tower. Expected are results of plain arithmetic in double precision.
 * @throws WrongResults (code NUMERIC) naming what is wrong; ENGINE when the device can not compute something at all
 */
export const selfCheck = async (model: OpenedModel, request: DecoderRequest): Promise<void> => {
  const { engine, folder, description } = model
  const { attention, dtype = 'float32', signal } = request
  const { vision } = description
  const tower = model.sees && vision ? vision : undefined
  const graphs = [model.decoderGraph(request), ...(tower ? [model.visionGraph({ dtype })] : [])]
  const problem =
    (await checkQuantized(engine, folder, graphs.flatMap(quantizedKinds), dtype, signal)) ??
    (await checkMixtures(engine, folder, model.mixtures({ dtype }), dtype, signal)) ??
    (await checkNorms(engine, description, dtype, signal)) ??
    (await checkAttention(engine, description, attention, dtype, signal)) ??
    (tower && (await checkTower(engine, tower, dtype, signal)))
  if (problem !== undefined) throw new WrongResults(engine.device, problem)
}
