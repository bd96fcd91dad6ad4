/**
 * What a GGUF file says of its model, as the `config.json` of the family.
 * @module
 */
import { AwqError, quoted } from '@awq/tensor'
import { type GgufArchitecture, ggufArchitectures, settingTensors } from './architectures.ts'
import type { GgufValue } from './cursor.ts'
import type { GgufHeader } from './header.ts'

/** Divisors of rotary frequencies that tensors hold. */
export interface RopeTensors {
  readonly frequencies?: Float32Array | undefined
  readonly long?: Float32Array | undefined
  readonly short?: Float32Array | undefined
}

/** Fields of a file's metadata. */
export interface Fields {
  readonly has: (key: string) => boolean
  readonly number: (key: string, fallback?: number) => number
  readonly text: (key: string, fallback: string) => string
}

/** The shortest decimal number that is the same float32: files have 1e-5 as 0.00000999999974. */
export const shortest = (value: number): number => {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === Math.fround(value)) return short
  }
  return value
}

/** Reads fields under a prefix. @throws AwqError INVALID_FILE naming the key that is missing or of another kind */
export const fieldsOf = (name: string, metadata: ReadonlyMap<string, GgufValue>, prefix: string): Fields => {
  const wrong = (key: string, wanted: string): never => {
    const found = metadata.get(prefix + key)
    const what = found === undefined ? 'is missing' : `is ${quoted(JSON.stringify(found))}`
    throw new AwqError('INVALID_FILE', `${name}: ${prefix}${key} ${what}; ${wanted} is needed`)
  }
  return {
    has: (key) => metadata.has(prefix + key),
    number(key, fallback) {
      const value = metadata.get(prefix + key) ?? fallback
      return typeof value === 'number' && Number.isFinite(value) ? shortest(value) : wrong(key, 'a number')
    },
    text(key, fallback) {
      const value = metadata.get(prefix + key) ?? fallback
      return typeof value === 'string' ? value : wrong(key, 'a text')
    },
  }
}

/**
 * The family of a file.
 * @throws AwqError UNSUPPORTED naming one that is not read, INVALID_FILE when the file names none
 */
export const architectureOf = (name: string, { metadata }: GgufHeader): GgufArchitecture => {
  const architecture = metadata.get('general.architecture')
  if (typeof architecture !== 'string') {
    throw new AwqError('INVALID_FILE', `${name}: general.architecture is missing: it holds no language model`)
  }
  const found = ggufArchitectures.find((one) => one.name === architecture)
  if (found) return found
  const known = ggufArchitectures.map((one) => one.name).join(', ')
  throw new AwqError(
    'UNSUPPORTED',
    `${name}: its architecture is ${quoted(architecture)}; of GGUF files, ${known} are read. Use its checkpoint in safetensors`,
  )
}

/** Settings that none of the families has, and that change what a model computes. */
const foreign = ['expert_count', 'attention.scale', 'residual_scale', 'logit_scale', 'embedding_scale']

/**
 * Divisors as Llama 3.1's rule where they follow it: their largest is the factor, the other settings are those of all its
 * models. Others are LongRoPE's (arXiv 2402.13753), the same ones for every length.
 */
const divisorScaling = (divisors: Float32Array, base: number, headDim: number): Record<string, unknown> => {
  const factor = shortest(Math.max(...divisors))
  const [low, high, original] = [1, 4, 8192]
  const fits = divisors.every((divisor, i) => {
    const wavelengths = (original * base ** ((-2 * i) / headDim)) / (2 * Math.PI)
    const smooth = Math.min(1, Math.max(0, (wavelengths - low) / (high - low)))
    return Math.abs(divisor * ((1 - smooth) / factor + smooth) - 1) < 1e-3
  })
  if (fits) {
    return {
      rope_type: 'llama3',
      factor,
      low_freq_factor: low,
      high_freq_factor: high,
      original_max_position_embeddings: original,
    }
  }
  const list = Array.from(divisors, shortest)
  return { rope_type: 'longrope', short_factor: list, long_factor: list, attention_factor: 1 }
}

const ropeScaling = (
  name: string,
  fields: Fields,
  rope: RopeTensors,
  { base, headDim, context }: { readonly base: number; readonly headDim: number; readonly context: number },
): Record<string, unknown> => {
  if (rope.frequencies) return { rope_scaling: divisorScaling(rope.frequencies, base, headDim) }
  const original = fields.number('rope.scaling.original_context_length', context)
  if (rope.long || rope.short) {
    if (!rope.long || !rope.short) {
      throw new AwqError(
        'INVALID_FILE',
        `${name}: only one of ${settingTensors.long} and ${settingTensors.short} is there`,
      )
    }
    const lists = {
      long_factor: Array.from(rope.long, shortest),
      short_factor: Array.from(rope.short, shortest),
    }
    return {
      original_max_position_embeddings: original,
      rope_scaling: { type: 'longrope', ...lists, original_max_position_embeddings: original },
    }
  }
  const type = fields.text('rope.scaling.type', 'none')
  // Gemma 3 is written with a factor and without a type.
  const factor = fields.number('rope.scaling.factor', 1)
  if (type === 'linear' || (type === 'none' && factor !== 1)) return { rope_scaling: { rope_type: 'linear', factor } }
  if (type === 'none' || factor === 1) return {}
  if (type !== 'yarn') {
    throw new AwqError(
      'UNSUPPORTED',
      `${name}: rope.scaling.type is ${quoted(type)}; linear, yarn and longrope are read`,
    )
  }
  const given = (field: string, key: string) => (fields.has(key) ? { [field]: fields.number(key) } : {})
  return {
    rope_scaling: {
      rope_type: 'yarn',
      factor,
      original_max_position_embeddings: original,
      ...given('attention_factor', 'rope.scaling.yarn_attn_factor'),
      ...given('beta_fast', 'rope.scaling.yarn_beta_fast'),
      ...given('beta_slow', 'rope.scaling.yarn_beta_slow'),
    },
  }
}

/** llama.cpp's rule: the models of 27 billion parameters, by their layers, divide by the width of the stream per head. */
export const gemmaScalar = (
  modelType: string,
  layers: number,
  hidden: number,
  heads: number,
  headDim: number,
): number => (layers === (modelType === 'gemma2' ? 46 : 62) ? hidden / heads : headDim)

const familyFields = (
  modelType: string,
  fields: Fields,
  tensors: GgufHeader['tensors'],
  sizes: { readonly layers: number; readonly hidden: number; readonly heads: number; readonly headDim: number },
): Record<string, unknown> => {
  const silu = { hidden_act: 'silu' }
  const gelu = { hidden_act: 'gelu_pytorch_tanh', hidden_activation: 'gelu_pytorch_tanh' }
  const scalar = () => gemmaScalar(modelType, sizes.layers, sizes.hidden, sizes.heads, sizes.headDim)
  switch (modelType) {
    case 'llama':
      return {
        ...silu,
        attention_bias: tensors.has('blk.0.attn_q.bias'),
        mlp_bias: tensors.has('blk.0.ffn_gate.bias'),
      }
    case 'qwen2':
      return { ...silu, use_sliding_window: false }
    case 'qwen3':
      return { ...silu, attention_bias: tensors.has('blk.0.attn_q.bias'), use_sliding_window: false }
    case 'gemma':
      return gelu
    case 'gemma2':
      return {
        ...gelu,
        query_pre_attn_scalar: scalar(),
        attn_logit_softcapping: fields.number('attn_logit_softcapping', 50),
        final_logit_softcapping: fields.number('final_logit_softcapping', 30),
        sliding_window: fields.number('attention.sliding_window', 4096),
      }
    case 'gemma3_text':
      return {
        ...gelu,
        query_pre_attn_scalar: scalar(),
        attn_logit_softcapping: null,
        final_logit_softcapping: fields.has('final_logit_softcapping')
          ? fields.number('final_logit_softcapping')
          : null,
        sliding_window: fields.number('attention.sliding_window', 4096),
        sliding_window_pattern: fields.has('attention.sliding_window') ? 6 : 1,
        rope_local_base_freq: fields.number('rope.freq_base_swa', 10000),
      }
    default: {
      const window = fields.number('attention.sliding_window', 0)
      return { ...silu, attention_bias: false, sliding_window: window > 0 ? window : null }
    }
  }
}

/**
 * The config.json of a file.
 * @throws AwqError INVALID_FILE for what is missing or of another kind, UNSUPPORTED for settings that no family here has
 */
export const configOf = (name: string, header: GgufHeader, rope: RopeTensors): Record<string, unknown> => {
  const architecture = architectureOf(name, header)
  const { metadata, tensors } = header
  const fields = fieldsOf(name, metadata, `${architecture.name}.`)
  for (const key of foreign) {
    if (fields.has(key) && fields.number(key) !== 0) {
      throw new AwqError(
        'UNSUPPORTED',
        `${name}: ${architecture.name}.${key} is ${fields.number(key)}, which is not read`,
      )
    }
  }
  const [modelType] = architecture.modelTypes as readonly [string]
  const hidden = fields.number('embedding_length')
  const heads = fields.number('attention.head_count')
  const layers = fields.number('block_count')
  const headDim = fields.number('attention.key_length', Math.floor(hidden / heads))
  const base = fields.number('rope.freq_base', modelType === 'gemma3_text' ? 1e6 : 10000)
  const context = fields.number('context_length')
  const turned = fields.number('rope.dimension_count', headDim)
  const partial = modelType === 'phi3' && turned < headDim
  if ((turned !== headDim && !partial) || fields.number('attention.value_length', headDim) !== headDim) {
    throw new AwqError(
      'UNSUPPORTED',
      `${name}: ${architecture.name}.rope.dimension_count and attention.value_length must be the heads' width ${headDim}`,
    )
  }
  const vocabulary = tensors.get('token_embd.weight')?.shape[0]
  if (vocabulary === undefined) {
    throw new AwqError('INVALID_FILE', `${name}: the tensor token_embd.weight is missing: it holds no language model`)
  }
  const special = fieldsOf(name, metadata, 'tokenizer.ggml.')
  const token = (field: string, key: string) => (special.has(key) ? { [field]: special.number(key) } : {})
  return {
    architectures: [architecture.className],
    model_type: modelType,
    hidden_size: hidden,
    intermediate_size: fields.number('feed_forward_length'),
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: fields.number('attention.head_count_kv', heads),
    head_dim: headDim,
    rms_norm_eps: fields.number('attention.layer_norm_rms_epsilon'),
    rope_theta: base,
    ...ropeScaling(name, fields, rope, { base, headDim, context }),
    ...(partial ? { partial_rotary_factor: turned / headDim } : {}),
    max_position_embeddings: context,
    vocab_size: vocabulary,
    tie_word_embeddings: !tensors.has('output.weight'),
    ...familyFields(modelType, fields, tensors, { layers, hidden, heads, headDim }),
    ...token('bos_token_id', 'bos_token_id'),
    ...token('eos_token_id', 'eos_token_id'),
    ...token('pad_token_id', 'padding_token_id'),
    torch_dtype: 'float16',
  }
}
