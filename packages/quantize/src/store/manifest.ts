import { AwqError, type Folder, parseJson } from '@awq/tensor'
import * as z from 'zod'
import { isGroupSize } from '../spec.ts'

/** The file that marks a folder as a quantized store and says what its tensors mean. */
export const MANIFEST_FILE = 'quantization.json'

// Schemas that are made while this is set do not try `new Function`, which a page with a strict policy reports as a violation.
const { jitless = false } = z.config()
z.config({ jitless: true })

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

/** What statistics were taken from: `samples` texts of `length` tokens, and records with images, each of its own length. */
export const calibrationSchema = z.looseObject({
  source: z.string(),
  samples: z.int().min(0),
  length: z.int().min(0),
  seed: z.number().optional(),
  images: z.looseObject({ samples: z.int().min(1), tokens: z.int().min(1) }).optional(),
})

/** `c4.jsonl, 128 x 512 tokens`, `pairs.jsonl, 32 samples with images (9120 tokens)`, or both. */
export const calibrationText = ({ source, samples, length, images }: z.infer<typeof calibrationSchema>): string =>
  [
    source,
    ...(samples > 0 || !images ? [`${samples} x ${length} tokens`] : []),
    ...(images ? [`${images.samples} samples with images (${images.tokens} tokens)`] : []),
  ].join(', ')

/** What a quantized model says and loses on a text: measured when it was asked for. */
export const evaluationSchema = z.looseObject({
  /** What the text is called. */
  text: z.string(),
  tokens: z.int().min(0),
  /** Tokens of a window; windows do not overlap. */
  window: z.int().min(1),
  perplexity: z.number(),
  /** Of the float model. */
  floatPerplexity: z.number().optional(),
  /** Mean KL divergence from the float model, nats per token. */
  kl: z.number().optional(),
  /** Share of tokens on which the float model's first choice is kept. */
  top1: z.number().optional(),
})

const provenanceFields = {
  /** Name of the method: awq, rtn, gptq, ... */
  method: z.string(),
  folded: z.array(foldedSchema).default([]),
  /** null for methods that look at no text. */
  calibration: calibrationSchema.nullable().default(null),
  /** The float model; `repository` and `revision` where it came from the hub. */
  source: z.looseObject({
    name: z.string(),
    modelType: z.string().optional(),
    repository: z.string().optional(),
    revision: z.string().optional(),
  }),
  /** The commands that made it, the first one first. */
  commands: z.array(z.string()).optional(),
  evaluation: evaluationSchema.optional(),
}

/** How a quantized model came about; it stays the model's when its format changes. */
export const provenanceSchema = z.looseObject(provenanceFields)

/** See {@link provenanceSchema}. */
export type Provenance = z.infer<typeof provenanceSchema>

/** SHA-256 of files, in hexadecimal, by name. */
export const hashesSchema = z.record(z.string(), z.string().regex(/^[0-9a-f]{64}$/))

/**
 * The schema of `quantization.json`, version 1. Fields it does not know are kept, so that later versions can add some;
 * a version that changes the meaning of a field has another number.
 */
export const manifestSchema = z.looseObject({
  format: z.literal('awq'),
  version: z.literal(1),
  ...provenanceFields,
  /** Default of the linear layers; tables and single matrices may differ, `matrices` says how. */
  ...specFields,
  /** Every quantized matrix by parameter name; all other tensors are as their dtype says. */
  matrices: z.record(z.string(), matrixSchema),
  hashes: hashesSchema.optional(),
})

/** What a store says about itself; see {@link manifestSchema}. */
export type Manifest = z.infer<typeof manifestSchema>

/** The file beside a model in another format that says how it came about, with the hashes of its files. */
export const PROVENANCE_FILE = 'provenance.json'

/** The schema of `provenance.json`, version 1. */
export const provenanceFileSchema = z.looseObject({
  format: z.literal('awq-provenance'),
  version: z.literal(1),
  /** Name of the format that the folder is in. */
  layout: z.string(),
  ...provenanceFields,
  hashes: hashesSchema,
})

z.config({ jitless })

/** See {@link provenanceFileSchema}. */
export type ProvenanceFile = z.infer<typeof provenanceFileSchema>

/** Longest manifest that is read: some 500 bytes per matrix of the largest models. */
const MAX_BYTES = 2 ** 26

const readChecked = async <T>(folder: Folder, name: string, schema: z.ZodType<T>): Promise<T> => {
  const file = `${folder.name}/${name}`
  const json = parseJson(await folder.readText(name, { maxBytes: MAX_BYTES }), file)
  const version = (json as { version?: unknown } | null)?.version
  if (typeof version === 'number' && version > 1) {
    throw new AwqError('UNSUPPORTED', `${file} has version ${version}; this library reads version 1: update it`)
  }
  const result = schema.safeParse(json)
  if (!result.success) {
    const [issue] = result.error.issues
    const where = issue && issue.path.length > 0 ? issue.path.map(String).join('.') : 'the file'
    throw new AwqError('INVALID_FILE', `${file}: ${where}: ${issue?.message}`, { cause: result.error })
  }
  return result.data
}

/**
 * Reads and checks the manifest of a store.
 * @throws AwqError NOT_FOUND when there is none, UNSUPPORTED for a version this library does not know, INVALID_FILE
 *   naming the field that is wrong
 */
export async function readManifest(folder: Folder): Promise<Manifest> {
  if (!(await folder.has(MANIFEST_FILE))) {
    throw new AwqError('NOT_FOUND', `${folder.name} has no ${MANIFEST_FILE}: it is not a quantized store`)
  }
  return await readChecked(folder, MANIFEST_FILE, manifestSchema)
}

/**
 * Reads and checks what stands beside a model in another format of how it came about; undefined when nothing does.
 * @throws AwqError as `readManifest`
 */
export const readProvenance = async (folder: Folder): Promise<ProvenanceFile | undefined> =>
  (await folder.has(PROVENANCE_FILE)) ? await readChecked(folder, PROVENANCE_FILE, provenanceFileSchema) : undefined
