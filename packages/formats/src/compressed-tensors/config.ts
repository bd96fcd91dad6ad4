/**
 * `quantization_config` of compressed-tensors: which groups of matrices are quantized how.
 * @module
 */
import { AwqError, quoted } from '@awq/tensor'
import { isObject, type JsonObject, statedInteger } from '../folder/config.ts'
import type { ReadOptions } from '../model.ts'

/** How the matrices of one of its groups are quantized. */
export interface WeightScheme {
  readonly bits: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8
  /** -1: one scale for every row; 0: one for the whole matrix. */
  readonly groupSize: number
  readonly symmetric: boolean
}

/** Formats whose integers are read here. */
export const INTEGER_FORMATS: readonly string[] = [
  'pack-quantized',
  'int-quantized',
  'naive-quantized',
  'mixed-precision',
]

const readWeights = (weights: JsonObject, where: string): WeightScheme => {
  const refuse = (problem: string): never => {
    throw new AwqError(
      'UNSUPPORTED',
      `${where}.weights: ${problem}; integers of 1 to 8 bits in groups or rows are read`,
    )
  }
  const { type = 'int', symmetric = true, strategy } = weights
  const bits = statedInteger(weights, 'num_bits', `${where}.weights`) ?? 8
  const size = statedInteger(weights, 'group_size', `${where}.weights`)
  if (type !== 'int') refuse(`type ${quoted(String(type))}`)
  if (bits < 1 || bits > 8) refuse(`num_bits ${bits}`)
  if (typeof symmetric !== 'boolean') refuse(`symmetric ${quoted(String(symmetric))}`)
  const grouped = size !== undefined && size > 0
  const kind = strategy ?? (grouped ? 'group' : size === -1 ? 'channel' : 'tensor')
  if (kind !== 'group' && kind !== 'channel' && kind !== 'tensor') refuse(`strategy ${quoted(String(kind))}`)
  if (kind === 'group' && !grouped) refuse(`group_size ${quoted(String(size))}`)
  return {
    bits: bits as WeightScheme['bits'],
    groupSize: kind === 'group' ? (size as number) : kind === 'channel' ? -1 : 0,
    symmetric: symmetric as boolean,
  }
}

const warnOfActivations = (groups: readonly JsonObject[], { onWarning }: Pick<ReadOptions, 'onWarning'>): void => {
  for (const side of ['input_activations', 'output_activations'] as const) {
    const found = groups.map((group) => group[side]).find(isObject)
    if (found) onWarning?.(`${side} were meant to be rounded to ${String(found.num_bits)} bits; here they stay float`)
  }
}

/**
 * The schemes of a configuration; which matrix has which follows from the shapes of its tensors.
 * @throws AwqError UNSUPPORTED for formats, transforms and schemes that are not read, naming them; CONFIG when it is damaged
 */
export const readSchemes = (
  quantization: JsonObject,
  name: string,
  options: Pick<ReadOptions, 'onWarning'>,
): WeightScheme[] => {
  const where = `${name}/config.json: quantization_config`
  const { format, config_groups: groups, transform_config: transforms, kv_cache_scheme: cache } = quantization
  if (!INTEGER_FORMATS.includes(String(format))) {
    throw new AwqError(
      'UNSUPPORTED',
      `${where}.format is ${quoted(String(format))}; ${INTEGER_FORMATS.join(', ')} are read`,
    )
  }
  const rotated = isObject(transforms) && isObject(transforms.config_groups) ? transforms.config_groups : {}
  if (Object.keys(rotated).length > 0) {
    throw new AwqError(
      'UNSUPPORTED',
      `${where}.transform_config: activations are transformed at run time, which is not done here`,
    )
  }
  if (!isObject(groups)) throw new AwqError('CONFIG', `${where}.config_groups must be an object`)
  if (isObject(cache))
    options.onWarning?.('kv_cache_scheme: keys and values were meant to be rounded; here they stay float')
  const schemes: WeightScheme[] = []
  const objects: JsonObject[] = []
  for (const [key, group] of Object.entries(groups)) {
    if (!isObject(group)) throw new AwqError('CONFIG', `${where}.config_groups.${key} must be an object`)
    objects.push(group)
    if (isObject(group.weights)) schemes.push(readWeights(group.weights, `${where}.config_groups.${key}`))
  }
  warnOfActivations(objects, options)
  return schemes
}

/** A group of matrices to write. */
export interface SchemeGroup {
  readonly scheme: WeightScheme
  /** Names of modules, or `Linear` for all. */
  readonly targets: readonly string[]
}

/** The `quantization_config` of packed matrices. @param ignore modules that stay float although a target fits them */
export const writeSchemes = (groups: readonly SchemeGroup[], ignore: readonly string[]): JsonObject => ({
  quant_method: 'compressed-tensors',
  format: 'pack-quantized',
  quantization_status: 'compressed',
  config_groups: Object.fromEntries(
    groups.map(({ scheme: { bits, groupSize, symmetric }, targets }, i) => [
      `group_${i}`,
      {
        targets,
        weights: {
          num_bits: bits,
          type: 'int',
          symmetric,
          strategy: groupSize === -1 ? 'channel' : 'group',
          group_size: groupSize === -1 ? null : groupSize,
          dynamic: false,
          actorder: null,
          observer: 'minmax',
        },
        input_activations: null,
        output_activations: null,
      },
    ]),
  ),
  ignore,
  kv_cache_scheme: null,
  global_compression_ratio: null,
})
