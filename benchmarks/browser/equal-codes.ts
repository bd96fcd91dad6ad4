import { openStore, readMatrix } from '@awq/quantize'
import { openFolder } from '@awq/tensor/node'

/** Share of the codes of two stores that are the same. */
export const equalCodes = async (one: string, other: string): Promise<number> => {
  await using first = await openStore(await openFolder(one))
  await using second = await openStore(await openFolder(other))
  let [equal, all] = [0, 0]
  for (const name of first.matrices.keys()) {
    const { codes } = await readMatrix(first, name)
    const expected = (await readMatrix(second, name)).codes
    all += codes.length
    for (let i = 0; i < codes.length; i++) equal += Number(codes[i] === expected[i])
  }
  return equal / all
}
