/**
 * Qwen2-VL (arXiv 2409.12191) and Qwen2.5-VL (arXiv 2502.13923): images of any size in front of Qwen 2, whose positions have three
 * parts: time, row and column.
 * @module
 */
import type { Architecture } from '../architecture.ts'
import { readConfig } from '../config-reader.ts'
import { readQwenTower } from '../vision/qwen-tower.ts'
import { qwenTable } from './qwen.ts'

/** The language model's dimensions where files leave them out. */
const text = {
  ...{ vocab_size: 152064, hidden_size: 8192, intermediate_size: 29568, num_hidden_layers: 80 },
  ...{ num_attention_heads: 64, num_key_value_heads: 8, rms_norm_eps: 1e-5, max_window_layers: 80 },
}

/** Fields that lie in the file of the whole, where the language model's are beside them. */
const outside = ['vision_config', 'text_config', 'model_type', 'quantization_config']

export const qwenVl: Architecture = {
  modelTypes: ['qwen2_vl', 'qwen2_5_vl'],
  model(reader, modelType) {
    const whole = reader.object('text_config')?.json ?? reader.json
    const own = Object.fromEntries(Object.entries(whole).filter(([field]) => !outside.includes(field)))
    const part = readConfig({ rope_theta: 1e6, ...text, ...own }, reader.has('text_config') ? 'text_config.' : '')
    const table = qwenTable(part, 'qwen2', { sections: [16, 24, 24] })
    const tied = reader.flag('tie_word_embeddings', false) || table.config.tiedEmbeddings
    const config = { ...table.config, modelType, tiedEmbeddings: tied }
    return {
      ...table,
      config,
      aliases: { ...table.aliases, 'model.language_model.': 'model.' },
      vision: () => {
        const vision = reader.object('vision_config') ?? reader.reject('vision_config', 'an object')
        const { tower, projector } = readQwenTower(vision, modelType === 'qwen2_5_vl', config.hiddenSize)
        return {
          tower,
          projector,
          attention: 'causal',
          anyResolution: null,
          imageTokenId: reader.count('image_token_id', 151655),
          aliases: { 'model.visual.': 'visual.' },
        }
      },
    }
  },
}
