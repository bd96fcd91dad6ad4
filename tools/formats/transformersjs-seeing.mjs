/**
 * Generates about images with transformers.js in Node. Reads a job { root, folder, dtype, prompts: [{ ids, pixels?, grids? }], tokens }
 * from stdin, prints the ids after each prompt; or with { asks: [{ text, images }] } the texts of its own processor's prompts.
 */
import { basename, dirname } from 'node:path'
import { text } from 'node:stream/consumers'

const job = JSON.parse(await text(process.stdin))
const { AutoModelForImageTextToText, AutoProcessor, Tensor, RawImage, env } = await import(
  `${job.root}/node_modules/@huggingface/transformers/dist/transformers.node.mjs`
)
env.allowRemoteModels = false
env.localModelPath = `${dirname(job.folder)}/`
const name = basename(job.folder)
const model = await AutoModelForImageTextToText.from_pretrained(name, { dtype: job.dtype })

const int64 = (shape, values) => new Tensor('int64', BigInt64Array.from(values, BigInt), shape)
const floats = ({ shape, data }) => {
  const bytes = Buffer.from(data, 'base64')
  return new Tensor(
    'float32',
    new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)),
    shape,
  )
}
const follow = async (inputs) => {
  const made = await model.generate({ ...inputs, max_new_tokens: job.tokens, do_sample: false, repetition_penalty: 1 })
  return made.tolist()[0].map(Number).slice(inputs.input_ids.dims[1])
}

const made = []
for (const { ids, pixels, grids } of job.prompts ?? [])
  made.push(
    await follow({
      input_ids: int64([1, ids.length], ids),
      attention_mask: int64([1, ids.length], new Array(ids.length).fill(1)),
      ...(pixels && { pixel_values: floats(pixels) }),
      ...(grids && { image_grid_thw: int64([grids.length, 3], grids.flat()) }),
    }),
  )
const asked = []
for (const { text: prompt, images } of job.asks ?? []) {
  const processor = await AutoProcessor.from_pretrained(name)
  const read = await Promise.all(images.map((file) => RawImage.read(file)))
  const one = read.length === 1 ? read[0] : read
  const first = /Llava|PaliGemma/.test(processor.constructor.name)
  const inputs = first
    ? await processor(one, prompt, { add_special_tokens: false })
    : await processor(prompt, one, { add_special_tokens: false })
  asked.push({
    prompt: inputs.input_ids.tolist()[0].map(Number),
    pixels: inputs.pixel_values.dims,
    ids: await follow(inputs),
  })
}
console.log(JSON.stringify({ made, asked }))
