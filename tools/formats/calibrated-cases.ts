/** Models that other programs are asked to quantize: kinds of small_models.py, and the program's own options. */

/** One model. */
export interface CalibratedCase {
  readonly program: string
  readonly label: string
  readonly kind: string
  readonly options: object
  /** Scales that float16 does not hold. */
  readonly rounded?: boolean
  /** Activation order, which goes into the rows of the layers before where it can. */
  readonly ordered?: boolean
}

const autoawq = (label: string, kind: string, options: object): CalibratedCase => ({
  program: 'autoawq',
  label: `${kind} ${label}`,
  kind,
  options,
})

const gptq = (label: string, kind: string, options: object): CalibratedCase => ({
  program: 'gptqmodel',
  label: `${kind} ${label}`,
  kind,
  options: { desc_act: false, sym: true, ...options },
  ordered: 'desc_act' in options && options.desc_act === true,
})

const compressed = (label: string, kind: string, options: object, rest: Partial<CalibratedCase> = {}) => ({
  ...{ program: 'llm-compressor', label: `${kind} ${label}`, kind, options },
  ...rest,
})

const group = (bits: number, symmetric: boolean, size: number) => ({
  ...{ num_bits: bits, symmetric, strategy: 'group', group_size: size },
})
const channel = (bits: number, symmetric: boolean) => ({ num_bits: bits, symmetric, strategy: 'channel' })

export const calibratedCases: readonly CalibratedCase[] = [
  autoawq('GEMM', 'llama', { group: 64, version: 'GEMM' }),
  autoawq('GEMM', 'qwen2', { group: 32, version: 'GEMM' }),
  // Its clip search wants rows by 64.
  autoawq('GEMM', 'llama-odd', { group: 32, version: 'GEMM', clip: false }),
  autoawq('GEMV', 'llama-tied', { group: 32, version: 'GEMV' }),
  autoawq('GEMV_FAST', 'qwen2', { group: 64, version: 'GEMV_fast' }),
  gptq('4 bits', 'llama-odd', { bits: 4, group_size: 32 }),
  gptq('4 bits, activation order', 'qwen2', { bits: 4, group_size: 64, desc_act: true, act_group_aware: false }),
  gptq('4 bits, aware of groups', 'llama', { bits: 4, group_size: 64, act_group_aware: true }),
  gptq('4 bits, zero points, order, v2', 'llama-tied', {
    ...{ bits: 4, group_size: 32, desc_act: true, act_group_aware: false, sym: false, format: 'gptq_v2' },
  }),
  gptq('3 bits, zero points', 'mistral', { bits: 3, group_size: 32, sym: false, format: 'gptq_v2' }),
  gptq('8 bits, rows', 'qwen3', { bits: 8, group_size: -1, act_group_aware: false }),
  gptq('2 bits, zero points, v1', 'llama', { bits: 2, group_size: 32, sym: false, format: 'gptq' }),
  gptq('4 bits but 8 in down, none in v', 'llama-tied', {
    ...{ bits: 4, group_size: 64 },
    dynamic: { '+:.*down_proj': { bits: 8, group_size: 32 }, '-:.*v_proj': {} },
  }),
  compressed('W4A16', 'llama-odd', { groups: { Linear: group(4, true, 32) } }),
  compressed('W4A16 asymmetric, AWQ', 'qwen2', { method: 'awq', groups: { Linear: group(4, false, 64) } }),
  // Order by group, which needs g_idx, was taken out of llm-compressor.
  compressed('W4A16, actorder weight', 'llama-tied', {
    ...{ dtype: 'float16', groups: { Linear: group(4, true, 32) }, actorder: 'weight' },
  }),
  compressed('W4A16 asymmetric, actorder static', 'qwen3', {
    ...{ groups: { Linear: group(4, false, 32) }, actorder: 'static' },
  }),
  compressed('W8A16', 'mistral', { groups: { Linear: channel(8, true) } }),
  compressed('mixed', 'gemma2', {
    dtype: 'float16',
    groups: {
      're:.*[qkv]_proj$': group(8, true, 32),
      're:.*o_proj$': channel(3, false),
      're:.*(gate|up)_proj$': group(4, false, 64),
      're:.*down_proj$': group(2, true, 32),
    },
  }),
  compressed(
    'W4A16, float32',
    'llama',
    { dtype: 'float32', groups: { Linear: group(4, true, 32) } },
    { rounded: true },
  ),
]
