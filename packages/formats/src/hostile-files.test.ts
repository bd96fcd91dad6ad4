import type { QuantSpec } from '@awq/quantize'
import { AwqError, memoryFolder } from '@awq/tensor'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { openPortable, writeModel } from './convert.ts'
import { roundedModel, withByteTokenizer } from './fixtures/models.ts'
import { wideModel } from './fixtures/wide-model.ts'
import { memoryWriter } from './folder/memory-writer.ts'
import { isTable } from './matrix-names.ts'

type Files = Record<string, Uint8Array>

const spec: QuantSpec = { bits: 4, groupSize: 32, symmetric: false }

const filesOf = async (format: string): Promise<Files> => {
  const float = withByteTokenizer(await wideModel())
  const model = format === 'float' ? float : roundedModel(float, (name) => (isTable(float, name) ? null : spec))
  const writer = memoryWriter('made')
  await writeModel(model, format, writer)
  const files: Files = {}
  for (const file of await writer.folder().list()) {
    const source = await writer.folder().open(file)
    files[file] = await source.read(0, source.size)
  }
  // What a stranger's folder has not.
  const { 'provenance.json': _, 'README.md': card, ...rest } = files
  return rest
}

/** Opens a folder and reads all that it has. */
const readAll = async (files: Files): Promise<void> => {
  await using model = await openPortable(memoryFolder(files, 'hostile'))
  for (const found of model.parameters.values()) await (found.kind === 'quantized' ? found.read() : found.entry.read())
  for (const read of model.companions.values()) await read()
}

/** What is read is read, or refused by an error that names a file, a tensor or a field. */
const expectRefusal = async (files: Files, what: string, must = true): Promise<void> => {
  const error: unknown = await readAll(files).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error === undefined) {
    if (must) expect.unreachable(`${what} was read`)
    return
  }
  if (!AwqError.is(error)) throw new Error(`${what}: ${String((error as Error)?.stack ?? error)}`)
  expect(error.message, what).toMatch(/hostile|model\.(safetensors|gguf)|\.json|_proj|layers\.\d/)
  expect(error.message.length, what).toBeLessThan(1200)
}

const formats = ['awq', 'autoawq', 'autoawq-gemv', 'compressed-tensors', 'gptq', 'gguf', 'float']

describe.each(formats)('%s', (format) => {
  const weights = format === 'gguf' ? 'model.gguf' : 'model.safetensors'
  let files: Files
  let header: number
  beforeAll(async () => {
    files = await filesOf(format)
    const bytes = files[weights]!
    header = format === 'gguf' ? 4000 : 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))
  })
  const withWeights = (bytes: Uint8Array): Files => ({ ...files, [weights]: bytes })

  test('as it was written is read', () => readAll(files))

  test('cut off anywhere is refused', async () => {
    const bytes = files[weights]!
    const places = [
      0,
      1,
      3,
      7,
      8,
      9,
      20,
      header - 1,
      header,
      header + 1,
      (bytes.length + header) >> 1,
      bytes.length - 1,
    ]
    for (const place of places) await expectRefusal(withWeights(bytes.slice(0, place)), `cut at ${place}`)
  })

  test('with anything behind its end is refused, or read as it was', async () => {
    await expectRefusal(withWeights(Uint8Array.from([...files[weights]!, 1, 2, 3])), '3 more', false)
  })

  test('without any of its files is refused, or does without', async () => {
    for (const file of Object.keys(files)) {
      const { [file]: gone, ...rest } = files
      await expectRefusal(rest, `without ${file}`, file === weights)
    }
  })

  test('with bytes changed in its header is refused, or read', async () => {
    const change = fc.record({ at: fc.nat(header - 1), to: fc.nat(255) })
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const bytes = files[weights]!.slice()
        for (const { at, to } of changes) bytes[at] = to
        await expectRefusal(withWeights(bytes), `changed ${JSON.stringify(changes)}`, false)
      }),
      { numRuns: 60 },
    )
  })

  test('with any field of its configurations changed is refused, or read', async () => {
    const wrong: unknown[] = [null, -1, 0, 1e15, 1.5, 'x', '4', [], {}, true]
    const decoder = new TextDecoder()
    for (const file of Object.keys(files).filter((name) => /config\.json$|quantization\.json$/.test(name))) {
      const config = JSON.parse(decoder.decode(files[file])) as Record<string, unknown>
      const edited = (json: unknown): Files => ({ ...files, [file]: new TextEncoder().encode(JSON.stringify(json)) })
      for (const [index, key] of Object.keys(config).entries()) {
        const value = wrong[index % wrong.length]
        for (const one of [value, wrong[(index + 5) % wrong.length]])
          await expectRefusal(edited({ ...config, [key]: one }), `${file}.${key} ${JSON.stringify(one)}`, false)
      }
      const { quantization_config: quantization } = config
      for (const key of Object.keys((quantization ?? {}) as object))
        for (const one of wrong) {
          const changed = { ...config, quantization_config: { ...(quantization as object), [key]: one } }
          await expectRefusal(edited(changed), `quantization_config.${key} ${JSON.stringify(one)}`, false)
        }
      for (const one of wrong) await expectRefusal(edited(one), `${file} ${JSON.stringify(one)}`, false)
      await expectRefusal(
        { ...files, [file]: new TextEncoder().encode('{"a":') },
        `${file} cut`,
        file === 'config.json',
      )
    }
  })

  test.skipIf(format === 'gguf')('with tensors that lie about themselves is refused', async () => {
    const bytes = files[weights]!
    const json = JSON.parse(new TextDecoder().decode(bytes.subarray(8, header))) as Record<
      string,
      Record<string, unknown>
    >
    const forged = (changed: object): Files => {
      const text = new TextEncoder().encode(JSON.stringify(changed))
      const made = new Uint8Array(8 + text.length + bytes.length - header)
      new DataView(made.buffer).setBigUint64(0, BigInt(text.length), true)
      made.set(text, 8)
      made.set(bytes.subarray(header), 8 + text.length)
      return withWeights(made)
    }
    for (const name of Object.keys(json).filter((one) => /layers\.0\.mlp\.up_proj/.test(one))) {
      const entry = json[name]!
      const [from, to] = entry.data_offsets as [number, number]
      const lies: [string, object][] = [
        ['another type', { dtype: entry.dtype === 'I8' ? 'U8' : 'I8' }],
        ['a type that is none', { dtype: 'Q4' }],
        ['a shape of nothing', { shape: [] }],
        ['a huge shape', { shape: [2 ** 40, 2 ** 40] }],
        ['a negative shape', { shape: [-1, 4] }],
        ['a flat shape', { shape: [(entry.shape as number[]).reduce((product, size) => product * size, 1)] }],
        ['bytes beyond the file', { data_offsets: [from, to + 2 ** 40] }],
        ['bytes backwards', { data_offsets: [to, from] }],
      ]
      for (const [what, lie] of lies) {
        const flat = what === 'a flat shape' && (entry.shape as number[]).length === 1
        if (!flat) await expectRefusal(forged({ ...json, [name]: { ...entry, ...lie } }), `${name} with ${what}`)
      }
      const { [name]: gone, ...rest } = json
      await expectRefusal(forged(rest), `without ${name}`)
    }
  })
})
