import { type ActivationType, type AttentionForm, fusedIsPossible, type Positioned } from '@awq/models'
import { type Device, type Engine, kernelsOf } from '@awq/ort'
import { AwqError } from '@awq/tensor'

/** What decides between the two forms of attention. */
export interface AttentionFacts {
  /** True when the operator GroupQueryAttention can say all of the model's attention: `fusedIsPossible` of @awq/models. */
  readonly fusable: boolean
  readonly device: Device
  /** True when the engine writes outputs into the buffers it is given, so that a cache can be appended to in place. */
  readonly inPlaceOutputs: boolean
  /** True when the engine keeps tensors on its device, so that a cache need not travel. */
  readonly deviceTensors?: boolean | undefined
  /** Type of activations and cache, float32 by default. */
  readonly dtype?: ActivationType | undefined
}

/**
 * The form of attention to serve with. `fused` (one operator, cache appended to in place) needs attention that the
 * operator can say, a device with a kernel of it, and a cache that stays where it is: an engine that copies its outputs, or
 * has no memory on its device, would copy the whole cache for every token, where `plain` copies only the new rows.
 */
export const chooseAttention = (facts: AttentionFacts): AttentionForm => {
  const { fusable, device, inPlaceOutputs, deviceTensors = false, dtype = 'float32' } = facts
  const { hostMemory, fusedAttention } = kernelsOf(device)
  const stays = inPlaceOutputs && (hostMemory || deviceTensors)
  return stays && fusable && fusedAttention.includes(dtype) ? 'fused' : 'plain'
}

/** What `chooseAttention` needs to know of an engine. */
export const attentionFacts = (
  { device, features }: Pick<Engine, 'device' | 'features'>,
  model: Positioned,
  dtype?: ActivationType,
): AttentionFacts => ({
  fusable: fusedIsPossible(model),
  device,
  inPlaceOutputs: features.inPlaceOutputs,
  deviceTensors: features.deviceTensors,
  dtype,
})

/**
 * The form to use: the wish, where there is one, else `chooseAttention`.
 * @throws AwqError UNSUPPORTED for 'fused' with attention that the operator can not say
 */
export const resolveAttention = (wish: AttentionForm | undefined, facts: AttentionFacts): AttentionForm => {
  if (wish === 'fused' && !facts.fusable) {
    throw new AwqError(
      'UNSUPPORTED',
      "attention 'fused' needs head widths that are multiples of 8 and no linear biases, which this model does not have. Use 'plain'.",
    )
  }
  return wish ?? chooseAttention(facts)
}
