/**
 * Proof of GGUF files: llama.cpp has the probabilities and the greedy tokens from our file that our runtime has from the store
 * or the float checkpoint. Arguments: stores, names of tiny checkpoints, or none for all
 * of these of the families that are written; they are taken as float32 and in blocks of 4 and 8 bits.
 *
 * llama.cpp rounds activations to 8 bits in products with blocks, keys and values to float16, and looks some functions up in
 * tables of float16: where its greedy tokens differ, the figure is by how much our logits prefer ours.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openPortable, type PortableModel, writeModel } from '@awq/formats'
import { openFolderWriter } from '@awq/formats/node'
import { describeModel } from '@awq/models'
import { modelLogits } from '@awq/runtime'
import { openFolder } from '@awq/tensor/node'
import { nodeWith, output } from './environments.ts'
import { holds, rounded, tinyModel, tinyNames } from './tiny-models.ts'

const PACKAGES = ['node-llama-cpp@3.22.1']

interface Case {
  readonly label: string
  readonly reference: string
  readonly file: string
}

interface Made {
  readonly ids: number[]
  readonly generated: number[]
  readonly probabilities: Record<string, number>
}

/** A vocabulary that llama.cpp takes, of any size. */
const tokenizer = (size: number): string => {
  const tokens = Array.from({ length: size - 3 }, (_, i) => (i < 90 ? String.fromCodePoint(33 + i) : `x${i}`))
  return JSON.stringify({
    added_tokens: [0, 1, 2].map((id) => ({ id, content: `<${id}>`, special: id > 0 })),
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    decoder: { type: 'ByteLevel' },
    model: { type: 'BPE', vocab: Object.fromEntries(tokens.map((token, i) => [token, i + 3])), merges: [] },
  })
}

/** What llama.cpp takes for granted of Gemma's configuration, in place of the fixtures' own. */
const changes: Readonly<Record<string, object>> = {
  gemma2: { query_pre_attn_scalar: 12 },
  gemma3: { query_pre_attn_scalar: 12, layer_types: undefined, sliding_window_pattern: 6, _sliding_window_pattern: 6 },
}

/** llama.cpp chooses LongRoPE's factors by the length of its context, which is longer than these. */
const onlyLong = (config: Readonly<Record<string, unknown>>): object => {
  const scaling = config.rope_scaling as { readonly long_factor?: unknown } | null | undefined
  return scaling?.long_factor ? { rope_scaling: { ...scaling, short_factor: scaling.long_factor } } : {}
}

const prepared = (model: PortableModel, name: string): PortableModel => {
  const config = { ...model.config, ...changes[name], ...onlyLong(model.config) }
  const bytes = new TextEncoder().encode(tokenizer(model.description.config.vocabSize))
  const companions = new Map([['tokenizer.json', async () => bytes]])
  return { ...model, config, description: describeModel(config), companions }
}

const prepare = async (
  model: PortableModel,
  label: string,
  scratch: string,
  store?: string,
): Promise<Case | undefined> => {
  if (!(await holds(model, 'gguf', label))) return undefined
  const path = join(scratch, label.replaceAll(/[ /]/g, '-'))
  const own = [...model.parameters.values()].some(({ kind }) => kind === 'quantized') ? 'awq' : 'float'
  if (store === undefined) await writeModel(model, own, await openFolderWriter(`${path}-${own}`))
  await writeModel(model, 'gguf', await openFolderWriter(path), {
    onWarning: (line) => console.log(`${label}: ${line}`),
  })
  return { label, reference: store ?? `${path}-${own}`, file: join(path, 'model.gguf') }
}

const softmax = (logits: Float32Array): number[] => {
  const most = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  const powers = Array.from(logits, (logit) => Math.exp(logit - most))
  const sum = powers.reduce((a, b) => a + b, 0)
  return powers.map((power) => power / sum)
}

/** KL divergence of their probabilities from ours, and how far greedy tokens are the same. */
const compare = async (reference: string, { ids, generated, probabilities }: Made) => {
  const folder = await openFolder(reference)
  const [logits] = await modelLogits(folder, ids)
  const own = softmax(logits!)
  const divergence = own.reduce((sum, p, id) => sum + (p > 0 ? p * Math.log(p / (probabilities[id] ?? 1e-12)) : 0), 0)
  const sequence = [...ids, ...generated.slice(0, -1)]
  const all = await modelLogits(folder, sequence, { all: true })
  const best = all.slice(ids.length - 1).map((row) => row.indexOf(row.reduce((a, b) => Math.max(a, b))))
  const at = generated.findIndex((id, place) => id !== best[place])
  const row = all[ids.length - 1 + at]
  const preferred = at < 0 ? 0 : row![best[at]!]! - row![generated[at]!]!
  return { divergence, same: at < 0 ? generated.length : at, total: generated.length, preferred }
}

/** Proves stores, or all tiny checkpoints; false when one was not right. */
export const proveGguf = async (args: readonly string[]): Promise<boolean> => {
  const root = nodeWith('llama-cpp', PACKAGES)
  const scratch = mkdtempSync(join(tmpdir(), 'awq-formats-'))
  const cases: Case[] = []
  let right = true
  try {
    const tiny = tinyNames().filter((name) => args.length === 0 || args.includes(name))
    const small = tiny.length > 0
    for (const path of args.filter((arg) => !tiny.includes(arg)).map((arg) => resolve(arg))) {
      await using model = await openPortable(await openFolder(path))
      const found = await prepare(model, basename(path), scratch, path)
      if (found) cases.push(found)
    }
    for (const name of tiny) {
      await using opened = await tinyModel(name)
      const model = prepared(opened, name)
      const blocks = (bits: 4 | 8, symmetric: boolean) =>
        rounded(model, (_, width) => (width % 32 === 0 ? { bits, groupSize: 32, symmetric } : null))
      const kinds = { float: model, Q4_0: blocks(4, true), Q4_1: blocks(4, false), Q8_0: blocks(8, true) }
      for (const [kind, given] of Object.entries(kinds)) {
        const found = await prepare(given, `${name} ${kind}`, scratch)
        if (!found) break
        cases.push(found)
      }
    }
    const prompts = small
      ? [
          [5, 9, 17, 3, 22],
          [11, 4, 27],
        ]
      : ['The capital of France is', 'Once upon a time']
    const input = JSON.stringify({ root, files: cases.map(({ file }) => file), prompts, tokens: small ? 8 : 24 })
    const lines = output(process.execPath, [fileURLToPath(new URL('gguf.mjs', import.meta.url))], { input })
    for (const [i, { label, reference }] of cases.entries()) {
      const { made, error } = JSON.parse(lines.trim().split('\n')[i]!) as { made?: Made[]; error?: string }
      if (!made) {
        console.log(`${label}: not loaded, ${error}`)
        right = false
        continue
      }
      const results: Awaited<ReturnType<typeof compare>>[] = []
      for (const each of made) results.push(await compare(reference, each))
      const divergence = Math.max(...results.map((result) => result.divergence))
      const sum = (key: 'same' | 'total') => results.reduce((total, result) => total + result[key], 0)
      const preferred = Math.max(...results.map((result) => result.preferred))
      const good = divergence < (label.endsWith('float') ? 1e-3 : 2e-2)
      right &&= good
      console.log(
        `${label}: KL ${divergence.toExponential(1)}, ${sum('same')} of ${sum('total')} greedy tokens the same` +
          `${preferred > 0 ? `, then ours are preferred by ${preferred.toFixed(4)}` : ''}${good ? '' : ', TOO MUCH'}`,
      )
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
  return right
}
