import type { Store } from '@awq/quantize'
import { type PackedMatrix, type WeightTable, weightTable } from './weight-table.ts'

/** The parameters of an open quantized store as a table. */
export const storeTable = (source: string, store: Store): WeightTable => {
  const packed = new Map<string, PackedMatrix>()
  for (const [name, matrix] of store.matrices) {
    const { shape, storedBits, blockSize, blocks, codes, scales, zeroPoints, denseColumns, inputOrder } = matrix
    packed.set(name, {
      kind: 'packed',
      ...{ shape, storedBits, blockSize, blocks, codes, scales, zeroPoints, denseColumns, inputOrder },
    })
  }
  return weightTable(source, packed, store.dense)
}
