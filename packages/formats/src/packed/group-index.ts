/**
 * Activation order as GPTQ writes it: for every input the group that it belongs to (`g_idx`).
 * @module
 */
import { AwqError } from '@awq/tensor'

/**
 * The order of inputs that makes groups contiguous: column i of the moved matrix is input `order[i]`; inputs of one group
 * stay in their order. Undefined where they are contiguous as they are.
 * @param name what messages call the index
 * @throws AwqError INVALID_FILE unless every group has `groupSize` inputs (the last may have fewer)
 */
export const orderOfGroups = (groups: Int32Array, groupSize: number, name: string): Int32Array | undefined => {
  const count = Math.ceil(groups.length / groupSize)
  const ends = new Int32Array(count)
  let ordered = true
  for (const [input, group] of groups.entries()) {
    if (!(group >= 0 && group < count)) {
      throw new AwqError('INVALID_FILE', `${name}: input ${input} is of group ${group}, but there are ${count} groups`)
    }
    ordered &&= group === Math.floor(input / groupSize)
    ends[group]!++
  }
  if (ordered) return undefined
  for (const [group, members] of ends.entries()) {
    const wanted = Math.min(groupSize, groups.length - group * groupSize)
    if (members !== wanted) {
      throw new AwqError('INVALID_FILE', `${name}: group ${group} has ${members} inputs in place of ${wanted}`)
    }
  }
  const order = new Int32Array(groups.length)
  const next = Int32Array.from(ends, (_, group) => group * groupSize)
  for (const [input, group] of groups.entries()) order[next[group]!++] = input
  return order
}

/** Codes [rows, columns] with column i taken from column `order[i]`. */
export const moveColumns = (codes: Uint8Array, columns: number, order: Int32Array): Uint8Array => {
  const moved = new Uint8Array(codes.length)
  for (let row = 0; row < codes.length; row += columns)
    for (let i = 0; i < columns; i++) moved[row + i] = codes[row + order[i]!]!
  return moved
}

/** The order that undoes another: `inverse[order[i]] = i`. */
export const inverseOrder = (order: Int32Array): Int32Array => {
  const inverse = new Int32Array(order.length)
  for (let i = 0; i < order.length; i++) inverse[order[i]!] = i
  return inverse
}
