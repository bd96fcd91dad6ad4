/** Compares a folder's matrices with the float16 weights that another program made of them. */
import { openPortable } from '@awq/formats'
import { dequantize, fromFloat32, openSafetensors } from '@awq/tensor'
import { fileSource, openFolder } from '@awq/tensor/node'

/** Matrices whose float16 values are those of another program, and those whose are not, with the largest difference. */
export const compareWeights = async (folder: string, file: string) => {
  await using model = await openPortable(await openFolder(folder))
  await using weights = await openSafetensors(await fileSource(file))
  const differing: string[] = []
  let equal = 0
  for (const [name, entry] of weights.tensors) {
    const parameter = model.parameters.get(name)
    if (parameter?.kind !== 'quantized') {
      differing.push(`${name} is not quantized here`)
      continue
    }
    const ours = fromFloat32(dequantize(await parameter.read()), 'F16')
    const theirs = await entry.read()
    const first = ours.findIndex((byte, at) => byte !== theirs[at])
    // 0 and -0 are the same number.
    const words = (bytes: Uint8Array) => new Uint16Array(bytes.slice().buffer)
    const [one, other] = [words(ours), words(theirs)]
    const wrong =
      first < 0 ? -1 : one.findIndex((value, at) => value !== other[at] && ((value | other[at]!) & 0x7fff) !== 0)
    if (wrong < 0 && one.length === other.length) equal++
    else differing.push(`${name} at ${wrong}`)
  }
  return { equal, differing }
}
