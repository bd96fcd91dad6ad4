import { createEngine } from '@awq/ort'
import type { QuantSpec } from '@awq/quantize'
import { createConversation, modelLogits, openModel } from '@awq/runtime'
import type { Folder } from '@awq/tensor'
import { afterAll, describe, expect, test } from 'vitest'
import { writeModel } from '../convert.ts'
import { openExported } from '../fixtures/exported.ts'
import { floatModel, roundedModel } from '../fixtures/models.ts'
import { memoryWriter } from '../folder/memory-writer.ts'
import type { PortableModel } from '../model.ts'
import { planChunks } from './chunks.ts'
import { genaiType } from './genai.ts'

const engine = await createEngine({ threads: 1 })
afterAll(() => engine.dispose())

const isTable = (name: string): boolean => name.includes('embed') || name.includes('head')

const rounded = async (name: string, spec: QuantSpec): Promise<PortableModel> =>
  roundedModel(await floatModel(name), (matrix) =>
    isTable(matrix) ? { bits: 8, groupSize: 32, symmetric: true } : spec,
  )

const written = async (model: PortableModel, format: string): Promise<Folder> => {
  const into = memoryWriter(format)
  await writeModel(model, format, into)
  return into.folder()
}

const json = async (folder: Folder, file: string) => JSON.parse(await folder.readText(file))

const bytesOf = async (folder: Folder, file: string): Promise<Uint8Array> => {
  const source = await folder.open(file)
  return await source.read(0, source.size)
}

describe('quantized weights in exported graphs', () => {
  const specs: QuantSpec[] = ([2, 3, 4, 8] as const).flatMap((bits) =>
    [true, false].map((symmetric) => ({ bits, groupSize: 16, symmetric })),
  )
  test.each(specs)('$bits bits, symmetric $symmetric, compute what the store computes', async (spec) => {
    await using model = await rounded('qwen2', spec)
    const store = await written(model, 'awq')
    const ids = [5, 9, 17, 3, 22, 8, 30]
    const expected = await modelLogits(store, ids, { engine, all: true })
    await using decoder = await openExported(engine, model, { port: { padding: 'left', logits: 'kept' } })
    const [rows] = await decoder.run([ids], [ids.map(() => 1)])
    for (const [i, row] of expected.entries())
      for (const [j, value] of row.entries()) expect(rows![i]![j]).toBeCloseTo(value, 4)
  })

  test('an order of inputs and columns that stay float go along', async () => {
    await using model = await rounded('llama', { bits: 4, groupSize: 16, symmetric: false })
    const parameters = new Map(model.parameters)
    const shuffled = (name: string) => {
      const parameter = parameters.get(name)!
      if (parameter.kind === 'float') throw new Error(name)
      const inputOrder = Int32Array.from({ length: parameter.shape[1] }, (_, i) => (i * 5) % parameter.shape[1])
      parameters.set(name, {
        ...parameter,
        inputOrder: true,
        read: async (options) => ({ ...(await parameter.read(options)), inputOrder }),
      })
    }
    shuffled('model.layers.0.self_attn.o_proj.weight')
    const changed = { ...model, parameters }
    const ids = [5, 9, 17]
    const expected = await modelLogits(await written(changed, 'awq'), ids, { engine, all: true })
    await using decoder = await openExported(engine, changed, { port: { padding: 'right', logits: 'all' } })
    const [rows] = await decoder.run([ids], [[1, 1, 1]])
    for (const [j, value] of expected[2]!.entries()) expect(rows![2]![j]).toBeCloseTo(value, 4)
  })
})

describe('transformersjs', () => {
  test.each([
    [4, ['q4', 'q4f16'], ['model_q4', 'model_q4f16']],
    [3, ['q4', 'q4f16'], ['model_q4', 'model_q4f16']],
    [2, ['q2', 'q2f16'], ['model_q2', 'model_q2f16']],
    [8, ['q8'], ['model_quantized']],
  ] as const)('%d bits make the dtypes %j', async (bits, dtypes, files) => {
    await using model = await rounded('llama', { bits, groupSize: 16, symmetric: false })
    const folder = await written(model, 'transformersjs')
    expect((await folder.list()).filter((file) => file.startsWith('onnx/')).sort()).toEqual(
      files.flatMap((file) => [`onnx/${file}.onnx`, `onnx/${file}.onnx_data`]).sort(),
    )
    const config = await json(folder, 'config.json')
    expect(config.model_type).toBe('llama')
    expect(config['transformers.js_config']).toMatchObject({
      dtype: dtypes[0],
      use_external_data_format: Object.fromEntries(files.map((file) => [`${file}.onnx`, 1])),
    })
    if (dtypes.length > 1) {
      expect(config['transformers.js_config'].kv_cache_dtype).toEqual({ [dtypes[1]!]: 'float16' })
      expect(await bytesOf(folder, `onnx/${files[1]}.onnx_data`)).toEqual(
        await bytesOf(folder, `onnx/${files[0]}.onnx_data`),
      )
    }
  })

  test('the ends of texts stand in generation_config.json', async () => {
    await using model = await rounded('llama', { bits: 4, groupSize: 16, symmetric: false })
    const folder = await written(model, 'transformersjs')
    expect(await json(folder, 'generation_config.json')).toMatchObject({ bos_token_id: 1, eos_token_id: 2 })
  })

  test('a chat template of its own file is put where transformers.js looks', async () => {
    await using model = await rounded('llama', { bits: 4, groupSize: 16, symmetric: false })
    const template = async () => new TextEncoder().encode('{{ messages }}')
    const companions = new Map([...model.companions, ['chat_template.jinja', template] as const])
    const folder = await written({ ...model, companions }, 'transformersjs')
    expect(await json(folder, 'tokenizer_config.json')).toMatchObject({ chat_template: '{{ messages }}' })
  })

  test('the language model of one with images stands for itself', async () => {
    await using model = await rounded('gemma3-multimodal', { bits: 4, groupSize: 16, symmetric: false })
    const config = await json(await written(model, 'transformersjs'), 'config.json')
    expect(config).toMatchObject({ model_type: 'gemma3_text', architectures: ['Gemma3ForCausalLM'], hidden_size: 32 })
  })

  test('what transformers.js would take for another cache is not said', async () => {
    await using model = await rounded('falcon', { bits: 4, groupSize: 16, symmetric: false })
    expect(model.config.multi_query).toBe(true)
    const config = await json(await written(model, 'transformersjs'), 'config.json')
    expect(config).toMatchObject({ multi_query: false, num_hidden_layers: 2 })
  })

  test('a family that transformers.js does not have is refused by name', async () => {
    await using model = await rounded('mixtral', { bits: 4, groupSize: 16, symmetric: false })
    await expect(written(model, 'transformersjs')).rejects.toThrow('transformers.js has no model_type mixtral')
  })
})

describe('genai', () => {
  test('genai_config.json says what the graph is', async () => {
    await using model = await rounded('qwen3', { bits: 4, groupSize: 16, symmetric: false })
    const folder = await written(model, 'genai')
    expect((await folder.list()).filter((file) => file.startsWith('model')).sort()).toEqual([
      'model.onnx',
      'model.onnx.data',
    ])
    const config = await json(folder, 'genai_config.json')
    expect(config.model).toMatchObject({ type: 'qwen3', eos_token_id: 2, bos_token_id: 1, vocab_size: 48 })
    expect(config.model.decoder).toMatchObject({
      filename: 'model.onnx',
      num_hidden_layers: model.description.config.layers,
      head_size: model.description.config.headDim,
      inputs: { input_ids: 'input_ids', attention_mask: 'attention_mask' },
    })
  })

  test('families without a name of their own are decoders', () => {
    expect(['llama', 'gemma3', 'gpt_oss', 'mixtral', 'gpt2'].map(genaiType)).toEqual([
      'llama',
      'gemma3_text',
      'gptoss',
      'decoder',
      'decoder',
    ])
  })

  test('keys and values of different widths are refused', async () => {
    await using model = await rounded('deepseek-v3', { bits: 4, groupSize: 16, symmetric: false })
    await expect(written(model, 'genai')).rejects.toThrow('different widths')
  })
})

describe('planChunks', () => {
  const entry = (name: string, length: number, fuse?: string) =>
    ({ name, dtype: 'U8', shape: [length], ...(fuse === undefined ? {} : { fuse }) }) as const

  test('no tensor crosses two files, and what belongs together lies side by side', () => {
    const entries = [entry('a', 100), entry('q', 50, 'x'), entry('b', 90), entry('k', 30, 'x')]
    const { files, tensors } = planChunks(entries, 'w.onnx_data', 256)
    expect(files.map(({ name, size }) => [name, size])).toEqual([
      ['w.onnx_data', 208],
      ['w.onnx_data_1', 90],
    ])
    const places = [...tensors.values()].map(({ name, file, offset }) => [name, file, offset])
    expect(places).toEqual([
      ['a', 'w.onnx_data', 0],
      ['q', 'w.onnx_data', 128],
      ['k', 'w.onnx_data', 178],
      ['b', 'w.onnx_data_1', 0],
    ])
  })

  test('large tensors start at pages', () => {
    const { tensors } = planChunks([entry('a', 10), entry('b', 2 ** 17), entry('c', 7)], 'w', 2 ** 20)
    expect([...tensors.values()].map(({ offset }) => offset)).toEqual([0, 4096, 4096 + 2 ** 17])
  })

  test('a tensor that fits no file is refused by name', () => {
    expect(() => planChunks([entry('a', 300)], 'w', 256)).toThrow('a: 300 bytes, but files hold 256 at most')
  })
})

test('in float32 the logits are those of our own runtime, bit for bit', async () => {
  await using model = await rounded('qwen3', { bits: 4, groupSize: 16, symmetric: false })
  const ids = [5, 9, 17, 3, 22, 8, 30]
  await using ours = await openModel(await written(model, 'awq'), engine, { accuracy: 'fast' })
  await using session = await ours.openDecoder({ attention: 'fused' })
  const conversation = createConversation(session, ours.description, { engine, attention: 'fused' })
  const expected = (await conversation.extend(ids, { logits: 'all' })).slice()
  conversation.dispose()
  const port = { padding: 'left', logits: 'kept' } as const
  await using decoder = await openExported(engine, model, { port, accuracy: 'fast' })
  const [rows] = await decoder.run([ids], [ids.map(() => 1)])
  expect(rows!.flatMap((row) => [...row])).toEqual([...expected])
})
