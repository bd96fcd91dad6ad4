/**
 * In which form a decoder is loaded on a device: what is fastest of what the device has room for and computes right.
 * @module
 */
import type { ActivationType, AttentionForm } from '@awq/models'
import { type Engine, kernelsOf } from '@awq/ort'
import { AwqError } from '@awq/tensor'
import { attentionFacts, resolveAttention } from './attention.ts'
import { checkLimits } from './device-limits.ts'
import type { LoadOptions } from './load-options.ts'
import type { OpenedModel } from './open-model.ts'
import { selfCheck, WrongResults } from './self-check.ts'

/** A decoder's form. */
export interface DecoderChoice {
  readonly attention: AttentionForm
  readonly dtype: ActivationType
}

/**
 * Types of activations to serve a model with, best first. float16 is taken where the device has no other, or where it is
 * faster and products are not to be exact anyway.
 */
export const activationTypes = (
  { device, features }: Pick<Engine, 'device' | 'features'>,
  { kind, accuracy }: Pick<OpenedModel, 'kind' | 'accuracy'>,
): readonly ActivationType[] => {
  const { activations, fasterHalves } = kernelsOf(device)
  if (activations === 'float16') return ['float16']
  return fasterHalves && features.float16 && kind === 'quantized' && accuracy === 'fast'
    ? ['float16', 'float32']
    : ['float32']
}

/** The self-check, for which a device that can not compute something at all is as one that computes it wrong. */
const check = async (model: OpenedModel, choice: DecoderChoice, signal: AbortSignal | undefined): Promise<void> => {
  try {
    await selfCheck(model, { ...choice, signal })
  } catch (error) {
    if (!AwqError.is(error) || error.code !== 'ENGINE') throw error
    throw new WrongResults(model.engine.device, error.message, error)
  }
}

/**
 * Chooses a decoder's form, before any of its weights is fetched.
 * @throws AwqError UNSUPPORTED for a tensor that the device has no buffer for, or for a form of attention that the model can
 *   not have; WrongResults when the device computes wrong in every form
 */
export const chooseDecoder = async (
  model: OpenedModel,
  options: Pick<LoadOptions, 'attention' | 'activations' | 'selfCheck' | 'onWarning' | 'onProgress' | 'signal'>,
): Promise<DecoderChoice> => {
  const { engine, description } = model
  const checked = options.selfCheck !== 'off' && !kernelsOf(engine.device).hostMemory
  const types = options.activations ? [options.activations] : activationTypes(engine, model)
  // As in open-model: an engine that opens files itself knows the type on any device.
  const rounds = description.sequence.attentions.some(({ alibi }) => alibi?.bfloat16)
  if (rounds && !kernelsOf(engine.device).bfloat16 && !engine.features.externalFiles) {
    throw new WrongResults(
      engine.device,
      "it has no bfloat16, which the biases of this model's attention are rounded to",
    )
  }
  for (const [at, dtype] of types.entries()) {
    const choice = { attention: resolveAttention(options.attention, attentionFacts(engine, description, dtype)), dtype }
    if (engine.limits) {
      checkLimits(model.decoderGraph(choice), engine.limits)
      if (model.sees) checkLimits(model.visionGraph({ dtype }), engine.limits)
    }
    if (!checked) return choice
    const { signal, onProgress } = options
    // Its rows are read here and there.
    await model.download({
      wholeOnly: true,
      signal,
      onProgress: (event) => onProgress?.({ stage: 'download', ...event }),
    })
    onProgress?.({ stage: 'check' })
    try {
      await check(model, choice, options.signal)
      return choice
    } catch (error) {
      const next = types[at + 1]
      if (!next || !(error instanceof WrongResults)) throw error
      options.onWarning?.(`${error.message} Activations are ${next} instead.`)
    }
  }
  throw new AwqError('INVALID_ARGUMENT', 'there is no type of activations to load the model with')
}
