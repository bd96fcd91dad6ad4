/**
 * Towers that see tiles of one size: CLIP (arXiv 2103.00020), SigLIP (arXiv 2303.15343), and SigLIP with positions for images of
 * any size, as Idefics3 and SmolVLM have it.
 * @module
 */
import { readActivation } from '../activation.ts'
import type { ConfigReader } from '../config-reader.ts'
import { layerNorm } from '../parts.ts'
import type { TowerTable } from './table.ts'
import { preNormBlock } from './vit-blocks.ts'

/** What a kind of tower has where `vision_config` says nothing, and how its tensors are called. */
interface TowerKind {
  readonly defaults: {
    readonly hidden: number
    readonly intermediate: number
    readonly layers: number
    readonly heads: number
    readonly image: number
    readonly patch: number
  }
  readonly activation: string
  readonly epsilon: number
  /** A class token, no bias on the patches, and a norm in front of the blocks. */
  readonly classToken: boolean
  readonly lookup: 'ordered' | 'buckets'
}

const base = { hidden: 768, intermediate: 3072, layers: 12, heads: 12, image: 224 }
const siglip = { activation: 'gelu_pytorch_tanh', epsilon: 1e-6, classToken: false } as const
const anySize: TowerKind = {
  ...siglip,
  defaults: { ...base, hidden: 1152, heads: 16, patch: 32 },
  lookup: 'buckets',
}

/** By `model_type` of `vision_config`. */
const kinds: Readonly<Record<string, TowerKind>> = {
  clip_vision_model: {
    ...{ defaults: { ...base, patch: 32 }, activation: 'quick_gelu', epsilon: 1e-5 },
    ...{ classToken: true, lookup: 'ordered' },
  },
  siglip_vision_model: { ...siglip, defaults: { ...base, patch: 16 }, lookup: 'ordered' },
  idefics3_vision: anySize,
  smolvlm_vision: anySize,
}

/** Old names of kinds in `vision_config`: SmolVLM's first files name the model instead of the tower. */
const renamed: Readonly<Record<string, string>> = { idefics3: 'idefics3_vision', smolvlm: 'smolvlm_vision' }

/** Sizes are numbers; some files have both sides in a list. */
const readSide = (reader: ConfigReader, field: string, fallback: number): number => {
  const raw = reader.raw(field)
  if (!Array.isArray(raw)) return reader.size(field, fallback)
  const [side, ...others] = reader.numbers(field)!
  if (!Number.isInteger(side) || side! < 1 || others.some((other) => other !== side))
    return reader.unsupported(field, 'squares')
  return side!
}

/** What a family takes of a tower. */
export interface TowerUse {
  /** The prefix of its parameters, with a dot. */
  readonly name: string
  /** `model_type` of `vision_config` where it has none. */
  readonly kind: string
  /** Residual streams that are taken, counted from the end where negative; default that behind the last block. */
  readonly taken?: readonly number[] | undefined
  /** Ends with the tower's last norm. */
  readonly norm: boolean
  readonly dropsClass?: boolean | undefined
}

/**
 * Reads a tower from `vision_config`.
 * @throws AwqError `UNSUPPORTED` for another kind of tower, `CONFIG` for a dimension that can not be
 */
export const readTower = (reader: ConfigReader, use: TowerUse): TowerTable => {
  const named = reader.text('model_type', use.kind)
  const found = renamed[named] ?? named
  if (!Object.hasOwn(kinds, found)) return reader.unsupported('model_type', Object.keys(kinds).join(', '))
  const { defaults, activation, epsilon: usual, classToken, lookup } = kinds[found]!
  const hiddenSize = reader.size('hidden_size', defaults.hidden)
  const heads = reader.size('num_attention_heads', defaults.heads)
  if (hiddenSize % heads !== 0) return reader.reject('num_attention_heads', `a divisor of hidden_size ${hiddenSize}`)
  const intermediateSize = reader.size('intermediate_size', defaults.intermediate)
  const layers = reader.size('num_hidden_layers', defaults.layers)
  const channels = reader.size('num_channels', 3)
  const size = readSide(reader, 'image_size', defaults.image)
  const patch = readSide(reader, 'patch_size', defaults.patch)
  if (patch > size) return reader.reject('patch_size', `at most image_size ${size}`)
  const epsilon = reader.positive('layer_norm_eps', usual)
  const block = {
    ...{ hiddenSize, intermediateSize, heads, epsilon },
    activation: readActivation(reader, 'hidden_act', activation),
  }
  const { name } = use
  const taken = (use.taken ?? [layers]).map((at) => {
    const place = at < 0 ? layers + 1 + at : at
    return place >= 0 && place <= layers
      ? place
      : reader.reject('num_hidden_layers', `enough for the features of layer ${at}`)
  })
  return {
    pixels: { kind: 'tiles', channels, size, patch },
    hiddenSize,
    heads,
    patches: { weight: `${name}embeddings.patch_embedding`, bias: !classToken },
    classToken: classToken ? `${name}embeddings.class_embedding` : null,
    positions: {
      table: `${name}embeddings.position_embedding.weight`,
      rows: Math.floor(size / patch) ** 2 + (classToken ? 1 : 0),
      lookup,
    },
    rope: null,
    window: null,
    before: classToken ? [layerNorm(`${name}pre_layrnorm`, hiddenSize, epsilon, 'hidden', 'hidden')] : [],
    blocks: Array.from({ length: Math.max(...taken) }, (_, layer) => ({
      steps: preNormBlock(`${name}encoder.layers.${layer}`, block),
      windowed: false,
    })),
    taken,
    after: use.norm ? [layerNorm(`${name}post_layernorm`, hiddenSize, epsilon, 'hidden', 'hidden')] : [],
    dropsClass: classToken && (use.dropsClass ?? false),
  }
}
