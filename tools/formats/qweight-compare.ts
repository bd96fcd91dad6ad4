/** Compares a folder's parameters with the weights that another program made of them. */
import { openPortable } from '@awq/formats'
import { dequantize, fromFloat32, openSafetensors, readFloat32 } from '@awq/tensor'
import { fileSource, openFolder } from '@awq/tensor/node'

/** The place of the first number that is not the same; 0 and -0 are. */
const firstOther = (one: Float32Array | Uint16Array, other: Float32Array | Uint16Array): number => {
  if (one.length !== other.length) return 0
  const same =
    one instanceof Float32Array
      ? (at: number) => one[at] === other[at]
      : (at: number) => one[at] === other[at] || ((one[at]! | other[at]!) & 0x7fff) === 0
  for (let at = 0; at < one.length; at++) if (!same(at)) return at
  return -1
}

const halves = (bytes: Uint8Array): Uint16Array => new Uint16Array(bytes.slice().buffer)

/**
 * Parameters whose values are those of another program, and those whose are not, with the place of the first difference. Its
 * weights are float32 (codes times scales, which that holds exactly) or float16.
 */
export const compareWeights = async (folder: string, file: string) => {
  await using model = await openPortable(await openFolder(folder))
  await using weights = await openSafetensors(await fileSource(file))
  const differing: string[] = []
  let equal = 0
  for (const [name, entry] of weights.tensors) {
    const parameter = model.parameters.get(name)
    if (!parameter || (entry.dtype === 'F16' && parameter.kind === 'float')) {
      differing.push(`${name} is not ${parameter ? 'quantized' : ''} here`)
      continue
    }
    const ours = parameter.kind === 'float' ? await readFloat32(parameter.entry) : dequantize(await parameter.read())
    const at =
      entry.dtype === 'F16'
        ? firstOther(halves(fromFloat32(ours, 'F16')), halves(await entry.read()))
        : firstOther(ours, await readFloat32(entry))
    if (at < 0) equal++
    else differing.push(`${name} at ${at}`)
  }
  return { equal, differing }
}
