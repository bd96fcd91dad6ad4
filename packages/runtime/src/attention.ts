import type { AttentionForm } from '@awq/models'
import type { Device } from '@awq/ort'
import { AwqError } from '@awq/tensor'

/** What decides between the two forms of attention. */
export interface AttentionFacts {
  /** Width of one head. */
  readonly headDim: number
  readonly device: Device
  /** True when the engine writes outputs into the buffers it is given, so that a cache can be appended to in place. */
  readonly inPlaceOutputs: boolean
}

/** True when the operator GroupQueryAttention takes heads of this width: multiples of 8. */
export const fusedIsPossible = (headDim: number): boolean => headDim % 8 === 0

/**
 * The form of attention to serve with. `fused` (one operator, cache appended to in place) needs a head width that is a
 * multiple of 8, the CPU (CUDA has no float32 kernel of it), and outputs written in place: an engine that copies them
 * would copy the whole cache for every token, where `plain` copies only the new rows.
 */
export const chooseAttention = ({ headDim, device, inPlaceOutputs }: AttentionFacts): AttentionForm =>
  fusedIsPossible(headDim) && device === 'cpu' && inPlaceOutputs ? 'fused' : 'plain'

/**
 * The form to use: the wish, where there is one, else `chooseAttention`.
 * @throws AwqError UNSUPPORTED for 'fused' with a head width that is no multiple of 8
 */
export const resolveAttention = (wish: AttentionForm | undefined, facts: AttentionFacts): AttentionForm => {
  if (wish === 'fused' && !fusedIsPossible(facts.headDim)) {
    throw new AwqError(
      'UNSUPPORTED',
      `attention 'fused' needs a head width that is a multiple of 8; this model's is ${facts.headDim}. Use 'plain'.`,
    )
  }
  return wish ?? chooseAttention(facts)
}
