/**
 * How Gemma 3 sees (arXiv 2503.19786): squares of SigLIP's features become their mean, a norm and a product with a matrix follow.
 * @module
 */
import type { ConfigReader } from '../config-reader.ts'
import { linear, rmsNorm } from '../parts.ts'
import type { VisionTable } from './table.ts'
import { readTower } from './vit-towers.ts'

const PROJECTION = 'multi_modal_projector.mm_input_projection'

/** What its parameters are called in files. */
export const gemmaFileNames = {
  'vision_tower.': 'vision_tower.vision_model.',
  [`${PROJECTION}.weight`]: 'multi_modal_projector.mm_input_projection_weight',
  'lm_head.': 'language_model.lm_head.',
  'model.': 'language_model.model.',
} as const

/** Reads the table. @param outer config.json @param vision its `vision_config` */
export const gemmaVision = (outer: ConfigReader, vision: ConfigReader, hiddenSize: number): VisionTable => {
  const tower = readTower(vision, { name: 'vision_tower.', kind: 'siglip_vision_model', norm: true })
  const { size, patch } = tower.pixels as Extract<typeof tower.pixels, { kind: 'tiles' }>
  const tokens = outer.size('mm_tokens_per_image', 256)
  const [side, patches] = [Math.floor(Math.sqrt(tokens)), Math.floor(size / patch)]
  const factor = Math.floor(patches / side)
  if (factor === 0) return outer.reject('mm_tokens_per_image', `at most the ${patches ** 2} patches of an image`)
  const epsilon = vision.positive('layer_norm_eps', 1e-6)
  return {
    tower,
    projector: {
      before: [],
      rearrange: { kind: 'average', factor },
      after: [
        rmsNorm('multi_modal_projector.mm_soft_emb_norm', tower.hiddenSize, epsilon, 'hidden', 'pooled', 1),
        { ...linear(PROJECTION, [hiddenSize, tower.hiddenSize], 'pooled', 'hidden'), transposed: true },
      ],
    },
    attention: 'image',
    anyResolution: null,
    imageTokenId: outer.count(outer.has('image_token_id') ? 'image_token_id' : 'image_token_index', 262144),
    aliases: {
      'model.vision_tower.vision_model.': 'vision_tower.',
      'vision_tower.vision_model.': 'vision_tower.',
      'model.vision_tower.': 'vision_tower.',
      // A matrix without a name of its own.
      'model.multi_modal_projector.mm_input_projection_weight': `${PROJECTION}.weight`,
      'multi_modal_projector.mm_input_projection_weight': `${PROJECTION}.weight`,
      'model.multi_modal_projector.': 'multi_modal_projector.',
    },
  }
}
