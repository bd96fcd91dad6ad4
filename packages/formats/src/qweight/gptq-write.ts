/**
 * Writes checkpoints of GPTQ, versions 1 and 2.
 * @module
 */
import { effectiveGroupSize, type QuantSpec } from '@awq/quantize'
import { AwqError, messageOf } from '@awq/tensor'
import { moduleNames, visionRoots } from '../file-names.ts'
import type { JsonObject } from '../folder/config.ts'
import type { FolderWriter } from '../folder/writer.ts'
import type { WriteOptions } from '../format.ts'
import { floatModules, moduleOf } from '../matrix-names.ts'
import type { PortableModel, QuantizedParameter } from '../model.ts'
import { type PackedWriter, writePackedCheckpoint } from '../packed/checkpoint.ts'
import { usualSpec } from '../packed/usual-spec.ts'
import { FUSED_MODULES, warnOfSiblings } from '../vllm-siblings.ts'
import { type GptqVersion, gptqShapes, groupsOfOrder, packGptq } from './gptq-layout.ts'
import { packedMatrices, qweightProblems } from './write.ts'

type Matrices = ReturnType<typeof packedMatrices>

const isSymmetric = (matrices: Matrices): boolean => matrices.every(([, { spec }]) => spec.symmetric)

/** Version 1 cannot hold a zero point of 0, which symmetric matrices do not have. */
export const usualVersion = (model: PortableModel): GptqVersion => (isSymmetric(packedMatrices(model)) ? 1 : 2)

/** Why a model cannot be written, by parameter. */
export const gptqProblems = (model: PortableModel): string[] => {
  const found = qweightProblems(model)
  for (const [name, { spec, shape }] of packedMatrices(model)) {
    const [out, width] = shape
    if (spec.bits === 3 && (out % 32 !== 0 || width % 32 !== 0)) {
      found.push(`${name} [${shape.join(', ')}]: codes of 3 bits come by 32, in rows and in columns`)
    }
  }
  return found
}

/** Also: zero points of 0, which are looked for in every matrix that has zero points. */
export const gptqV1Problems = async (model: PortableModel): Promise<string[]> => {
  const found = gptqProblems(model)
  if (found.length > 0) return found
  for (const [name, parameter] of packedMatrices(model)) {
    if (parameter.spec.symmetric) continue
    const { zeroPoints } = await parameter.read()
    if (zeroPoints?.includes(0)) {
      found.push(`${name} has a zero point of 0, which version 1 of GPTQ cannot hold; use gptq-v2`)
      break
    }
  }
  return found
}

const literal = (name: string): string => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** The rule of each module that differs from the usual: its spec, or none where it stays float. */
const exceptions = (
  model: PortableModel,
  matrices: Matrices,
  usual: QuantSpec,
  symmetric: boolean,
): Map<string, JsonObject | null> => {
  const found = new Map<string, JsonObject | null>()
  for (const [name, { spec }] of matrices) {
    if (spec.bits === usual.bits && spec.groupSize === usual.groupSize) continue
    found.set(moduleOf(name), { bits: spec.bits, group_size: spec.groupSize, sym: symmetric })
  }
  for (const module of floatModules(model)) found.set(module, null)
  return found
}

/** The same by all names that modules have, and a rule for how a model sees, which stays float. */
const allNames = (
  model: PortableModel,
  found: ReadonlyMap<string, JsonObject | null>,
): Map<string, JsonObject | null> =>
  new Map(
    [...found].flatMap(([module, rule]) => moduleNames(model.description, module).map((name) => [name, rule] as const)),
  )

/** Rules that leave a model's tower and projector float. */
const sightRules = (model: PortableModel): JsonObject =>
  Object.fromEntries(visionRoots(model).map((root) => [`-:(.*\\.)?${root}\\..*`, {}]))

/** What matrices that differ from the usual are: rules by name, which gptqmodel and vLLM follow. */
const rulesOf = (found: ReadonlyMap<string, JsonObject | null>): JsonObject => {
  const rules: Record<string, JsonObject> = {}
  const told = new Set<string>()
  for (const [module, rule] of found) {
    if (told.has(module)) continue
    const [, parent = '', own = ''] = /^(.*\.)?([^.]+)$/.exec(module) ?? []
    // vLLM asks for the one matrix that it makes of siblings, by a name of its own: where all have the rule, so has that.
    const [fused, parts = []] = Object.entries(FUSED_MODULES).find(([, modules]) => modules.includes(own)) ?? []
    const siblings = parts.map((part) => parent + part)
    const alike = siblings.every((one) => found.has(one) && JSON.stringify(found.get(one)) === JSON.stringify(rule))
    const names = fused !== undefined && alike ? `(?:${[...parts, fused].join('|')})` : literal(own)
    for (const one of fused !== undefined && alike ? siblings : [module]) told.add(one)
    rules[`${rule === null ? '-' : '+'}:^${literal(parent)}${names}$`] = rule ?? {}
  }
  return rules
}

/** Modules that are quantized, by their names within blocks where all blocks are alike; for transformers, which has no rules. */
const quantizedModules = ({ description }: PortableModel, matrices: Matrices): string[] => {
  const prefix = description.blockName(0).replace(/0$/, '')
  const names = matrices.map(([name]) => moduleOf(name))
  const within = [...new Set(names.map((name) => name.slice(prefix.length).replace(/^\d+\./, '')))]
  return within.length * description.blocks.length === names.length ? within : names
}

const configOf = (model: PortableModel, version: GptqVersion): JsonObject => {
  const matrices = packedMatrices(model)
  const usual = usualSpec(matrices)!
  const symmetric = isSymmetric(matrices)
  const dynamic = { ...rulesOf(allNames(model, exceptions(model, matrices, usual, symmetric))), ...sightRules(model) }
  const ordered = matrices.some(([, { inputOrder }]) => inputOrder)
  const isWhole = floatModules(model).length === 0
  return {
    quant_method: 'gptq',
    bits: usual.bits,
    group_size: usual.groupSize,
    desc_act: ordered,
    sym: symmetric,
    checkpoint_format: version === 1 ? 'gptq' : 'gptq_v2',
    pack_dtype: 'int32',
    lm_head: false,
    static_groups: false,
    true_sequential: true,
    ...(Object.keys(dynamic).length > 0 ? { dynamic } : {}),
    // As transformers 5 has it.
    block_name_to_quantize: moduleNames(model.description, model.description.blockName(0).replace(/\.0$/, '')).at(-1),
    ...(isWhole ? {} : { modules_in_block_to_quantize: [quantizedModules(model, matrices)] }),
  }
}

const writerOf = (model: PortableModel, version: GptqVersion): PackedWriter => ({
  entries(module, { spec, shape }: QuantizedParameter) {
    const groupSize = Math.min(effectiveGroupSize(spec.groupSize, shape[1]), shape[1])
    const { qweight, qzeros, scales } = gptqShapes({ bits: spec.bits, groupSize, shape })
    return [
      { name: `${module}.qweight`, dtype: 'I32', shape: qweight },
      { name: `${module}.qzeros`, dtype: 'I32', shape: qzeros },
      { name: `${module}.scales`, dtype: 'F16', shape: scales },
      { name: `${module}.g_idx`, dtype: 'I32', shape: [shape[1]] },
    ]
  },
  pack(module, matrix) {
    try {
      const { qweight, qzeros, scales } = packGptq(matrix, version)
      return new Map<string, ArrayBufferView>([
        [`${module}.qweight`, qweight],
        [`${module}.qzeros`, qzeros],
        [`${module}.scales`, scales],
        [`${module}.g_idx`, groupsOfOrder(matrix.inputOrder, matrix.groupSize, matrix.shape[1])],
      ])
    } catch (cause) {
      throw AwqError.is(cause) ? new AwqError(cause.code, `${module}: ${messageOf(cause)}`, { cause }) : cause
    }
  },
  quantization: configOf(model, version),
  configFile: 'quantize_config.json',
})

/** What vLLM's reader of GPTQ refuses, since it runs Marlin's kernels alone. */
const warnOfVllm = (model: PortableModel, matrices: Matrices, options: WriteOptions): void => {
  const reasons = [
    matrices.some(([, { spec }]) => spec.bits !== 4 && spec.bits !== 8) ? 'bits other than 4 and 8' : undefined,
    matrices.every(([, { spec }]) => spec.symmetric) ? undefined : 'zero points',
    matrices.some(([, { inputOrder }]) => inputOrder) ? 'activation order' : undefined,
  ].filter((reason) => reason !== undefined)
  if (reasons.length > 0) {
    const instead = reasons.includes('activation order') ? '' : '; it reads them from compressed-tensors'
    options.onWarning?.(`vLLM reads no GPTQ with ${reasons.join(' or ')}${instead}`)
    return
  }
  const specs = new Map(matrices.map(([name, { spec }]) => [name, `${spec.bits} ${spec.groupSize}`]))
  warnOfSiblings(model, (name) => specs.get(name) ?? 'float', options)
}

/** Writes a folder of GPTQ. */
export const writeGptq = async (
  model: PortableModel,
  into: FolderWriter,
  version: GptqVersion,
  options: WriteOptions = {},
): Promise<void> => {
  const matrices = packedMatrices(model)
  const sizes = new Set(matrices.map(([, { spec }]) => `${spec.bits} ${spec.groupSize}`))
  if (sizes.size > 1) {
    options.onWarning?.(
      'matrices are of several bits or group sizes: gptqmodel and vLLM follow the rules ("dynamic") that say which, ' +
        'transformers does not',
    )
  }
  warnOfVllm(model, matrices, options)
  await writePackedCheckpoint(model, into, writerOf(model, version), options)
}
