/**
 * Proof of AutoAWQ, GPTQ and compressed-tensors folders by those who load them: AutoAWQ unpacks our integers, bit for bit;
 * transformers, gptqmodel and vLLM (on a CPU) compute what our runtime does. Arguments: programs, kinds of models or schemes, or one
 * with a program (`qwen2/vllm`); none for all.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openPortable, type PortableModel, writeModel } from '@awq/formats'
import { openFolderWriter } from '@awq/formats/node'
import { modelLogits } from '@awq/runtime'
import { messageOf, openSafetensors } from '@awq/tensor'
import { fileSource, openFolder } from '@awq/tensor/node'
import { roundedModel } from '../../packages/formats/src/fixtures/models.ts'
import { output } from './environments.ts'
import { autoawq, gptqmodel, llmcompressor, vllm } from './interpreters.ts'
import { type Loader, loadedCases } from './loaded-cases.ts'
import { compareWeights } from './qweight-compare.ts'
import { difference } from './tiny-models.ts'

const PROMPT = [1, 50, 282, 37, 123, 99, 40, 17]
const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url))
const lastLine = (text: string) => JSON.parse(text.trim().split('\n').at(-1)!)

interface Job {
  readonly model: PortableModel
  /** The store of the model. */
  readonly store: string
  /** The folder in the other format. */
  readonly folder: string
}

const ownLogits = async (store: string, ids: readonly number[]): Promise<readonly Float32Array[]> =>
  await modelLogits(await openFolder(store), ids, { all: true })

const apartFrom = async (store: string, logits: readonly (readonly number[])[]): Promise<number> =>
  difference(
    (await ownLogits(store, PROMPT)).flatMap((row) => [...row]),
    logits.flat(),
  )

/** Matrices whose codes, zero points and scales AutoAWQ unpacks as they are. */
const sameIntegers = async (model: PortableModel, file: string): Promise<{ equal: number; of: number }> => {
  await using unpacked = await openSafetensors(await fileSource(file))
  const { embedding, head } = model.description
  let [equal, of] = [0, 0]
  for (const [name, parameter] of model.parameters) {
    if (parameter.kind === 'float' || name === embedding || name === head) continue
    const { codes, zeroPoints, scales } = await parameter.read()
    const middle = new Uint8Array(scales.length).fill(8)
    const expected = { codes, zeros: zeroPoints ?? middle, scales: new Uint8Array(scales.slice().buffer) }
    const parts = await Promise.all(
      Object.entries(expected).map(async ([part, bytes]) => {
        const own = await unpacked.tensors.get(`${name.slice(0, -'.weight'.length)}.${part}`)!.read()
        return Buffer.compare(own, bytes) === 0
      }),
    )
    of++
    if (parts.every(Boolean)) equal++
  }
  return { equal, of }
}

/** What a program makes of a folder: a line, and whether it is right. */
type Load = (job: Job) => Promise<readonly [good: boolean, line: string]>

const byTransformers =
  (loader: 'transformers' | 'gptqmodel'): Load =>
  async ({ store, folder }) => {
    const { quantization_config: config } = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))
    const backend = config.quant_method === 'gptq' ? 'gptq_torch' : 'torch_awq'
    const named = config.version === 'gemv' ? [] : ['--backend', backend]
    const weights = `${folder}.${loader}.safetensors`
    const files = [`${folder}.json`, '--weights', weights, '--loader', loader]
    output(gptqmodel(), [here('qweight.py'), folder, PROMPT.join(), ...files, ...named], { cwd: folder })
    const { equal, differing } = await compareWeights(store, weights)
    const apart = await apartFrom(store, JSON.parse(readFileSync(`${folder}.json`, 'utf8')).logits)
    return [
      differing.length === 0 && apart < 0.02,
      `${equal} matrices equal bit for bit, ${differing.length} not ${differing.slice(0, 1)}; logits ${apart.toExponential(1)} apart`,
    ]
  }

const byAutoAwq: Load = async ({ model, store, folder }) => {
  const input = JSON.stringify({ folders: [folder], ids: PROMPT })
  const { loaded, again, logits, matrices } = lastLine(output(autoawq(), [here('read_autoawq.py')], { input }))
  const { equal, of } = await sameIntegers(model, `${folder}.safetensors`)
  const kinds = Object.entries(loaded).map(([kind, count]) => `${count} ${kind}`)
  const apart = logits ? await apartFrom(store, logits) : undefined
  const packed = logits ? of : again
  return [
    equal === of && matrices === of && packed === of && (apart ?? 0) < 0.02,
    `integers of ${equal} of ${of} matrices, bit for bit; loaded as ${kinds.join(', ')}; ` +
      (apart === undefined ? `${again} packed again to the same words` : `logits ${apart.toExponential(1)} apart`),
  ]
}

const softmaxLog = (logits: Float32Array, id: number): number => {
  const most = logits.reduce((a, b) => Math.max(a, b))
  return logits[id]! - most - Math.log(logits.reduce((sum, value) => sum + Math.exp(value - most), 0))
}

const byVllm: Load = async ({ store, folder }) => {
  const job = { folder, prompts: [PROMPT, PROMPT.slice(2, 5)], tokens: 12 }
  const { made, kinds, error } = lastLine(
    output(vllm(), [here('run_vllm.py')], { input: JSON.stringify(job), quiet: true }),
  )
  if (error) return [false, error]
  let [same, total, worst] = [0, 0, 0]
  for (const [i, { ids, logprobs }] of made.entries()) {
    const prompt = job.prompts[i]!
    const rows = await ownLogits(store, [...prompt, ...ids])
    for (const [at, id] of ids.entries()) {
      const row = rows[prompt.length - 1 + at]!
      if (row[id] === row.reduce((a, b) => Math.max(a, b))) same++
      total++
      worst = Math.max(worst, Math.abs(softmaxLog(row, id) - logprobs[at]))
    }
  }
  const text = Object.entries(kinds).flatMap(([kind, count]) => (kind.includes('(') ? [`${count} ${kind}`] : []))
  return [
    worst < 0.1 && same >= total * 0.9,
    `${same} of ${total} greedy tokens ours too, log probabilities ${worst.toExponential(1)} apart; ${text.join(', ')}`,
  ]
}

const byCompressedTensors: Load = async ({ store, folder }) => {
  const input = JSON.stringify({ folders: [folder], prompts: [PROMPT] })
  const { logits, error } = lastLine(output(llmcompressor(), [here('compressed-tensors.py')], { input, quiet: true }))
  if (error) return [false, error]
  const apart = difference((await ownLogits(store, PROMPT)).at(-1)!, logits[0])
  // Experts become float16 weights there.
  return [apart < 1e-3, `logits ${apart.toExponential(1)} apart`]
}

const loaders: Readonly<Record<Loader, Load>> = {
  autoawq: byAutoAwq,
  transformers: byTransformers('transformers'),
  gptqmodel: byTransformers('gptqmodel'),
  'compressed-tensors': byCompressedTensors,
  vllm: byVllm,
}

/** @returns whether all agree */
export const proveLoaded = async (args: readonly string[]): Promise<boolean> => {
  const scratch = mkdtempSync(join(tmpdir(), 'awq-loaded-'))
  const wanted = (kind: string, scheme: string, loader: Loader) =>
    args.length === 0 ||
    [loader, kind, scheme, `${kind}/${loader}`, `${scheme}/${loader}`].some((one) => args.includes(one))
  const cases = loadedCases.filter(({ kind, scheme, formats }) =>
    Object.values(formats).some((programs) => programs.some((loader) => wanted(kind, scheme, loader))),
  )
  let good = true
  try {
    output(gptqmodel(), [here('small_models.py'), scratch, ...new Set(cases.map(({ kind }) => kind))])
    for (const [index, { kind, scheme, specOf, formats }] of cases.entries()) {
      await using float = await openPortable(await openFolder(join(scratch, kind)))
      const { embedding, headTable } = float.description
      const model = roundedModel(float, (name) => (name === embedding || name === headTable ? null : specOf(name)))
      const store = join(scratch, `${index}-awq`)
      await writeModel(model, 'awq', await openFolderWriter(store))
      for (const [format, programs] of Object.entries(formats)) {
        const asked = programs.filter((loader) => wanted(kind, scheme, loader))
        if (asked.length === 0) continue
        const folder = join(scratch, `${index}-${format}`)
        const label = `${kind}, ${scheme}, ${format}`
        await writeModel(model, format, await openFolderWriter(folder), {
          onWarning: (warning) => console.log(`     ${label}: ${warning}`),
        })
        for (const loader of asked) {
          let [right, line]: readonly [boolean, string] = [false, '']
          try {
            ;[right, line] = await loaders[loader]({ model, store, folder })
          } catch (error) {
            line = messageOf(error).slice(-300)
          }
          good &&= right
          console.log(`${right ? 'ok  ' : 'FAIL'} ${label}, by ${loader}: ${line}`)
        }
      }
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
  return good
}
