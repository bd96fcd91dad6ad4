/**
 * Proof that transformers loads compressed-tensors and AutoAWQ folders of models that see, the tower with them: the logits of
 * prompts with images are those of the float folder that the same codes stand for. Arguments: `compressed-tensors` or `autoawq`,
 * names of checkpoints in test/fixtures/models; none for all.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { floatFolder, openPortable, writeModel } from '@awq/formats'
import { openFolderWriter } from '@awq/formats/node'
import { openFolder } from '@awq/tensor/node'
import { roundedModel } from '../../packages/formats/src/fixtures/models.ts'
import { output } from './environments.ts'
import { gptqmodel, llmcompressor } from './interpreters.ts'
import { difference } from './tiny-models.ts'

const committed = fileURLToPath(new URL('../../test/fixtures/models', import.meta.url))
const script = fileURLToPath(new URL('seeing.py', import.meta.url))
const names = ['llava', 'llava-next', 'qwen2-vl', 'qwen2.5-vl', 'smolvlm', 'idefics3', 'gemma3-vision', 'paligemma']

/** Tensors behind the block that LLaVA takes features from; what a pass leaves out need not be there. */
const unused = /vision_tower\..*(layers\.\d+\.|post_layernorm)/

/** By format: who loads it, in which type, and how far logits may be apart: weights are rounded to float16 as they are read. */
const loaders = {
  'compressed-tensors': { python: llmcompressor, dtype: 'float16', backend: undefined, most: 5e-3 },
  autoawq: { python: gptqmodel, dtype: 'float16', backend: 'torch_awq', most: 0.05 },
} as const

/** @returns whether all agree */
export const proveSeeingLoaded = async (args: readonly string[]): Promise<boolean> => {
  const scratch = mkdtempSync(join(tmpdir(), 'awq-seeing-'))
  const wanted = (all: readonly string[]): readonly string[] => {
    const asked = all.filter((one) => args.includes(one))
    return asked.length > 0 ? asked : all
  }
  let good = true
  try {
    for (const format of wanted(Object.keys(loaders)) as (keyof typeof loaders)[])
      for (const name of wanted(names.filter((one) => readdirSync(committed).includes(one)))) {
        const { python, dtype, backend, most } = loaders[format]
        await using float = await openPortable(await openFolder(join(committed, name)))
        const { embedding, headTable } = float.description
        const model = roundedModel(float, (matrix) =>
          matrix === embedding || matrix === headTable ? null : { bits: 4, groupSize: 16, symmetric: false },
        )
        const folders = [join(scratch, `${name}-${format}`), join(scratch, `${name}-${format}-float`)] as const
        await writeModel(model, format, await openFolderWriter(folders[0]))
        await using decoded = await openPortable(floatFolder(model))
        await writeModel(decoded, 'float', await openFolderWriter(folders[1]))
        const golden = join(committed, name, 'vision.json')
        const input = JSON.stringify({ golden, folders, dtype, backend })
        const [one, other] = output(python(), [script], { input, quiet: true })
          .trim()
          .split('\n')
          .filter((line) => line.startsWith('{'))
          .map((line) => JSON.parse(line))
        const error = one?.error ?? other?.error
        const apart = error ? Number.NaN : difference(one.logits.flat(), other.logits.flat())
        const missing = [...(one?.missing_keys ?? []), ...(one?.unexpected_keys ?? [])]
        const right = apart < most && missing.every((key) => unused.test(key))
        good &&= right
        const line =
          error ??
          `logits ${apart.toExponential(1)} apart${missing.length > 0 ? `; without ${missing.join(', ')}` : ''}`
        console.log(`${right ? 'ok  ' : 'FAIL'} ${name}, ${format}: ${line}`)
      }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
  return good
}
