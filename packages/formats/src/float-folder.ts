/**
 * A model of any format, seen as the float checkpoint of Hugging Face that it would be.
 * @module
 */
import { type ParameterSpec, storedShape } from '@awq/models'
import {
  AwqError,
  type ByteSource,
  dequantize,
  elementCount,
  type Folder,
  memorySource,
  quoted,
  readSourceText,
  safetensorsHeader,
  type TensorEntry,
  transposed,
} from '@awq/tensor'
import { describedParameters } from './check-model.ts'
import type { PortableModel, QuantizedParameter } from './model.ts'

const WEIGHTS = 'model.safetensors'

/** The part of a tensor's entry that a virtual file needs. */
type Rows = Pick<TensorEntry, 'name' | 'dtype' | 'shape' | 'length' | 'read'>

/** A quantized matrix as the float32 that its codes stand for, in the orientation of float checkpoints. */
const decodedEntry = (spec: ParameterSpec, parameter: QuantizedParameter): Rows => {
  const shape = storedShape(spec)
  const [out, inputs] = parameter.shape
  const rowBytes = shape[1]! * Float32Array.BYTES_PER_ELEMENT
  return {
    name: spec.name,
    dtype: 'F32',
    shape,
    length: elementCount(shape) * Float32Array.BYTES_PER_ELEMENT,
    async read({ rows: [start, end] = [0, shape[0]!], signal } = {}) {
      const matrix = dequantize(await parameter.read({ signal }))
      const values = spec.transposed ? transposed(matrix, out, inputs) : matrix
      return new Uint8Array(values.buffer, values.byteOffset + start * rowBytes, (end - start) * rowBytes).slice()
    },
  }
}

/** The safetensors file that would hold these tensors, made when it is read. */
const virtualFile = (name: string, tensors: readonly Rows[]): ByteSource => {
  const { header, offsets, size } = safetensorsHeader(tensors, { format: 'pt' })
  return {
    name,
    size,
    async read(offset, length, options) {
      if (!Number.isSafeInteger(offset) || offset < 0 || length < 0 || offset + length > size)
        throw new AwqError('INVALID_ARGUMENT', `${name}: ${length} bytes at ${offset} lie outside its ${size} bytes`)
      const bytes = new Uint8Array(length)
      bytes.set(header.subarray(offset, offset + length))
      for (const tensor of tensors) {
        const begin = offsets.get(tensor.name)!.offset
        const from = Math.max(offset, begin)
        const to = Math.min(offset + length, begin + tensor.length)
        if (from >= to) continue
        options?.signal?.throwIfAborted()
        const rowBytes = tensor.length / (tensor.shape[0] ?? 1)
        const first = Math.floor((from - begin) / rowBytes)
        const rows = [first, Math.ceil((to - begin) / rowBytes)] as const
        const read = await tensor.read(tensor.shape.length > 0 ? { rows, ...options } : options)
        const skipped = from - begin - first * rowBytes
        bytes.set(read.subarray(skipped, skipped + to - from), from - offset)
      }
      return bytes
    },
  }
}

/**
 * The folder with config.json, `model.safetensors` and companions that a model would be as a float checkpoint: what reads
 * float checkpoints reads any format this way. Nothing is written; tensors are made when they are read, quantized ones as
 * the float32 that their codes stand for. The model must stay open.
 * @throws AwqError as `describedParameters`
 */
export const floatFolder = (model: PortableModel): Folder => {
  const tensors = describedParameters(model).map(
    ({ spec, parameter }): Rows =>
      parameter.kind === 'quantized' ? decodedEntry(spec, parameter) : { ...parameter.entry, name: spec.name },
  )
  const files = new Map<string, () => Promise<ByteSource>>([
    ...[...model.companions].map(
      ([file, read]) => [file, async () => memorySource(await read(), `${model.name}/${file}`)] as const,
    ),
    ['config.json', async () => memorySource(new TextEncoder().encode(JSON.stringify(model.config)), 'config.json')],
    [WEIGHTS, async () => virtualFile(`${model.name} as float`, tensors)],
  ])
  const open = (file: string): Promise<ByteSource> => {
    const found = files.get(file)
    if (!found) throw new AwqError('NOT_FOUND', `${model.name} has no file ${quoted(file)}`)
    return found()
  }
  return {
    name: model.name,
    list: async () => [...files.keys()].sort(),
    has: async (file) => files.has(file),
    open: async (file) => open(file),
    readText: async (file, options) => readSourceText(await open(file), options?.maxBytes),
  }
}
