/**
 * What checkpoints of GPTQ and AutoAWQ have in common: `MODULE.qweight` with `.qzeros` and `.scales` beside it.
 * @module
 */
import { AwqError, type Checkpoint, type Folder, openCheckpoint, quoted, type TensorEntry } from '@awq/tensor'
import { isObject, type JsonObject, peekFolderConfig } from '../folder/config.ts'
import { refuseTensor, tensorText } from '../packed/tensor-checks.ts'

/** The tensors of one matrix. */
export interface QweightTensors {
  /** Name without `.qweight`. */
  readonly module: string
  readonly qweight: TensorEntry
  readonly scales: TensorEntry
  /** `.qzeros`, in llm-awq `.scaled_zeros`. */
  readonly zeros: TensorEntry
  /** `.g_idx`, where it is there. */
  readonly groups: TensorEntry | undefined
}

/** Which program's layout the tensors are in. */
export type QweightLayout = 'gptq' | 'gemm' | 'gemv' | 'gemv_fast' | 'llm-awq'

export const QWEIGHT = '.qweight'
const parts = [QWEIGHT, '.scales', '.qzeros', '.scaled_zeros', '.g_idx'] as const

/**
 * The tensors of every packed matrix, by module.
 * @throws AwqError INVALID_FILE when one lacks its scales or zero points, or has tensors that are no matrices
 */
export const findQweights = ({ tensors }: Pick<Checkpoint, 'tensors'>): Map<string, QweightTensors> => {
  const found = new Map<string, QweightTensors>()
  for (const [name, qweight] of tensors) {
    if (!name.endsWith(QWEIGHT)) continue
    const module = name.slice(0, -QWEIGHT.length)
    const part = (...ends: readonly string[]): TensorEntry => {
      const entry = ends.map((end) => tensors.get(module + end)).find((one) => one !== undefined)
      return entry ?? refuseTensor(qweight, `has no ${quoted(module + ends[0]!)} beside it`)
    }
    const scales = part('.scales')
    const zeros = part('.qzeros', '.scaled_zeros')
    for (const entry of [qweight, scales, zeros]) {
      if (entry.shape.length !== 2) refuseTensor(entry, `is ${tensorText(entry)}, no matrix`)
    }
    found.set(module, { module, qweight, scales, zeros, groups: tensors.get(`${module}.g_idx`) })
  }
  return found
}

/** Whether a tensor belongs to one of these matrices. */
export const isPart = (name: string, modules: ReadonlyMap<string, unknown>): boolean =>
  parts.some((end) => name.endsWith(end) && modules.has(name.slice(0, -end.length)))

/** The layout that the shapes of a matrix' tensors tell. */
export const layoutOfTensors = ({ qweight, scales, zeros }: QweightTensors): QweightLayout | undefined => {
  if (zeros.name.endsWith('.scaled_zeros')) return 'llm-awq'
  if (qweight.dtype === 'I16') return 'gemv_fast'
  if (qweight.dtype !== 'I32') return undefined
  const [rows, columns] = qweight.shape
  // GPTQ of 2 bits has as many rows of words as groups of 16, too: eight zero points to a word are GEMV's.
  if (rows === scales.shape[0] && zeros.shape[1]! * 8 === scales.shape[1]) return 'gemv'
  if (columns === scales.shape[1]) return 'gptq'
  return columns! * 8 === scales.shape[1] ? 'gemm' : undefined
}

/** Configurations beside config.json, where older programs wrote them. */
const OLDER_CONFIGS = ['quantize_config.json', 'quant_config.json'] as const
const MAX_CONFIG = 2 ** 20

/** What a folder says of its quantization: config.json's part, or a file of its own; empty where there is nothing. */
export const quantizationOf = async (folder: Folder): Promise<JsonObject> => {
  const own = (await peekFolderConfig(folder))?.quantization
  if (own) return own
  for (const file of OLDER_CONFIGS) {
    if (!(await folder.has(file))) continue
    try {
      const json: unknown = JSON.parse(await folder.readText(file, { maxBytes: MAX_CONFIG }))
      if (isObject(json)) return json
    } catch (cause) {
      throw new AwqError('INVALID_FILE', `${folder.name}/${file} is not JSON`, { cause })
    }
  }
  return {}
}

/** What folders are taken for that say how they are quantized and whose tensors cannot tell: reading says what is wrong. */
const STATED: Readonly<Record<string, QweightLayout>> = { gptq: 'gptq', awq: 'gemm' }

/** The layout of a folder's matrices, told by its tensors; undefined where it has none of these. */
export const detectLayout = async (folder: Folder): Promise<QweightLayout | undefined> => {
  const config = await peekFolderConfig(folder)
  const method = config?.quantization?.quant_method
  const stated = typeof method === 'string' ? STATED[method] : undefined
  if (!config || (method !== undefined && stated === undefined)) return undefined
  if (!(await folder.list()).some((file) => file.endsWith('.safetensors'))) return undefined
  try {
    await using checkpoint = await openCheckpoint(folder)
    const { tensors } = checkpoint
    const modules = [...tensors.keys()]
      .filter((name) => name.endsWith(QWEIGHT))
      .map((name) => name.slice(0, -QWEIGHT.length))
    const whole = modules.find(
      (one) => tensors.has(`${one}.scales`) && (tensors.has(`${one}.qzeros`) || tensors.has(`${one}.scaled_zeros`)),
    )
    if (whole === undefined) return modules.length > 0 ? stated : undefined
    const [found] = findQweights({
      tensors: new Map([...tensors].filter(([name]) => name.startsWith(`${whole}.`))),
    }).values()
    return (found && layoutOfTensors(found)) ?? stated
  } catch {
    return stated
  }
}
