/**
 * A look for damaged weights before hours of work are done with them.
 * @module
 */
import { findParameter, ignoredTensors } from '@awq/models'
import { byteLength, type DType, type Folder, notFinite, releaseArrays, type TensorEntry, toFloat32 } from '@awq/tensor'
import type { SourceModel } from './source-model.ts'

/** The bits of the exponent: all of them are set in NaN and the infinities, and in nothing else. */
const exponents: Partial<Record<DType, number>> = { F32: 0x7f800000, F16: 0x7c00, BF16: 0x7f80 }

const CHUNK_BYTES = 2 ** 23

/** Index of the first value whose exponent has all bits set; -1 when there is none. */
const firstBad = (bytes: Uint8Array, dtype: DType, exponent: number): number => {
  const width = byteLength(dtype, [1])
  const count = bytes.length / width
  const { buffer, byteOffset } = bytes.byteOffset % width === 0 ? bytes : bytes.slice()
  const values = width === 4 ? new Uint32Array(buffer, byteOffset, count) : new Uint16Array(buffer, byteOffset, count)
  // One pass without a branch is worth a second one through the rare chunk that has something.
  let found = 0
  for (let i = 0; i < count; i++) found |= Number((values[i]! & exponent) === exponent)
  return found === 0 ? -1 : values.findIndex((value: number) => (value & exponent) === exponent)
}

const checkTensor = async (entry: TensorEntry, signal: AbortSignal | undefined): Promise<void> => {
  const { name, dtype, shape } = entry
  const exponent = exponents[dtype]
  if (exponent === undefined) return
  const [rows = 1, ...inner] = shape
  const rowValues = inner.reduce((product, size) => product * size, 1)
  const rowBytes = Math.max(1, byteLength(dtype, [rowValues]))
  const step = Math.max(1, Math.floor(CHUNK_BYTES / rowBytes))
  for (let row = 0; row < rows; row += step) {
    signal?.throwIfAborted()
    const bytes = await entry.read(
      shape.length === 0 ? { signal } : { rows: [row, Math.min(rows, row + step)], signal },
    )
    const bad = firstBad(bytes, dtype, exponent)
    if (bad >= 0) {
      const at = row * rowValues + bad
      const width = byteLength(dtype, [1])
      const [value] = toFloat32(bytes.slice(bad * width, (bad + 1) * width), dtype)
      throw notFinite(name, shape, at, value!)
    }
    releaseArrays([bytes])
  }
}

/** Whether a folder's files lie on this machine: on the disk, or in what a page was given. */
const isHere = async (folder: Folder, file: string | undefined): Promise<boolean> => {
  if (folder.path !== undefined) return true
  if (file === undefined) return false
  const source = await folder.open(file)
  await source.close?.()
  return source.localBlob === true
}

/**
 * Reads the weights once, so that damaged ones are refused before the first block is quantized. Of a model that is not on
 * this machine, which would have to travel twice, only embedding and head, which the blocks come before; the
 * others are then found as their block is reached.
 * @throws AwqError `NUMERIC` naming the tensor and the place that is NaN or infinite; rejects with `signal.reason`
 */
export const checkWeights = async (
  { folder, checkpoint, description }: Pick<SourceModel, 'folder' | 'checkpoint' | 'description'>,
  signal?: AbortSignal,
): Promise<void> => {
  const { vocabSize, embeddingSize } = description.config
  const tables = [...new Set([description.embedding, description.head])].map((name) =>
    findParameter(checkpoint, { name, shape: [vocabSize, embeddingSize] }),
  )
  if (!(await isHere(folder, tables[0]?.file))) {
    for (const entry of tables) await checkTensor(entry, signal)
    return
  }
  const isIgnored = ignoredTensors(description)
  for (const [name, entry] of checkpoint.tensors) if (!isIgnored(name)) await checkTensor(entry, signal)
}
