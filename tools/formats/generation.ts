/** Greedy tokens of another program from a folder, and of our runtime from the store that the folder was made of. */
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { quantize } from '@awq/core'
import { type Accuracy, loadModel } from '@awq/runtime'
import { openFolder } from '@awq/tensor/node'

/** What a program is asked for: prompts as ids, or as texts. */
export interface Job {
  readonly folder: string
  readonly dtype: string
  readonly prompts?: readonly (readonly number[])[]
  readonly texts?: readonly string[]
  /** At most so many after each prompt. */
  readonly tokens: number
  /** All prompts at once, padded on the left. */
  readonly batch?: boolean
}

/** What it made: the prompts' ids, and those after each. */
export interface Made {
  readonly prompts: readonly (readonly number[])[]
  readonly ids: readonly (readonly number[])[]
}

/** Bits that stores are rounded to. */
export type Bits = 2 | 3 | 4 | 8

/** The folder of the tiny checkpoints, whose ids are no text. */
export const tiny = fileURLToPath(new URL('../../test/fixtures/models', import.meta.url))

const prompts = [
  [5, 9, 17, 3, 22, 8, 30],
  [11, 4, 27],
  [40, 7, 7, 19, 25, 33, 12, 6, 41, 14],
  [21, 35],
]
const texts = ['The capital of France is', 'Once upon a time', 'def fibonacci(n):']

/** Prompts for a model. */
export const asked = (path: string): Pick<Job, 'prompts' | 'texts' | 'tokens'> =>
  path.startsWith(tiny) ? { prompts, tokens: 16 } : { texts, tokens: 32 }

const graphs: Readonly<Record<string, string>> = {
  'model_q4.onnx': 'q4',
  'model_q4f16.onnx': 'q4f16',
  'model_q2.onnx': 'q2',
  'model_q2f16.onnx': 'q2f16',
  'model_quantized.onnx': 'q8',
}

/** What transformers.js calls the graphs among files. */
export const dtypesOf = (files: readonly string[]): string[] => files.flatMap((file) => graphs[file] ?? [])

/** A store of a folder: itself, or its model rounded to nearest. */
export const storeOf = async (path: string, bits: Bits, scratch: string): Promise<string> => {
  const folder = await openFolder(path)
  if (await folder.has('quantization.json')) return path
  const store = join(scratch, `${basename(path)}-${bits}`)
  await quantize({
    model: path,
    output: store,
    method: 'rtn',
    bits,
    groupSize: path.startsWith(tiny) ? 16 : 32,
  } as never)
  return store
}

/** Tokens that are the same, and how much our logits prefer ours to another's where it differs first. */
export const compare = async (store: string, accuracy: Accuracy, made: Made, tokens: number) => {
  await using model = await loadModel(await openFolder(store), { accuracy })
  let same = 0
  let total = 0
  let worst = 0
  for (const [i, prompt] of made.prompts.entries()) {
    // What stands behind the end of a text is padding.
    const end = made.ids[i]!.findIndex((id) => model.tokenizer.eosIds.includes(id))
    const theirs = made.ids[i]!.slice(0, end === -1 ? tokens : end + 1)
    const { ids } = await model.generate({ ids: prompt }, { maxNewTokens: tokens, ignoreEos: true }).result
    const at = theirs.findIndex((id, place) => id !== ids[place])
    same += at === -1 ? theirs.length : at
    total += theirs.length
    if (at === -1) continue
    const logits = await model.logits([...prompt, ...theirs.slice(0, at)])
    worst = Math.max(worst, logits[ids[at]!]! - logits[theirs[at]!]!)
  }
  return { same, total, worst }
}
