/**
 * The towers of Qwen2-VL (arXiv 2409.12191) and Qwen2.5-VL (arXiv 2502.13923): patches of an image of any size, turned by their
 * row and column; in 2.5 most blocks attend within windows.
 * @module
 */
import { readActivation } from '../activation.ts'
import type { ConfigReader } from '../config-reader.ts'
import { addToHidden, gatedMlp, layerNorm, linear, rmsNorm } from '../parts.ts'
import type { NormStep, Step } from '../steps.ts'
import type { ProjectorTable, TowerTable } from './table.ts'
import { attendToAll } from './vit-blocks.ts'

const EPSILON = 1e-6

/** A tower and the merger behind it. */
export interface TowerAndProjector {
  readonly tower: TowerTable
  readonly projector: ProjectorTable
}

const attention = (name: string, hiddenSize: number, heads: number): Step[] => [
  linear(`${name}.attn.qkv`, [3 * hiddenSize, hiddenSize], 'attentionInput', 'projected', true),
  { step: 'split', from: 'projected', to: ['query', 'key', 'value'], widths: new Array<number>(3).fill(hiddenSize) },
  attendToAll(hiddenSize, heads),
  linear(`${name}.attn.proj`, [hiddenSize, hiddenSize], 'attended', 'attentionOutput', true),
  addToHidden('attentionOutput'),
]

/** `mlp.2(gelu(mlp.0(x)))` of neighbours side by side. */
const readMerger = (norm: NormStep, hiddenSize: number, merge: number, rows: number): ProjectorTable => {
  const width = hiddenSize * merge ** 2
  return {
    before: [norm],
    rearrange: { kind: 'merge', factor: merge },
    after: [
      linear('visual.merger.mlp.0', [width, width], 'hidden', 'merged', true),
      { step: 'activation', activation: 'gelu', from: 'merged', to: 'activated' },
      linear('visual.merger.mlp.2', [rows, width], 'activated', 'hidden', true),
    ],
  }
}

/**
 * Reads tower and merger from `vision_config`.
 * @param later Qwen2.5-VL
 * @param rows width of the language model's residual stream
 */
export const readQwenTower = (reader: ConfigReader, later: boolean, rows: number): TowerAndProjector => {
  const hiddenSize = later ? reader.size('hidden_size', 3584) : reader.size('embed_dim', 1280)
  const heads = reader.size('num_heads', 16)
  const headDim = hiddenSize / heads
  if (!Number.isInteger(headDim) || headDim % 4 !== 0)
    return reader.reject('num_heads', `such that a head of ${hiddenSize} / num_heads elements is a multiple of 4`)
  const [outField, layers] = [later ? 'out_hidden_size' : 'hidden_size', reader.size('depth', 32)]
  if (reader.size(outField, 3584) !== rows) return reader.reject(outField, `the language model's hidden_size ${rows}`)
  const merge = reader.size('spatial_merge_size', 2)
  const patch = reader.size('patch_size', 14)
  // Both names of the channels are in use; transformers reads the first.
  const channels = reader.size('in_channels', 3)
  const frames = reader.size('temporal_patch_size', 2)
  const activation = readActivation(reader, 'hidden_act', later ? 'silu' : 'quick_gelu')
  const intermediateSize = later
    ? reader.size('intermediate_size', 3420)
    : Math.trunc(hiddenSize * reader.positive('mlp_ratio', 4))
  const whole = new Set(later ? (reader.numbers('fullatt_block_indexes') ?? [7, 15, 23, 31]) : [])
  const side = later ? Math.floor(Math.floor(reader.size('window_size', 112) / merge) / patch) * merge : null
  if (side === 0) return reader.reject('window_size', `at least ${merge * patch}, patches that are merged`)
  const parameters = reader.object('rope_parameters')
  const norm = (weight: string, from: string, to: string): NormStep =>
    later ? rmsNorm(weight, hiddenSize, EPSILON, from, to) : layerNorm(weight, hiddenSize, EPSILON, from, to)
  const mlp = (name: string): Step[] =>
    later
      ? gatedMlp(
          { hiddenSize, intermediateSize },
          {
            from: 'mlpInput',
            activation,
            bias: true,
            names: [`${name}.gate_proj`, `${name}.up_proj`, `${name}.down_proj`],
          },
        )
      : [
          linear(`${name}.fc1`, [intermediateSize, hiddenSize], 'mlpInput', 'up', true),
          { step: 'activation', activation, from: 'up', to: 'activated' },
          linear(`${name}.fc2`, [hiddenSize, intermediateSize], 'activated', 'mlpOutput', true),
        ]
  const block = (name: string): Step[] => [
    norm(`${name}.norm1`, 'hidden', 'attentionInput'),
    ...attention(name, hiddenSize, heads),
    norm(`${name}.norm2`, 'hidden', 'mlpInput'),
    ...mlp(`${name}.mlp`),
    addToHidden('mlpOutput'),
  ]
  return {
    tower: {
      pixels: { kind: 'patches', channels, frames, patch, merge },
      hiddenSize,
      heads,
      patches: { weight: 'visual.patch_embed.proj', bias: false },
      classToken: null,
      positions: null,
      rope: { theta: parameters?.positive('rope_theta', 10000) ?? 10000 },
      window: side,
      before: [],
      blocks: Array.from({ length: layers }, (_, layer) => ({
        steps: block(`visual.blocks.${layer}`),
        windowed: later && !whole.has(layer),
      })),
      taken: [layers],
      after: [],
      dropsClass: false,
    },
    projector: readMerger(norm('visual.merger.ln_q', 'hidden', 'hidden'), hiddenSize, merge, rows),
  }
}
