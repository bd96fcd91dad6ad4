/**
 * LLaVA 1.5 (arXiv 2310.03744) and LLaVA-NeXT, also called 1.6: features of CLIP's last block but one through an MLP, in front of
 * Llama, Mistral or another language model. NeXT sees large images as several tiles.
 * @module
 */
import { readActivation } from '../activation.ts'
import type { Architecture } from '../architecture.ts'
import type { ConfigReader } from '../config-reader.ts'
import { linear } from '../parts.ts'
import type { AnyResolution, ProjectorTable } from '../vision/table.ts'
import { readTower } from '../vision/vit-towers.ts'
import { languagePart } from './language-part.ts'

const PINPOINTS = [
  [336, 672],
  [672, 336],
  [672, 672],
  [1008, 336],
  [336, 1008],
] as const

const readPinpoints = (reader: ConfigReader): AnyResolution['pinpoints'] => {
  const field = 'image_grid_pinpoints'
  const given = reader.raw(field)
  if (given === undefined) return PINPOINTS
  const isSize = (pair: unknown): pair is [number, number] =>
    Array.isArray(pair) && pair.length === 2 && pair.every((side) => Number.isInteger(side) && side > 0)
  return Array.isArray(given) && given.length > 0 && given.every(isSize)
    ? given
    : reader.reject(field, 'a list of sizes [height, width]')
}

/** The residual streams that features are taken from: one, or several side by side. */
const readTaken = (reader: ConfigReader): readonly number[] => {
  const field = 'vision_feature_layer'
  const given = Array.isArray(reader.raw(field)) ? reader.numbers(field)! : [reader.number(field, -2)]
  return given.length > 0 && given.every(Number.isInteger) ? given : reader.reject(field, 'a whole number, or several')
}

export const llava: Architecture = {
  modelTypes: ['llava', 'llava_next'],
  model(reader, modelType, find) {
    const next = modelType === 'llava_next'
    const table = languagePart(reader, find, {
      modelType,
      kind: 'llama',
      tied: (whole, part) => whole.flag('tie_word_embeddings', false) || (!next && part),
      names: {
        base: ['language_model.model.', 'model.language_model.'],
        head: ['language_model.lm_head.'],
      },
    })
    const { hiddenSize } = table.config
    return {
      ...table,
      fileNames: { 'vision_tower.': 'vision_tower.vision_model.', ...table.fileNames },
      vision: () => {
        const vision = reader.object('vision_config') ?? reader.reject('vision_config', 'an object')
        const strategy = reader.text('vision_feature_select_strategy', 'default')
        if (strategy !== 'default' && strategy !== 'full')
          return reader.unsupported('vision_feature_select_strategy', 'default, full')
        const taken = readTaken(reader)
        const tower = readTower(vision, {
          name: 'vision_tower.',
          kind: 'clip_vision_model',
          taken,
          norm: false,
          dropsClass: strategy === 'default',
        })
        // "default" leaves the first token out, and only towers with a class token have one that is not a patch.
        if (strategy === 'default' && !tower.dropsClass)
          return reader.unsupported('vision_feature_select_strategy', 'full, for a tower without a class token')
        if (next && tower.classToken && !tower.dropsClass)
          return reader.unsupported('vision_feature_select_strategy', 'default, for tiles that are put together')
        const bias = reader.flag('multimodal_projector_bias', true)
        const projector: ProjectorTable = {
          before: [],
          rearrange: null,
          after: [
            linear(
              'multi_modal_projector.linear_1',
              [hiddenSize, tower.hiddenSize * taken.length],
              'hidden',
              'up',
              bias,
            ),
            {
              step: 'activation',
              activation: readActivation(reader, 'projector_hidden_act', 'gelu'),
              from: 'up',
              to: 'inner',
            },
            linear('multi_modal_projector.linear_2', [hiddenSize, hiddenSize], 'inner', 'hidden', bias),
          ],
        }
        return {
          tower,
          projector,
          attention: 'causal',
          anyResolution: next ? { pinpoints: readPinpoints(reader), newline: 'image_newline' } : null,
          imageTokenId: reader.count(reader.has('image_token_id') ? 'image_token_id' : 'image_token_index', 32000),
          aliases: {
            'model.vision_tower.vision_model.': 'vision_tower.',
            'vision_tower.vision_model.': 'vision_tower.',
            'model.vision_tower.': 'vision_tower.',
            'model.multi_modal_projector.': 'multi_modal_projector.',
            'model.image_newline': 'image_newline',
          },
        }
      },
    }
  },
}
