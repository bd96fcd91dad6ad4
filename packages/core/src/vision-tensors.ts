/**
 * How a model sees, carried into its quantized store: the tensors of vision tower and projector, in 16 bits or their linears in 8.
 * @module
 */
import { type LinearSpec, parameterCount, readParameter } from '@awq/models'
import { type Manifest, matrixEntries, roundRtn, type StoreEntry, type StoreWriter } from '@awq/quantize'
import { AwqError, type DType, fromFloat32, readFloat32, type TensorEntry } from '@awq/tensor'
import { denseEntry } from './layout.ts'
import type { SourceModel } from './source-model.ts'
import { denseType, EIGHT_BITS } from './tables.ts'

/** Bits of the linears of tower and projector. */
export type VisionBits = 8 | 16

/** A model as far as its tower is concerned. */
export type SeeingModel = Pick<SourceModel, 'checkpoint' | 'description'>

/** A tensor of tower or projector, and how it is stored. */
export interface VisionTensor {
  readonly source: TensorEntry
  /** The linear whose weight it is, where that is stored in 8 bits; else null. */
  readonly linear: LinearSpec | null
  /** Of what stays float: matrices in 16 bits, vectors as they are needed. */
  readonly dtype: DType
}

/** True where the checkpoint has all of tower and projector; of others it is the language model alone. */
export const seesImages = ({ checkpoint, description: { vision } }: SeeingModel): boolean =>
  vision?.parameters.every(({ name }) => checkpoint.tensors.has(name)) ?? false

/** Weights of a model, those of its tower among them. */
export const weightCount = (model: SeeingModel): number =>
  parameterCount(model.description, { vision: seesImages(model) })

/**
 * The tensors of tower and projector.
 * @throws AwqError `INVALID_ARGUMENT` for other bits than 8 and 16
 */
export const visionTensors = (model: SeeingModel, bits: VisionBits = 16): VisionTensor[] => {
  if (bits !== 8 && bits !== 16)
    throw new AwqError('INVALID_ARGUMENT', `vision tower and projector are stored in 8 or 16 bits, not ${bits}`)
  if (!seesImages(model)) return []
  const { parameters, linears } = model.description.vision!
  const quantized = new Map(bits === 8 ? linears.map((linear) => [`${linear.name}.weight`, linear]) : [])
  return parameters.map(({ name }) => {
    const source = model.checkpoint.tensors.get(name)!
    const dtype = source.shape.length > 1 ? denseType(source.dtype) : 'F32'
    return { source, linear: quantized.get(name) ?? null, dtype }
  })
}

/** What siblings share: those of one part of one block that read the same value. */
const siteOf = ({ name, site }: LinearSpec): string => `${name.slice(0, name.lastIndexOf('.'))} ${site}`

/** The store's entries of these tensors; siblings that read the same value side by side. */
export const visionEntries = (tensors: readonly VisionTensor[]): StoreEntry[] =>
  tensors.flatMap(({ source, linear, dtype }) =>
    linear
      ? matrixEntries(source.name, linear.shape, EIGHT_BITS, siteOf(linear))
      : [denseEntry(source.name, dtype, source.shape)],
  )

/** What the manifest says of those with codes. */
export const visionMatrices = (tensors: readonly VisionTensor[]): Manifest['matrices'] =>
  Object.fromEntries(
    tensors.flatMap(({ source, linear }) =>
      linear ? [[source.name, { ...EIGHT_BITS, shape: [...linear.shape] }] as const] : [],
    ),
  )

/**
 * Writes them; codes by rounding to nearest.
 * @throws AwqError `NUMERIC` naming the tensor that is not finite, or too large for float16
 */
export const writeVision = async (
  { checkpoint }: Pick<SourceModel, 'checkpoint'>,
  tensors: readonly VisionTensor[],
  store: StoreWriter,
  options: { readonly signal?: AbortSignal | undefined },
): Promise<void> => {
  for (const { source, linear, dtype } of tensors) {
    options.signal?.throwIfAborted()
    const { name } = source
    if (linear) {
      const { shape, transposed } = linear
      const weight = await readParameter(checkpoint, { name, shape, transposed }, options)
      await store.writeMatrix(name, roundRtn(weight, shape, EIGHT_BITS, undefined, { name }))
      continue
    }
    const values = await readFloat32(source, options)
    const most = dtype === 'F16' ? 65504 : Number.MAX_VALUE
    const bad = values.find((value) => !(Math.abs(value) <= most))
    if (bad !== undefined)
      throw new AwqError('NUMERIC', `${name} holds ${bad}, which ${dtype} does not; the checkpoint is damaged`)
    await store.write(name, fromFloat32(values, dtype))
  }
}
