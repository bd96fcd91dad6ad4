/**
 * Proof of transformers.js folders of models that see: transformers.js in Node writes the tokens that transformers wrote about
 * the same pixels, greedily, with one image, two and none. Arguments: names of checkpoints in test/fixtures/models, or folders of
 * such; none for all.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openPortable, type PortableModel, writeModel } from '@awq/formats'
import { openFolderWriter } from '@awq/formats/node'
import { messageOf } from '@awq/tensor'
import { openFolder } from '@awq/tensor/node'
import { output, transformersJs } from './environments.ts'

interface Packed {
  readonly shape: readonly number[]
  readonly data: string
}

/** vision.json, see tools/fixtures/models/make_vision.py. */
interface Golden {
  readonly images: readonly { readonly pixelValues: Packed; readonly grid?: readonly [number, number] }[]
  readonly sequences: readonly { readonly ids: number[]; readonly images: readonly number[]; readonly next: number[] }[]
}

const committed = fileURLToPath(new URL('../../test/fixtures/models', import.meta.url))
const script = fileURLToPath(new URL('transformersjs-seeing.mjs', import.meta.url))

const joined = (images: readonly Golden['images'][number][], nested: boolean): Packed => {
  const shape = images[0]!.pixelValues.shape.slice(1)
  const count = images.reduce((sum, { pixelValues }) => sum + pixelValues.shape[0]!, 0)
  const data = Buffer.concat(images.map(({ pixelValues }) => Buffer.from(pixelValues.data, 'base64'))).toString(
    'base64',
  )
  return { shape: [...(nested ? [1] : []), count, ...shape], data }
}

const withTile = (model: PortableModel, edge: number): PortableModel => {
  const text = JSON.stringify({ max_image_size: { longest_edge: edge } })
  return {
    ...model,
    companions: new Map([
      ...model.companions,
      ['preprocessor_config.json', async () => new TextEncoder().encode(text)],
    ]),
  }
}

/** The checkpoints' token that ends a text, where transformers.js stops and the goldens go on. */
const END = 2

const agrees = (next: readonly number[], made: readonly number[]): boolean =>
  next.slice(0, made.length).join() === made.join() && (made.length === next.length || made.at(-1) === END)

/** @returns whether all agree */
export const proveSeeing = async (args: readonly string[]): Promise<boolean> => {
  const root = transformersJs()
  const scratch = mkdtempSync(join(tmpdir(), 'awq-seeing-'))
  const named = args.length > 0 ? args : readdirSync(committed).sort()
  let good = true
  try {
    for (const name of named) {
      const path = existsSync(join(committed, name)) ? join(committed, name) : name
      if (!existsSync(join(path, 'vision.json'))) continue
      const { images, sequences }: Golden = JSON.parse(readFileSync(join(path, 'vision.json'), 'utf8'))
      const folder = mkdtempSync(join(scratch, 'model-'))
      let [right, line] = [false, '']
      try {
        await using model = await openPortable(await openFolder(path))
        const nested = /idefics3|smolvlm/.test(model.description.config.modelType)
        const edge = images[0]!.pixelValues.shape[3]!
        const out = join(folder, 'out')
        const held = nested ? withTile(model, edge) : model
        await writeModel(held, 'transformersjs', await openFolderWriter(out), { accuracy: 'exact' })
        // A graph of tiles is for one size of them.
        const asked = sequences.filter(({ images: used }) =>
          used.every((at) => !nested || images[at]!.pixelValues.shape[3] === edge),
        )
        const prompts = asked.map(({ ids, images: used }) => ({
          ids,
          ...(used.length > 0
            ? {
                pixels: joined(
                  used.map((at) => images[at]!),
                  nested,
                ),
              }
            : {}),
          ...(used.length > 0 && images[0]!.grid ? { grids: used.map((at) => [1, ...images[at]!.grid!]) } : {}),
        }))
        const job = { root, folder: out, dtype: 'fp32', tokens: asked[0]!.next.length, prompts }
        const { made } = JSON.parse(
          output('node', [script], { input: JSON.stringify(job) })
            .trim()
            .split('\n')
            .at(-1)!,
        )
        const same = asked.filter(({ next }, i) => agrees(next, made[i])).length
        right = same === asked.length
        const wrong = asked.flatMap(({ next, images: used }, i) =>
          agrees(next, made[i]) ? [] : [`${used.length} images: ${made[i].join(' ')}, not ${next.join(' ')}`],
        )
        line = `${same} of ${asked.length} prompts go on with the same tokens; ${wrong.join('; ')}`
      } catch (error) {
        line = messageOf(error).slice(-300)
        right = /has no class for models/.test(line)
      }
      good &&= right
      console.log(`${right ? 'ok  ' : 'FAIL'} ${name}: ${line}`)
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
  return good
}
