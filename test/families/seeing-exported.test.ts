/** The graphs of transformers.js folders of models that see give the features and tokens that transformers computed. */
import { memoryWriter, openPortable, writeModel } from '@awq/formats'
import { createEngine, type Session, type Tensor, tensor, zeros } from '@awq/ort'
import { openFolder } from '@awq/tensor/node'
import { afterAll, describe, expect, test } from 'vitest'
import { distance } from './checkpoints.ts'
import { type GoldenImage, rowsOf, seeingCheckpoints, visionGolden } from './vision-golden.ts'

const engine = await createEngine({ threads: 1 })
afterAll(() => engine.dispose())

/** As in logits.test.ts. */
const tolerance = 3e-5

const int64 = (shape: readonly number[], values: readonly number[]): Tensor =>
  tensor('int64', shape, BigInt64Array.from(values, BigInt))

const joined = (images: readonly GoldenImage[], shape: readonly number[]): Tensor => {
  const parts = images.map(({ image }) => image.pixelValues.data as Float32Array)
  const data = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    data.set(part, at)
    at += part.length
  }
  return tensor('float32', shape, data)
}

/** What a processor hands to the vision encoder for some images. */
const imageFeeds = (images: readonly GoldenImage[], modelType: string): Record<string, Tensor> => {
  const [, ...rest] = images[0]!.image.pixelValues.shape
  const count = images.reduce((sum, { image }) => sum + image.pixelValues.shape[0]!, 0)
  if (modelType.startsWith('qwen')) {
    const grids = images.flatMap(({ image }) => [1, image.grid!.rows, image.grid!.columns])
    const name = modelType === 'qwen2_vl' ? 'grid_thw' : 'image_grid_thw'
    return { pixel_values: joined(images, [count, ...rest]), [name]: int64([images.length, 3], grids) }
  }
  const nested = modelType === 'idefics3' || modelType === 'smolvlm'
  if (!nested) return { pixel_values: joined(images, [count, ...rest]) }
  // A batch of two, of which the second is filled up with a tile of zeros.
  const pixels = joined(images, [count, ...rest]).data as Float32Array
  const filled = new Float32Array((count % 2 === 0 ? count : count + 1) * (pixels.length / count))
  filled.set(pixels)
  const shape = count % 2 === 0 ? [2, count / 2, ...rest] : [2, (count + 1) / 2, ...rest]
  return { pixel_values: tensor('float32', shape, filled) }
}

/** Positions of three parts as transformers.js counts them. */
const threeParts = (ids: readonly number[], imageToken: number, images: readonly GoldenImage[]) => {
  const parts: [number[], number[], number[]] = [[], [], []]
  let next = 0
  let image = 0
  for (let at = 0; at < ids.length; at++) {
    if (ids[at] !== imageToken || !images[image]!.image.grid) {
      for (const part of parts) part.push(next)
      next++
      continue
    }
    const { rows, columns } = images[image++]!.image.grid!
    const [down, across] = [rows / 2, columns / 2]
    for (let i = 0; i < down * across; i++) {
      parts[0].push(next)
      parts[1].push(next + Math.floor(i / across))
      parts[2].push(next + (i % across))
    }
    at += down * across - 1
    next += Math.max(down, across)
  }
  return { parts, next }
}

const known = ['llava', 'qwen2_vl', 'qwen2_5_vl', 'idefics3', 'smolvlm', 'gemma3', 'paligemma']

describe.each(seeingCheckpoints.filter(({ modelType }) => known.includes(modelType)))('$name', (checkpoint) => {
  const { modelType } = checkpoint
  const golden = visionGolden(checkpoint)

  test('features, and greedy tokens', async ({ onTestFinished }) => {
    await using model = await openPortable(await openFolder(checkpoint.path))
    const writer = memoryWriter()
    // Idefics3's goldens have tiles of another size than those of the training.
    const [, , , tile] = golden.images[0]!.image.pixelValues.shape
    const nested = modelType === 'idefics3' || modelType === 'smolvlm'
    const processor = JSON.stringify({ max_image_size: { longest_edge: tile } })
    const companions = nested
      ? new Map([
          ...model.companions,
          ['preprocessor_config.json', async () => new TextEncoder().encode(processor)],
        ] as const)
      : model.companions
    await writeModel({ ...model, companions }, 'transformersjs', writer, { accuracy: 'exact' })
    const folder = writer.folder()
    const open = async (session: string): Promise<Session> => {
      const bytes = async (file: string) => {
        const source = await folder.open(`onnx/${file}`)
        return await source.read(0, source.size)
      }
      const data = `${session}.onnx_data`
      const made = await engine.createSession(await bytes(`${session}.onnx`), {
        externalData: { [data]: await bytes(data) },
      })
      onTestFinished(() => made.dispose())
      return made
    }
    const encoder = await open('vision_encoder')
    const embed = await open('embed_tokens')
    const decoder = await open('decoder_model_merged')

    for (const { ids, images, next } of golden.sequences) {
      const used = images.map((at) => golden.images[at]!)
      // One size of tiles for a graph.
      if (nested && used.some(({ image }) => image.pixelValues.shape[3] !== tile)) continue
      const rows: Float32Array[] = []
      if (used.length > 0) {
        const { image_features: features } = await encoder.run(imageFeeds(used, modelType))
        const width = features!.shape[1]!
        const data = features!.data as Float32Array
        for (let at = 0; at < data.length; at += width) rows.push(data.slice(at, at + width))
        const expected = used.flatMap(({ features: one }) => rowsOf(one))
        const cut = rows.map((row) => row.subarray(0, expected[0]!.length))
        expect(distance(cut, expected)).toBeLessThan(tolerance)
      }
      const { parts, next: position } = threeParts(ids, golden.imageToken, used)
      const made: number[] = []
      let cache: Record<string, Tensor> = {}
      while (made.length < next.length) {
        const given = made.length === 0 ? ids : made.slice(-1)
        const { inputs_embeds: embeds } = await embed.run({ input_ids: int64([1, given.length], given) })
        const width = embeds!.shape[2]!
        if (made.length === 0)
          ids.forEach((id, at) => {
            if (id === golden.imageToken) (embeds!.data as Float32Array).set(rows.shift()!, at * width)
          })
        const total = ids.length + Math.max(0, made.length)
        const step = position + made.length - 1
        const positions = made.length === 0 ? parts.flat() : [step, step, step]
        const feeds: Record<string, Tensor> = {
          inputs_embeds: embeds!,
          attention_mask: int64([1, total], new Array(total).fill(1)),
          num_logits_to_keep: tensor('int64', [], BigInt64Array.of(1n)),
        }
        for (const name of decoder.inputNames) {
          if (name === 'position_ids')
            feeds[name] = modelType.startsWith('qwen')
              ? int64([3, 1, given.length], positions)
              : int64(
                  [1, given.length],
                  given.map((_, i) => total - given.length + i),
                )
          if (name.startsWith('past'))
            feeds[name] =
              cache[name] ??
              zeros('float32', [1, model.description.config.kvHeads, 0, model.description.config.headDim])
        }
        const outputs = await decoder.run(feeds)
        cache = Object.fromEntries(
          Object.entries(outputs)
            .filter(([name]) => name.startsWith('present'))
            .map(([name, value]) => [name.replace('present', 'past_key_values'), value]),
        )
        const logits = outputs.logits!.data as Float32Array
        made.push(logits.indexOf(logits.reduce((a, b) => Math.max(a, b))))
      }
      expect(made).toEqual(next)
    }
  })
})

test('a family that transformers.js has no class for is refused by name', async () => {
  const { path } = seeingCheckpoints.find(({ name }) => name === 'llava-next')!
  await using model = await openPortable(await openFolder(path))
  await expect(writeModel(model, 'transformersjs', memoryWriter())).rejects.toThrow(
    /no class for models of model_type llava_next/,
  )
})
