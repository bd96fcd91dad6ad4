/**
 * Idefics3 (arXiv 2408.12637) and SmolVLM (arXiv 2504.05299): tiles of a large image through SigLIP, squares of features side by
 * side through one linear, in front of Llama.
 * @module
 */
import type { Architecture } from '../architecture.ts'
import { linear } from '../parts.ts'
import { readTower } from '../vision/vit-towers.ts'
import { languagePart } from './language-part.ts'

export const idefics3: Architecture = {
  modelTypes: ['idefics3', 'smolvlm'],
  model(reader, modelType, find) {
    const table = languagePart(reader, find, {
      modelType,
      kind: 'llama',
      tied: (whole) => whole.flag('tie_word_embeddings', false),
      names: { base: ['model.text_model.'] },
    })
    return {
      ...table,
      fileNames: { 'vision_model.': 'model.vision_model.', 'connector.': 'model.connector.', ...table.fileNames },
      vision: () => {
        const vision = reader.object('vision_config') ?? reader.reject('vision_config', 'an object')
        const tower = readTower(vision, { name: 'vision_model.', kind: `${modelType}_vision`, norm: true })
        const factor = reader.size('scale_factor', 2)
        return {
          tower,
          projector: {
            before: [],
            rearrange: { kind: 'shuffle', factor },
            after: [
              linear(
                'connector.modality_projection.proj',
                [table.config.hiddenSize, tower.hiddenSize * factor ** 2],
                'hidden',
                'hidden',
              ),
            ],
          },
          attention: 'causal',
          anyResolution: null,
          imageTokenId: reader.count('image_token_id', 128257),
          aliases: { 'model.vision_model.': 'vision_model.', 'model.connector.': 'connector.' },
        }
      },
    }
  },
}
