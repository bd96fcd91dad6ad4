/**
 * PaliGemma 1 (arXiv 2407.07726) and 2 (arXiv 2412.03555): SigLIP's features through one linear in front of Gemma, in which the
 * tokens of a prompt see each other.
 * @module
 */
import type { Architecture } from '../architecture.ts'
import { linear } from '../parts.ts'
import { readTower } from '../vision/vit-towers.ts'
import { languagePart } from './language-part.ts'

export const paligemma: Architecture = {
  modelTypes: ['paligemma'],
  model(reader, modelType, find) {
    const table = languagePart(reader, find, {
      modelType,
      kind: 'gemma',
      // It says of prompts with images what is always so.
      without: ['use_bidirectional_attention'],
      tied: (whole) => whole.flag('tie_word_embeddings', true),
      names: {
        base: ['language_model.model.', 'model.language_model.'],
        head: ['language_model.lm_head.'],
      },
    })
    return {
      ...table,
      fileNames: { 'vision_tower.': 'vision_tower.vision_model.', ...table.fileNames },
      vision: () => {
        const vision = reader.object('vision_config') ?? reader.reject('vision_config', 'an object')
        const tower = readTower(vision, { name: 'vision_tower.', kind: 'siglip_vision_model', norm: true })
        return {
          tower,
          projector: {
            before: [],
            rearrange: null,
            after: [
              linear(
                'multi_modal_projector.linear',
                [table.config.hiddenSize, tower.hiddenSize],
                'hidden',
                'hidden',
                true,
              ),
            ],
          },
          attention: 'prefix',
          anyResolution: null,
          imageTokenId: reader.count(reader.has('image_token_id') ? 'image_token_id' : 'image_token_index', 256000),
          aliases: {
            'model.vision_tower.vision_model.': 'vision_tower.',
            'vision_tower.vision_model.': 'vision_tower.',
            'model.vision_tower.': 'vision_tower.',
            'model.multi_modal_projector.': 'multi_modal_projector.',
          },
        }
      },
    }
  },
}
