import { packMatMulNBits } from '@awq/onnx'
import { AwqError, bytesOf, type QuantizedMatrix, quoted } from '@awq/tensor'
import { type MatrixPart, partName } from './entries.ts'
import type { PlannedTensor, StorePlan } from './plan.ts'
import type { StoreSink } from './sink.ts'

/** Fills the tensors of a planned store, in any order. */
export interface StoreWriter {
  /**
   * Writes the bytes of a tensor, or a piece of them: pieces follow each other without gaps.
   * @param at where in the tensor the piece begins; 0 begins (in a store that is kept: begins again)
   * @throws AwqError INVALID_ARGUMENT for unknown names, wrong lengths, gaps, and tensors that are already whole
   */
  write(name: string, bytes: Uint8Array, at?: number): Promise<void>
  /**
   * Packs a quantized matrix, or some rows of it, and writes its parts under the parameter's name.
   * @param row where in the stored matrix the first row belongs; pieces follow each other as in `write`
   */
  writeMatrix(parameter: string, matrix: QuantizedMatrix, row?: number): Promise<void>
  /** Resolves when everything written so far would survive a loss of power. */
  flush(): Promise<void>
  /** The tensors that are not whole yet. */
  unwritten(): string[]
  /**
   * Flushes and closes a store whose tensors have all been written.
   * @throws AwqError INVALID_ARGUMENT naming tensors that were not; the store is then still open
   */
  finish(): Promise<void>
  /** Closes the files, whole or not: an interrupted run can go on with them. A second call does nothing. */
  close(): Promise<void>
}

/** Options of {@link writeStore}. */
export interface WriteStoreOptions {
  /**
   * Which tensors hold the bytes of an earlier run: all (`true`), none (`false`, the default), or those named. They
   * count as written and may be written once more.
   */
  readonly keep?: boolean | Iterable<string> | undefined
}

/** A writer of a planned store. It checks that every tensor is written exactly once, and writes headers first. */
export async function writeStore(
  plan: StorePlan,
  sink: StoreSink,
  options: WriteStoreOptions = {},
): Promise<StoreWriter> {
  const keep = options.keep ?? false
  const kept = new Set(keep === true ? plan.tensors.keys() : keep === false ? [] : keep)
  /** Bytes of each tensor that were written by this writer. */
  const written = new Map<string, number>()
  let open = true
  for (const { name, header } of plan.files) await sink.write(name, 0, header)

  const write = async (name: string, bytes: Uint8Array, at = 0): Promise<void> => {
    const tensor = plan.tensors.get(name)
    if (tensor === undefined) throw refused(sink, `${quoted(name)} is not in the plan`)
    if (!open) throw refused(sink, `${quoted(name)} cannot be written: the store is closed`)
    const done = written.get(name) ?? 0
    const problem = problemOf(tensor, bytes.length, at, done, written.has(name))
    if (problem !== undefined) throw refused(sink, `${quoted(name)} [${tensor.shape.join(', ')}]: ${problem}`)
    await sink.write(tensor.file, tensor.offset + at, bytes)
    written.set(name, at + bytes.length)
  }
  const unwritten = (): string[] =>
    [...plan.tensors.values()]
      .filter(({ name, length }) => (written.has(name) ? written.get(name) !== length : !kept.has(name)))
      .map(({ name }) => name)
  const close = async (): Promise<void> => {
    if (!open) return
    open = false
    await sink.close()
  }
  return {
    write,
    async writeMatrix(parameter, matrix, row = 0) {
      const [rows] = matrix.shape
      const { codes, scales, zeroPoints } = packMatMulNBits(matrix)
      // Every part has the same number of bytes for each row, in native order, which is the files' little-endian.
      const writePart = (part: MatrixPart, bytes: Uint8Array) =>
        write(partName(parameter, part), bytes, row * (bytes.length / rows))
      await writePart('codes', codes)
      await writePart('scales', bytesOf(scales))
      if (zeroPoints !== null) await writePart('zeroPoints', zeroPoints)
      if (matrix.inputOrder !== undefined && row === 0) {
        await write(partName(parameter, 'inputOrder'), bytesOf(matrix.inputOrder))
      }
      if (matrix.denseColumns === undefined) return
      const { indices, values } = matrix.denseColumns
      await writePart('denseValues', bytesOf(values))
      if (row === 0) await write(partName(parameter, 'denseIndices'), bytesOf(indices))
    },
    flush: () => sink.flush(),
    unwritten,
    async finish() {
      const missing = unwritten()
      if (missing.length > 0) {
        const names = missing.slice(0, 4).map(quoted).join(', ')
        throw refused(sink, `${missing.length} tensors were never written: ${names}${missing.length > 4 ? ', …' : ''}`)
      }
      await sink.flush()
      await close()
    },
    close,
  }
}

function problemOf(
  tensor: PlannedTensor,
  length: number,
  at: number,
  done: number,
  begun: boolean,
): string | undefined {
  if (!Number.isSafeInteger(at) || at < 0 || at + length > tensor.length) {
    return `${length} bytes at ${at} do not fit its ${tensor.length} bytes`
  }
  if (begun && done === tensor.length) return 'it was already written'
  if (at !== done) return `a piece at ${at} does not follow the ${done} bytes written before`
  return undefined
}

const refused = (sink: StoreSink, problem: string): AwqError =>
  new AwqError('INVALID_ARGUMENT', `${sink.name}: ${problem}`)
