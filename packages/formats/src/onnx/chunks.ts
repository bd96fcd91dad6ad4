/**
 * Where the weights of an ONNX model lie: files of external data, each below a size that browsers and protobuf take.
 * @module
 */
import type { PlannedTensor, StoreEntry, StorePlan } from '@awq/quantize'
import { AwqError, byteLength } from '@awq/tensor'

/** Larger tensors start at a page, so that they are mapped, not copied; others at what SIMD and GPUs load at once. */
const ALIGNMENT = { page: 4096, vector: 64, large: 2 ** 16 }

/** Tensors that follow each other without a gap: those with the same key, in their order. */
const unitsOf = (entries: readonly StoreEntry[]): StoreEntry[][] => {
  const units: StoreEntry[][] = []
  const fused = new Map<string, StoreEntry[]>()
  for (const entry of entries) {
    const unit = entry.fuse === undefined ? undefined : fused.get(entry.fuse)
    if (unit) {
      unit.push(entry)
      continue
    }
    const made = [entry]
    units.push(made)
    if (entry.fuse !== undefined) fused.set(entry.fuse, made)
  }
  return units
}

const bytesOf = ({ dtype, shape }: StoreEntry): number => byteLength(dtype, shape)

/**
 * Lays out tensors in `file`, `file_1`, `file_2` ..., each of at most `maxFileBytes`. No tensor, nor those that stay
 * together, crosses two files.
 * @throws AwqError UNSUPPORTED for a tensor that does not fit a file
 */
export const planChunks = (
  entries: readonly StoreEntry[],
  file: string,
  maxFileBytes: number,
): Pick<StorePlan, 'files' | 'tensors' | 'index' | 'bytes'> => {
  const tensors = new Map<string, PlannedTensor>()
  const sizes: number[] = []
  const nameOf = (index: number): string => (index === 0 ? file : `${file}_${index}`)
  const start = (bytes: number): number => {
    const alignment = bytes >= ALIGNMENT.large ? ALIGNMENT.page : ALIGNMENT.vector
    return Math.ceil((sizes.at(-1) ?? 0) / alignment) * alignment
  }
  for (const unit of unitsOf(entries)) {
    const bytes = unit.reduce((sum, entry) => sum + bytesOf(entry), 0)
    if (bytes > maxFileBytes)
      throw new AwqError(
        'UNSUPPORTED',
        `${unit.map(({ name }) => name).join(', ')}: ${bytes} bytes, but files hold ${maxFileBytes} at most`,
      )
    if (sizes.length === 0 || start(bytes) + bytes > maxFileBytes) sizes.push(0)
    let offset = start(bytes)
    for (const { name, dtype, shape } of unit) {
      const length = byteLength(dtype, shape)
      tensors.set(name, { name, dtype, shape, file: nameOf(sizes.length - 1), offset, length })
      offset += length
    }
    sizes[sizes.length - 1] = offset
  }
  const files = sizes.map((size, index) => ({ name: nameOf(index), header: new Uint8Array(0), size }))
  return { files, tensors, index: null, bytes: sizes.reduce((sum, size) => sum + size, 0) }
}
