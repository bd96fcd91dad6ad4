/**
 * A checkpoint of random weights that exists nowhere: its bytes are made when they are read.
 * @module
 */
import { describeModel, modelParameters } from '@awq/models'
import { createRandom } from '@awq/runtime'
import { AwqError, type ByteSource, type Folder, fromFloat32, memoryFolder, safetensorsHeader } from '@awq/tensor'

/** Standard deviation of the weights: about what checkpoints of these sizes have. */
const deviation = 0.02

/** A prime, so that the rows of a matrix begin at different places of the tile. */
const tileLength = 1048573

/** Normally distributed float16 values (Box-Muller), `tileLength` of them. */
const randomTile = (seed: number): Uint8Array => {
  const random = createRandom(seed)
  const values = Float32Array.from({ length: tileLength }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - random.next()))
    return deviation * radius * Math.cos(2 * Math.PI * random.next())
  })
  return fromFloat32(values, 'F16')
}

/** Fills `target` with the endlessly repeated tile, from byte `position` of that repetition. */
const fillFromTile = (target: Uint8Array, tile: Uint8Array, position: number): void => {
  for (let done = 0, at = position % tile.length; done < target.length; at = 0) {
    const piece = tile.subarray(at, at + target.length - done)
    target.set(piece, done)
    done += piece.length
  }
}

interface Span {
  readonly start: number
  readonly end: number
  readonly fill: (target: Uint8Array, from: number) => void
}

/** The one file: norms of ones, every other weight from the tile, each tensor from its own place in it. */
const randomWeights = (config: object, seed: number): ByteSource => {
  const tile = randomTile(seed)
  const ones = fromFloat32(new Float32Array(tileLength).fill(1), 'F16')
  const tensors = [...modelParameters(describeModel(config))].map((spec) => ({ ...spec, dtype: 'F16' as const }))
  const { header, offsets, size } = safetensorsHeader(tensors, { format: 'pt' })
  const place = createRandom(seed + 1)
  const spans: Span[] = [
    { start: 0, end: header.length, fill: (target, from) => target.set(header.subarray(from, from + target.length)) },
  ]
  for (const { name, shape } of tensors) {
    const { offset, length } = offsets.get(name)!
    const source = shape.length === 1 ? ones : tile
    const first = 2 * Math.floor(place.next() * tileLength)
    spans.push({
      start: offset,
      end: offset + length,
      fill: (target, from) => fillFromTile(target, source, first + from),
    })
  }
  const name = 'random/model.safetensors'
  return {
    name,
    size,
    async read(offset, length, options) {
      options?.signal?.throwIfAborted()
      if (offset < 0 || length < 0 || offset + length > size)
        throw new AwqError('INVALID_ARGUMENT', `${name}: ${length} bytes at ${offset} lie outside its ${size} bytes`)
      const bytes = new Uint8Array(length)
      for (const { start, end, fill } of spans) {
        const from = Math.max(start, offset)
        const to = Math.min(end, offset + length)
        if (from < to) fill(bytes.subarray(from - offset, to - offset), from - start)
      }
      return bytes
    },
  }
}

/**
 * A float16 checkpoint of a given shape.
 * @param config the contents of its config.json
 * @param tokenizer a model whose tokenizer it gets; its vocabulary may be smaller
 */
export const randomFolder = (config: object, tokenizer: Folder, seed = 0): Folder => {
  const weights = randomWeights(config, seed)
  const own = memoryFolder({ 'config.json': `${JSON.stringify(config, null, 2)}\n` }, 'random')
  const companions = ['tokenizer.json', 'tokenizer_config.json', 'generation_config.json', 'chat_template.jinja']
  const has = async (file: string): Promise<boolean> =>
    file === 'model.safetensors' || (await own.has(file)) || (companions.includes(file) && (await tokenizer.has(file)))
  const folderOf = (file: string): Folder => (companions.includes(file) ? tokenizer : own)
  return {
    name: 'random',
    has,
    async list() {
      const present: string[] = []
      for (const file of ['config.json', 'model.safetensors', ...companions]) if (await has(file)) present.push(file)
      return present.sort()
    },
    open: async (file) => (file === 'model.safetensors' ? weights : folderOf(file).open(file)),
    readText: (file, options) => folderOf(file).readText(file, options),
  }
}
