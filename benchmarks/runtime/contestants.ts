// Who takes part: the program, the format of the model it gets, and how it is started.
import { cpus } from 'node:os'
import { awq, type Format, here, modelPath, peersFolder, python } from './folders.ts'
import type { Job } from './peers/job.ts'

/** What a run measures: the part of a job that is the same for everyone. */
export interface Plan extends Omit<Job, 'model' | 'flash' | 'peers'> {
  readonly name: string
  /** The Hugging Face folder. */
  readonly folder: string
}

/** A process to start, and what it reads. */
export interface Invocation {
  readonly command: string
  readonly parameters: readonly string[]
  readonly input: string
}

export interface Contestant {
  readonly name: string
  /** What `--peers` selects it by. */
  readonly key: string
  readonly weights: string
  readonly format: Format
  /** Takes part only when `--peers` names it. */
  readonly optional?: boolean
  readonly invoke: (plan: Plan) => Invocation
}

/** This repository's runtime, by its own command. */
const ours = (
  name: string,
  key: string,
  weights: string,
  format: 'awq' | 'float',
  options: readonly string[] = [],
): Contestant => ({
  name,
  key,
  weights,
  format,
  invoke: (plan) => ({
    command: process.execPath,
    parameters: [
      ...[awq, 'bench', format === 'float' ? plan.folder : modelPath(plan.name, format), '--json'],
      ...['--threads', String(plan.threads), '--contexts', plan.contexts.join(), '--tokens', String(plan.generate)],
      ...['--prompt-tokens', String(plan.prefill), '--repeat', String(plan.repeats), '--no-memory-read', ...options],
    ],
    input: '',
  }),
})

interface PeerOptions {
  readonly flash?: boolean
  /** Threads from those of the plan; all of them when absent. */
  readonly threads?: (threads: number) => number
}

/** A peer that reads the job from its standard input. */
const peer = (
  name: string,
  key: string,
  weights: string,
  format: Exclude<Format, 'float'>,
  script: string,
  { flash, threads = (all) => all }: PeerOptions = {},
): Contestant => ({
  name,
  key,
  weights,
  format,
  invoke: (plan) => {
    const { contexts, generate, prefill, repeats, prompt } = plan
    const job: Job = {
      ...{ contexts, generate, prefill, repeats, prompt },
      model: modelPath(plan.name, format),
      threads: threads(plan.threads),
      peers: peersFolder,
      ...(flash === undefined ? {} : { flash }),
    }
    return {
      command: script.endsWith('.py') ? python : process.execPath,
      parameters: [here(`peers/${script}`)],
      input: JSON.stringify(job),
    }
  },
})

const llama = 'llama-cpp.ts'
/** ggml's threads spin on the processor that Node's event loop needs: one thread fewer is faster there. */
const spare = { threads: (all: number) => Math.max(1, all - 1), flash: true }

const defaultWeights = 'int4 group 64, asymmetric, 8-bit head'

const nodeEngine = ['--engine', 'onnxruntime-node']

/** In the order in which a round starts them. */
export const contestants: readonly Contestant[] = [
  ours('awq', 'ours', defaultWeights, 'awq'),
  { ...ours('awq, exact products', 'ours-exact', defaultWeights, 'awq', ['--accuracy', 'exact']), optional: true },
  { ...ours('awq by onnxruntime-node', 'ours-node', defaultWeights, 'awq', nodeEngine), optional: true },
  peer('llama.cpp, flash on', 'llama-q4_0', 'Q4_0', 'q4_0', llama, { flash: true }),
  peer('llama.cpp, flash off', 'llama-q4_0-plain', 'Q4_0', 'q4_0', llama, { flash: false }),
  peer('llama.cpp, flash on', 'llama-q4_1', 'Q4_1', 'q4_1', llama, { flash: true }),
  peer('node-llama-cpp, all threads', 'node-llama-q4_0-all', 'Q4_0', 'q4_0', 'node-llama-cpp.ts', { flash: true }),
  peer('node-llama-cpp, one thread fewer', 'node-llama-q4_0', 'Q4_0', 'q4_0', 'node-llama-cpp.ts', spare),
  peer('node-llama-cpp, one thread fewer', 'node-llama-q4_1', 'Q4_1', 'q4_1', 'node-llama-cpp.ts', spare),
  peer('onnxruntime-genai', 'genai-int4', 'int4 block 32', 'genai-int4', 'genai.py'),
  peer('transformers.js', 'transformers-js', 'int4 block 32', 'transformers-js', 'transformers-js.ts'),
  ours('awq', 'ours-float32', 'float32', 'float'),
  peer('llama.cpp, flash on', 'llama-f16', 'F16', 'f16', llama, { flash: true }),
  peer('onnxruntime-genai', 'genai-fp32', 'float32', 'genai-fp32', 'genai.py'),
]

/** Threads to use when none are named. */
export const defaultThreads = cpus().length
