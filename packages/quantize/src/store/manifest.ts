import { AwqError, type Folder, parseJson } from '@awq/tensor'
import * as z from 'zod'
import { isGroupSize } from '../spec.ts'

/** The file that marks a folder as a quantized store and says what its tensors mean. */
export const MANIFEST_FILE = 'quantization.json'

const dimension = z
  .int()
  .min(1)
  .max(2 ** 40)

const specFields = {
  bits: z.literal([2, 3, 4, 8]),
  groupSize: z.number().refine(isGroupSize, 'must be 16, 32, 64, 128, 256 or -1'),
  symmetric: z.boolean(),
}

/**
 * Bits, group size (-1: per channel), symmetry and shape [out, in] of one matrix, how many columns stay float, and whether its
 * columns are in an order of their own.
 */
export const matrixSchema = z.object({
  ...specFields,
  shape: z.tuple([dimension, dimension]),
  denseColumns: dimension.optional(),
  inputOrder: z.literal(true).optional(),
})

/**
 * What a scale pass folded: the consumers' input columns were multiplied by a scale and the producer divided by it, so
 * the float model computes the same as before. Measures are the strategy's own; `alpha` is the exponent of meanAbs.
 */
export const foldedSchema = z.looseObject({
  group: z.string().optional(),
  producer: z.string(),
  consumers: z.array(z.string()),
  alpha: z.number().optional(),
  loss: z.number().optional(),
  identityLoss: z.number().optional(),
})

/** The text that statistics were taken from: `samples` sequences of `length` tokens. */
export const calibrationSchema = z.looseObject({
  source: z.string(),
  samples: z.int().min(0),
  length: z.int().min(0),
  seed: z.number().optional(),
})

/**
 * The schema of `quantization.json`, version 1. Fields it does not know are kept, so that later versions can add some;
 * a version that changes the meaning of a field has another number.
 */
export const manifestSchema = z.looseObject({
  format: z.literal('awq'),
  version: z.literal(1),
  /** Name of the method: awq, rtn, gptq, ... */
  method: z.string(),
  /** Default of the linear layers; tables and single matrices may differ, `matrices` says how. */
  ...specFields,
  /** Every quantized matrix by parameter name; all other tensors are as their dtype says. */
  matrices: z.record(z.string(), matrixSchema),
  folded: z.array(foldedSchema).default([]),
  /** null for methods that look at no text. */
  calibration: calibrationSchema.nullable().default(null),
  /** The float model. */
  source: z.looseObject({ name: z.string(), modelType: z.string().optional(), revision: z.string().optional() }),
  /** SHA-256 of files, in hexadecimal. */
  hashes: z.record(z.string(), z.string().regex(/^[0-9a-f]{64}$/)).optional(),
})

/** What a store says about itself; see {@link manifestSchema}. */
export type Manifest = z.infer<typeof manifestSchema>

/** Longest manifest that is read: some 500 bytes per matrix of the largest models. */
const MAX_BYTES = 2 ** 26

/**
 * Reads and checks the manifest of a store.
 * @throws AwqError NOT_FOUND when there is none, UNSUPPORTED for a version this library does not know, INVALID_FILE
 *   naming the field that is wrong
 */
export async function readManifest(folder: Folder): Promise<Manifest> {
  const file = `${folder.name}/${MANIFEST_FILE}`
  if (!(await folder.has(MANIFEST_FILE))) {
    throw new AwqError('NOT_FOUND', `${folder.name} has no ${MANIFEST_FILE}: it is not a quantized store`)
  }
  const text = await folder.readText(MANIFEST_FILE, { maxBytes: MAX_BYTES })
  const json = parseJson(text, file)
  const version = (json as { version?: unknown } | null)?.version
  if (typeof version === 'number' && version > 1) {
    throw new AwqError('UNSUPPORTED', `${file} has version ${version}; this library reads version 1: update it`)
  }
  const result = manifestSchema.safeParse(json)
  if (!result.success) {
    const [issue] = result.error.issues
    const where = issue && issue.path.length > 0 ? issue.path.map(String).join('.') : 'the file'
    throw new AwqError('INVALID_FILE', `${file}: ${where}: ${issue?.message}`, { cause: result.error })
  }
  return result.data
}
