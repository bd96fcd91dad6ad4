/**
 * What llama.cpp calls the parameters of the families whose GGUF files are read and written.
 * @module
 */

/** A family in GGUF files. */
export interface GgufArchitecture {
  /** `general.architecture`. */
  readonly name: string
  /** The values of `model_type` that are written so; files are read as the first. */
  readonly modelTypes: readonly string[]
  /** `architectures` of config.json. */
  readonly className: string
  /** Inside a block: our base name, without `.weight` or `.bias`, to theirs. */
  readonly blocks: Readonly<Record<string, string>>
  /** Rotary embedding turns neighbouring rows there and rows half a head apart here: rows of query and key lie otherwise. */
  readonly permuted: boolean
  /** 1 where files hold the factor of norms, and checkpoints what is added to one. */
  readonly normOffset: 0 | 1
}

const llamaBlocks = {
  input_layernorm: 'attn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  post_attention_layernorm: 'ffn_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
}

const headNorms = { 'self_attn.q_norm': 'attn_q_norm', 'self_attn.k_norm': 'attn_k_norm' }

const gemma2Blocks = {
  ...llamaBlocks,
  post_attention_layernorm: 'post_attention_norm',
  pre_feedforward_layernorm: 'ffn_norm',
  post_feedforward_layernorm: 'post_ffw_norm',
}

const plain = { permuted: false, normOffset: 0 } as const
const added = { permuted: false, normOffset: 1 } as const

/** By `general.architecture`. */
export const ggufArchitectures: readonly GgufArchitecture[] = [
  {
    name: 'llama',
    modelTypes: ['llama', 'mistral'],
    className: 'LlamaForCausalLM',
    blocks: llamaBlocks,
    permuted: true,
    normOffset: 0,
  },
  { name: 'qwen2', modelTypes: ['qwen2'], className: 'Qwen2ForCausalLM', blocks: llamaBlocks, ...plain },
  {
    name: 'qwen3',
    modelTypes: ['qwen3'],
    className: 'Qwen3ForCausalLM',
    blocks: { ...llamaBlocks, ...headNorms },
    ...plain,
  },
  { name: 'gemma', modelTypes: ['gemma'], className: 'GemmaForCausalLM', blocks: llamaBlocks, ...added },
  { name: 'gemma2', modelTypes: ['gemma2'], className: 'Gemma2ForCausalLM', blocks: gemma2Blocks, ...added },
  {
    name: 'gemma3',
    modelTypes: ['gemma3_text', 'gemma3'],
    className: 'Gemma3ForCausalLM',
    blocks: { ...gemma2Blocks, ...headNorms },
    ...added,
  },
  {
    name: 'phi3',
    modelTypes: ['phi3'],
    className: 'Phi3ForCausalLM',
    blocks: {
      input_layernorm: 'attn_norm',
      'self_attn.qkv_proj': 'attn_qkv',
      'self_attn.o_proj': 'attn_output',
      post_attention_layernorm: 'ffn_norm',
      'mlp.gate_up_proj': 'ffn_up',
      'mlp.down_proj': 'ffn_down',
    },
    ...plain,
  },
]

const outer: Readonly<Record<string, string>> = {
  'model.embed_tokens.weight': 'token_embd.weight',
  'model.norm.weight': 'output_norm.weight',
  'lm_head.weight': 'output.weight',
}
const inner = new Map(Object.entries(outer).map(([own, other]) => [other, own]))

/** Tensors that hold settings, which config.json has: divisors of rotary frequencies. */
export const settingTensors = {
  frequencies: 'rope_freqs.weight',
  long: 'rope_factors_long.weight',
  short: 'rope_factors_short.weight',
} as const

/** Their name of a parameter; null when the family has none. */
export const ggufName = ({ blocks }: GgufArchitecture, name: string): string | null => {
  if (Object.hasOwn(outer, name)) return outer[name]!
  const [, layer, base, kind] = /^model\.layers\.(\d+)\.(.+)\.(weight|bias)$/.exec(name) ?? []
  return base !== undefined && Object.hasOwn(blocks, base) ? `blk.${layer}.${blocks[base]}.${kind}` : null
}

/** Our name of one of their tensors; null when the family has none. */
export const parameterName = ({ blocks }: GgufArchitecture, name: string): string | null => {
  const whole = inner.get(name)
  if (whole !== undefined) return whole
  const [, layer, part, kind] = /^blk\.(\d+)\.(.+)\.(weight|bias)$/.exec(name) ?? []
  const base = Object.keys(blocks).find((own) => blocks[own] === part)
  return base === undefined ? null : `model.layers.${layer}.${base}.${kind}`
}

/** Which heads the rows of a parameter are ordered by, where their order differs; null for all others. */
export const permutedHeads = (
  { permuted }: GgufArchitecture,
  name: string,
  { heads, kvHeads }: { readonly heads: number; readonly kvHeads: number },
): number | null => {
  if (!permuted) return null
  if (/\.self_attn\.q_proj\./.test(name)) return heads
  return /\.self_attn\.k_proj\./.test(name) ? kvHeads : null
}

/**
 * Rows, of `bytes / rows` bytes each, in the other order: row 2 i + j of a head is there what row j * half + i is here.
 * @param to `gguf`: from ours to theirs; `model`: back
 */
export const permuteRows = (bytes: Uint8Array, rows: number, heads: number, to: 'gguf' | 'model'): Uint8Array => {
  const size = bytes.length / rows
  const head = rows / heads
  const half = head / 2
  const result = new Uint8Array(bytes.length)
  for (let row = 0; row < rows; row++) {
    const within = row % head
    const other = row - within + 2 * (within % half) + Math.floor(within / half)
    const [from, into] = to === 'gguf' ? [row, other] : [other, row]
    result.set(bytes.subarray(from * size, (from + 1) * size), into * size)
  }
  return result
}
