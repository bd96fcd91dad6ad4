/** Models that see keep tower and projector in formats that have a place for them, and say so where there is none. */
import { openSafetensors, readFloat32 } from '@awq/tensor'
import { describe, expect, test } from 'vitest'
import { openPortable, writeModel } from './convert.ts'
import { visionNames } from './file-names.ts'
import { floatModel, roundedModel } from './fixtures/models.ts'
import { memoryWriter } from './folder/memory-writer.ts'
import type { PortableModel } from './model.ts'

const rounded = async (name: string): Promise<PortableModel> => {
  const float = await floatModel(name)
  const { embedding, headTable } = float.description
  return roundedModel(float, (matrix) =>
    matrix === embedding || matrix === headTable ? null : { bits: 4, groupSize: 16, symmetric: false },
  )
}

const written = async (model: PortableModel, format: string, warnings: string[] = []) => {
  const writer = memoryWriter(format)
  await writeModel(model, format, writer, { onWarning: (line) => warnings.push(line) })
  return writer.folder()
}

/** Beginnings of the names of tensors, numbers left out. */
const beginnings: Readonly<Record<string, readonly string[]>> = {
  llava: ['language_model.model.', 'language_model.lm_head.', 'vision_tower.vision_model.', 'multi_modal_projector.'],
  'llava-next': ['language_model.model.', 'language_model.lm_head.', 'vision_tower.vision_model.', 'image_newline'],
  'qwen2-vl': ['model.layers.', 'model.embed_tokens.', 'lm_head.', 'visual.blocks.', 'visual.merger.'],
  'qwen2.5-vl': ['model.layers.', 'visual.patch_embed.'],
  smolvlm: ['model.text_model.', 'model.vision_model.', 'model.connector.', 'lm_head.'],
  idefics3: ['model.text_model.', 'model.vision_model.'],
  'gemma3-vision': [
    'language_model.model.',
    'vision_tower.vision_model.',
    'multi_modal_projector.mm_input_projection_weight',
  ],
  paligemma: ['language_model.model.', 'vision_tower.vision_model.', 'multi_modal_projector.linear.'],
}

const same = async (one: PortableModel, other: PortableModel): Promise<void> => {
  const names = [...visionNames(one.description)]
  expect(names.length).toBeGreaterThan(10)
  for (const name of names) {
    const [left, right] = [one.parameters.get(name), other.parameters.get(name)]
    if (left?.kind !== 'float' || right?.kind !== 'float') throw new Error(`${name} is missing`)
    const [from, to] = [await readFloat32(left.entry), await readFloat32(right.entry)]
    // Packed formats hold float16, which has more bits than the fixtures' bfloat16, but not for the smallest numbers.
    for (const [i, value] of from.entries()) expect(Math.abs(to[i]! - value)).toBeLessThan(2 ** -24)
  }
}

describe.each(Object.keys(beginnings))('%s', (name) => {
  test.each(['float', 'awq', 'autoawq', 'gptq', 'compressed-tensors'])('through %s', async (format) => {
    await using model = format === 'float' ? await floatModel(name) : await rounded(name)
    const folder = await written(model, format)
    await using again = await openPortable(folder)
    await same(model, again)
    await using file = await openSafetensors(await folder.open('model.safetensors'))
    const names = [...file.tensors.keys()]
    if (format !== 'awq')
      for (const beginning of beginnings[name]!) expect(names.some((one) => one.startsWith(beginning))).toBe(true)
  })
})

const quantizationOf = async (name: string, format: string) => {
  await using model = await rounded(name)
  const folder = await written(model, format)
  return JSON.parse(await folder.readText('config.json')).quantization_config
}

test('configurations name what stays float by all names that modules have', async () => {
  expect((await quantizationOf('llava', 'autoawq')).modules_to_not_convert).toEqual(
    expect.arrayContaining(['vision_tower', 'model.vision_tower', 'multi_modal_projector', 'language_model.lm_head']),
  )
  const { ignore } = await quantizationOf('qwen2-vl', 'compressed-tensors')
  const tower = new RegExp(ignore.find((one: string) => one.includes('visual')).slice('re:'.length))
  for (const prefix of ['visual', 'model.visual']) expect(tower.test(`${prefix}.blocks.0.attn.qkv`)).toBe(true)
  expect(tower.test('model.layers.0.mlp.up_proj')).toBe(false)
  const { dynamic, block_name_to_quantize: blocks } = await quantizationOf('gemma3-vision', 'gptq')
  expect(Object.keys(dynamic)).toContain('-:(.*\\.)?vision_tower\\..*')
  expect(blocks).toBe('model.language_model.layers')
})

test('tensors of a tower that features do not need are nothing to stumble over', async () => {
  await using model = await rounded('llava')
  const spare = 'vision_tower.encoder.layers.2.mlp.fc1.weight'
  const some = [...model.parameters].find(([name]) => name === spare.replace('.2.', '.1.'))![1]
  // As if it were one of the described ones, so that it is written.
  const described = {
    ...model.description,
    vision: {
      ...model.description.vision!,
      parameters: [...model.description.vision!.parameters, { name: spare, shape: [40, 24] }],
    },
  }
  const parameters = new Map([...model.parameters, [spare, some] as const])
  for (const format of ['autoawq', 'compressed-tensors']) {
    const folder = await written({ ...model, description: described, parameters }, format)
    await using again = await openPortable(folder)
    expect(again.parameters.has(spare)).toBe(false)
    await same(model, again)
  }
})

test.each(['genai', 'gguf'])('%s holds the language model alone, and says so', async (format) => {
  await using model = await rounded('gemma3-vision')
  const warnings: string[] = []
  const failed = await written(model, format, warnings).then(
    () => undefined,
    (error: Error) => error,
  )
  // The fixture's tokenizer and sizes are none of GGUF's.
  if (failed) expect(failed.message).toMatch(/cannot hold/)
  else expect(warnings.join()).toMatch(/vision_tower and multi_modal_projector are left out.*text alone/)
})

test('a quantized tower is refused by name where towers are float', async () => {
  await using model = await rounded('qwen2-vl')
  const [name, found] = [...model.parameters].find(([one]) => one === 'visual.blocks.0.mlp.fc1.weight')!
  if (found.kind !== 'float') throw new Error('it is quantized')
  const tower = roundedModel(
    { ...model, description: { ...model.description, embedding: name }, parameters: new Map([[name, found]]) },
    () => ({ bits: 8, groupSize: 16, symmetric: true }),
  )
  const parameters = new Map([...model.parameters, ...tower.parameters])
  for (const format of ['autoawq', 'gptq', 'compressed-tensors'])
    await expect(written({ ...model, parameters }, format)).rejects.toThrow(
      /visual\.blocks\.0\.mlp\.fc1\.weight is quantized/,
    )
})
