/** What other programs are asked to load: small models, rounded to nearest, in the formats that they read. */
import type { QuantSpec } from '@awq/quantize'

/** A program that loads a folder; `compressed-tensors` is transformers with it, `transformers` with gptqmodel. */
export type Loader = 'autoawq' | 'transformers' | 'gptqmodel' | 'compressed-tensors' | 'vllm'

/** One model in one scheme. */
export interface LoadedCase {
  /** Of small_models.py. */
  readonly kind: string
  readonly scheme: string
  /** Of a matrix, by its name. */
  readonly specOf: (name: string) => QuantSpec | null
  /** Formats, and who loads each. */
  readonly formats: Readonly<Record<string, readonly Loader[]>>
}

const every =
  (bits: QuantSpec['bits'], groupSize: number, symmetric: boolean): LoadedCase['specOf'] =>
  () => ({ bits, groupSize, symmetric })

const experts =
  (bits: QuantSpec['bits'], others: QuantSpec['bits']): LoadedCase['specOf'] =>
  (name) => ({ bits: name.includes('.experts.') ? bits : others, groupSize: 32, symmetric: true })

const asymmetric = (kind: string): LoadedCase => ({
  ...{ kind, scheme: '4 bits, zero points', specOf: every(4, 64, false) },
  formats: {
    autoawq: ['autoawq', 'transformers', 'vllm'],
    'autoawq-gemv': ['autoawq'],
    gptq: ['transformers', 'gptqmodel'],
    'compressed-tensors': ['vllm'],
  },
})

const symmetric = (kind: string): LoadedCase => ({
  ...{ kind, scheme: '4 bits, symmetric', specOf: every(4, 32, true) },
  formats: { autoawq: ['transformers', 'vllm'], gptq: ['transformers', 'vllm'], 'compressed-tensors': ['vllm'] },
})

/** All of them. */
export const loadedCases: readonly LoadedCase[] = [
  asymmetric('llama'),
  asymmetric('qwen2'),
  symmetric('qwen3'),
  symmetric('gemma2'),
  symmetric('phi3'),
  symmetric('mistral'),
  {
    ...{ kind: 'mistral', scheme: '3 bits, zero points', specOf: every(3, 32, false) },
    formats: { gptq: ['transformers', 'gptqmodel'] },
  },
  {
    ...{ kind: 'llama-odd', scheme: '3 bits, symmetric', specOf: every(3, 32, true) },
    formats: { 'gptq-v1': ['transformers', 'gptqmodel'] },
  },
  {
    ...{ kind: 'llama-tied', scheme: '8 bits, rows', specOf: every(8, -1, true) },
    formats: { 'gptq-v1': ['transformers', 'gptqmodel'], 'gptq-v2': ['gptqmodel'] },
  },
  {
    ...{ kind: 'llama', scheme: '2 bits, zero points', specOf: every(2, 32, false) },
    formats: { 'gptq-v2': ['transformers', 'gptqmodel'] },
  },
  {
    kind: 'llama',
    scheme: '4 bits, down 8, up and gate 3, first v float',
    specOf: (name) =>
      name === 'model.layers.0.self_attn.v_proj.weight'
        ? null
        : name.includes('down_proj')
          ? { bits: 8, groupSize: 32, symmetric: true }
          : /up_proj|gate_proj/.test(name)
            ? { bits: 3, groupSize: 32, symmetric: true }
            : { bits: 4, groupSize: 64, symmetric: true },
    formats: { gptq: ['gptqmodel'] },
  },
  {
    kind: 'qwen2',
    scheme: '4 bits, the first block float',
    specOf: (name) => (name.includes('layers.0.') ? null : { bits: 4, groupSize: 64, symmetric: true }),
    formats: {
      autoawq: ['autoawq', 'transformers', 'vllm'],
      gptq: ['gptqmodel', 'vllm'],
      'compressed-tensors': ['vllm'],
    },
  },
  {
    ...{ kind: 'qwen3-moe', scheme: '4 bits, symmetric', specOf: every(4, 32, true) },
    formats: { 'compressed-tensors': ['compressed-tensors', 'vllm'] },
  },
  {
    ...{ kind: 'qwen3-moe', scheme: '4 bits, experts 3', specOf: experts(3, 4) },
    formats: { 'compressed-tensors': ['compressed-tensors'] },
  },
]
