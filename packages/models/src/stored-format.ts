/**
 * Which number format a float checkpoint's matrices are stored in, by `quantization_config` of config.json.
 * @module
 */
import { AwqError } from '@awq/tensor'
import type { ConfigReader } from './config-reader.ts'

/**
 * `plain`: the tensors are the weights. `float8`: E4M3 codes with scales beside them (`float8-checkpoint.ts`). `mxfp4`:
 * blocks of 4-bit codes and their scales (`mxfp4-checkpoint.ts`).
 */
export interface StoredFormat {
  readonly kind: 'plain' | 'float8' | 'mxfp4'
  /** Rows and columns that share a scale, where the config says so (DeepSeek-V3: 128 x 128). */
  readonly block: readonly [rows: number, columns: number] | null
}

const refuse = (what: string): never => {
  throw new AwqError(
    'UNSUPPORTED',
    `config.json: the model is quantized already (quantization_config: ${what}); convert it first (awq convert), or use its float checkpoint`,
  )
}

const readBlock = (config: ConfigReader): StoredFormat['block'] => {
  const sizes = config.numbers('weight_block_size')
  if (!sizes) return null
  const [rows, columns] = sizes
  const valid = sizes.length === 2 && sizes.every((size) => Number.isInteger(size) && size > 0)
  return valid ? [rows!, columns!] : config.reject('weight_block_size', 'two whole numbers above 0')
}

/**
 * Reads `quantization_config`. Weights of 8-bit floating point are read as what they stand for: `quant_method` "fp8"
 * (DeepSeek-V3, AutoFP8) and "compressed-tensors" of the formats float-quantized and naive-quantized.
 * @throws AwqError `UNSUPPORTED` for any other format, naming it
 */
export const readStoredFormat = (reader: ConfigReader): StoredFormat => {
  const config = reader.object('quantization_config')
  if (!config) return { kind: 'plain', block: null }
  const method = config.text('quant_method', 'unnamed')
  if (method === 'mxfp4') return { kind: 'mxfp4', block: null }
  if (method === 'compressed-tensors') {
    const format = config.text('format', 'unnamed')
    if (format !== 'float-quantized' && format !== 'naive-quantized') refuse(`${method}, ${format}`)
  } else if (method !== 'fp8') refuse(method)
  config.only('fmt', 'e4m3')
  return { kind: 'float8', block: readBlock(config) }
}
