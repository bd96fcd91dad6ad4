/**
 * Proof of the ONNX folders: transformers.js and onnxruntime-genai write the same tokens from them as our runtime from the
 * store. Arguments: stores or float checkpoints (which are rounded to 4 bits first), or none for all tiny checkpoints.
 *
 * In `exact` products every token is the same. In `fast` ones activations are rounded to 8 bits, and the smallest difference
 * before that decides where; where a token differs, the figure is by how much our logits prefer ours.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { quantize } from '@awq/core'
import { checkHolds, openPortable, writeModel } from '@awq/formats'
import { openFolderWriter } from '@awq/formats/node'
import { type Accuracy, loadModel } from '@awq/runtime'
import { messageOf } from '@awq/tensor'
import { openFolder } from '@awq/tensor/node'
import { nodeWith, output, pythonWith } from './environments.ts'

const TRANSFORMERS_JS = ['@huggingface/transformers@4.3.1']
const GENAI = ['onnxruntime-genai==0.18.0', 'numpy']

interface Job {
  readonly folder: string
  readonly dtype: string
  readonly prompts?: readonly (readonly number[])[]
  readonly texts?: readonly string[]
  readonly tokens: number
  readonly batch?: boolean
}

interface Made {
  readonly prompts: number[][]
  readonly ids: number[][]
  readonly texts?: string[]
}

interface Peer {
  readonly format: string
  readonly dtypes: (files: readonly string[]) => readonly string[]
  readonly generate: (job: Job) => Made
}

const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const suffixes: Readonly<Record<string, string>> = {
  'model_q4.onnx': 'q4',
  'model_q4f16.onnx': 'q4f16',
  'model_q2.onnx': 'q2',
  'model_q2f16.onnx': 'q2f16',
  'model_quantized.onnx': 'q8',
}

const peers = (): Peer[] => {
  const root = nodeWith('transformersjs', TRANSFORMERS_JS)
  const python = pythonWith('genai', GENAI)
  const run = (program: string, args: readonly string[], job: object): Made =>
    JSON.parse(
      output(program, args, { input: JSON.stringify(job) })
        .trim()
        .split('\n')
        .at(-1)!,
    )
  return [
    {
      format: 'transformersjs',
      dtypes: (files) => files.flatMap((file) => suffixes[basename(file)] ?? []),
      generate: (job) => run(process.execPath, [script('transformersjs.mjs')], { root, ...job }),
    },
    { format: 'genai', dtypes: () => ['q4'], generate: (job) => run(python, [script('genai.py')], job) },
  ]
}

const scratch = mkdtempSync(join(tmpdir(), 'awq-formats-'))
const tiny = fileURLToPath(new URL('../../test/fixtures/models', import.meta.url))

/** A store of a folder: itself, or its model rounded to 4 bits. */
const storeOf = async (path: string, bits: 2 | 3 | 4 | 8): Promise<string> => {
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

/** Greedy tokens of our runtime, and how much its logits prefer them to another's where that differs first. */
const compare = async (store: string, accuracy: Accuracy, made: Made, tokens: number) => {
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

const prompts = [
  [5, 9, 17, 3, 22, 8, 30],
  [11, 4, 27],
  [40, 7, 7, 19, 25, 33, 12, 6, 41, 14],
  [21, 35],
]
const texts = ['The capital of France is', 'Once upon a time', 'def fibonacci(n):']

const prove = async (path: string, bits: 2 | 3 | 4 | 8): Promise<boolean> => {
  const small = path.startsWith(tiny)
  const store = await storeOf(path, bits)
  const tokens = small ? 16 : 32
  let right = true
  for (const peer of peers()) {
    for (const accuracy of ['exact', 'fast'] as const) {
      const folder = join(scratch, `${basename(store)}-${peer.format}-${accuracy}`)
      const label = `${basename(path)} ${bits} bits, ${peer.format}, ${accuracy}`
      await using model = await openPortable(await openFolder(store))
      try {
        await checkHolds(model, peer.format)
      } catch (error) {
        console.log(`${label}: refused, ${messageOf(error)}`)
        break
      }
      await writeModel(model, peer.format, await openFolderWriter(folder), { accuracy })
      const files = readdirSync(join(folder, peer.format === 'genai' ? '' : 'onnx'))
      for (const dtype of peer.dtypes(files)) {
        for (const batch of small && accuracy === 'exact' ? [false, true] : [false]) {
          const what = `${label}, ${dtype}${batch ? ', batch' : ''}`
          try {
            const made = peer.generate({ folder, dtype, tokens, batch, ...(small ? { prompts } : { texts }) })
            const { same, total, worst } = await compare(store, accuracy, made, tokens)
            const alike = same === total
            if (!alike && accuracy === 'exact' && !dtype.endsWith('f16')) right = false
            const rest = alike ? '' : `, then ours are preferred by ${worst.toFixed(4)}`
            console.log(`${what}: ${same} of ${total} tokens the same${rest}`)
          } catch (error) {
            right = false
            const why = /Error: .*/.exec(messageOf(error))?.[0] ?? messageOf(error)
            console.log(`${what}: FAILED, ${why.slice(0, 300)}`)
          }
        }
      }
      rmSync(folder, { recursive: true, force: true })
    }
  }
  return right
}

/** Proves some models; false when one was not right. */
export const proveGenerators = async (args: readonly string[]): Promise<boolean> => {
  const bits = Number(args.find((arg) => arg.startsWith('--bits='))?.slice(7) ?? 4) as 2 | 3 | 4 | 8
  const given = args.filter((arg) => !arg.startsWith('--')).map((arg) => resolve(arg))
  const paths =
    given.length > 0
      ? given
      : readdirSync(tiny)
          .sort()
          .map((name) => join(tiny, name))
  let right = true
  try {
    for (const path of paths) right = (await prove(path, bits)) && right
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
  return right
}
