/**
 * Proof of AutoAWQ and GPTQ. Ours read by others: transformers with gptqmodel has, from our folders, the float16 weights of the
 * store bit for bit and its logits to the rounding of float16. Theirs read by us: what gptqmodel packs, in activation order and
 * in both versions, has the same weights and logits here.
 * Arguments: a float model of few blocks (for the second half), then stores of 4 bits (for the first).
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { convert, openPortable, writeModel } from '@awq/formats'
import { openFolderWriter } from '@awq/formats/node'
import { modelLogits } from '@awq/runtime'
import { openFolder } from '@awq/tensor/node'
import { output } from './environments.ts'
import { gptqmodel } from './interpreters.ts'
import { compareWeights } from './qweight-compare.ts'
import { difference } from './tiny-models.ts'

const ids = [1, 504, 282, 3725, 1234, 99, 4000, 17]
const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url))

const logitsOf = (file: string): number[] => JSON.parse(readFileSync(file, 'utf8')).logits.flat()

const ourLogits = async (folder: string): Promise<number[]> =>
  (await modelLogits(await openFolder(folder), ids, { all: true })).flatMap((row) => [...row])

const told = (label: string, weights: { equal: number; differing: readonly string[] }, apart: number, most: number) => {
  const good = weights.differing.length === 0 && apart < most
  const some = weights.differing.slice(0, 2).join(', ')
  console.log(
    `${good ? 'ok  ' : 'FAIL'} ${label}: ${weights.equal} matrices equal bit for bit, ${weights.differing.length} not ${some}; ` +
      `logits ${apart.toExponential(1)} apart`,
  )
  return good
}

/** @returns whether all agree */
export const proveQweights = async ([float, ...stores]: readonly string[]): Promise<boolean> => {
  const python = gptqmodel()
  const scratch = mkdtempSync(join(tmpdir(), 'awq-qweight-'))
  let good = true
  try {
    for (const [index, store] of stores.entries())
      for (const [format, backend] of [
        ['autoawq', 'torch_awq'],
        ['gptq', 'gptq_torch'],
      ] as const) {
        const path = join(scratch, `${format}-${index}`)
        {
          await using model = await openPortable(await openFolder(store))
          await writeModel(model, format, await openFolderWriter(path))
        }
        const files = [`${path}.json`, '--weights', `${path}.safetensors`, '--backend', backend]
        output(python, [here('qweight.py'), path, ids.join(), ...files])
        const weights = await compareWeights(store, `${path}.safetensors`)
        const apart = difference(await ourLogits(store), logitsOf(`${path}.json`))
        good = told(`${store} as ${format}`, weights, apart, 0.02) && good
      }
    for (const options of [
      { bits: 4, group_size: 64, desc_act: true, sym: false, version: 2 },
      { bits: 4, group_size: 32, desc_act: false, sym: false, version: 1 },
      { bits: 8, group_size: 32, desc_act: true, sym: true, version: 1 },
      { bits: 3, group_size: 64, desc_act: true, sym: false, version: 2 },
    ]) {
      if (float === undefined) break
      const path = join(scratch, `made-${options.bits}-${options.version}-${options.desc_act}`)
      output(python, [here('make_gptq_model.py'), float, path, ids.join(), JSON.stringify(options)])
      await convert(await openFolder(path), await openFolderWriter(`${path}-awq`))
      const { equal, differing } = await compareWeights(path, `${path}.safetensors`)
      // The order of a down projection goes into the rows of gate and up, so these are equal in the logits only.
      const moved = (place: string): boolean => options.desc_act && place.includes('.mlp.')
      const weights = { equal, differing: differing.filter((place) => !moved(place)) }
      const apart = difference(await ourLogits(`${path}-awq`), logitsOf(`${path}.json`))
      good = told(`GPTQ made with ${JSON.stringify(options)}`, weights, apart, 1e-4) && good
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
  return good
}
