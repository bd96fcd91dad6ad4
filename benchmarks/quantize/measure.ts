/**
 * Runs one contestant to its end and reads what it says about itself.
 * @module
 */
import { spawn } from 'node:child_process'
import type { Watched } from '../runtime/watched.ts'
import { here } from './folders.ts'

/** One run. */
export interface Run {
  /** A peer's quantizer call, or the whole of `awq quantize`: reading and writing included. */
  readonly seconds: number
  readonly peakRssBytes: number
  /** From the start of the process to its end. */
  readonly processSeconds: number
  /** Processor time of everything else on the machine meanwhile, in cores; null where it cannot be known. */
  readonly otherCores: number | null
}

/** The JSON object that a command prints last, run with these environment variables. Throws with the end of what it says when it fails. */
export const answerOf = async (
  command: readonly string[],
  variables: Readonly<Record<string, string>>,
): Promise<Watched & { readonly answer: Record<string, unknown>; readonly processSeconds: number }> => {
  const start = performance.now()
  const child = spawn(process.execPath, [here('../runtime/watched.ts'), ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...variables },
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve))
  const watched = JSON.parse(output.trim().split('\n').at(-1) ?? '{}') as Watched
  if (!watched.answer) throw new Error(watched.error ?? `${command[0]} gave no answer`)
  return { ...watched, answer: watched.answer, processSeconds: (performance.now() - start) / 1000 }
}

/** Runs a contestant. Throws with its own error when it refuses the task. */
export const measure = async (
  command: readonly string[],
  variables: Readonly<Record<string, string>>,
): Promise<Run> => {
  const { answer, processSeconds, otherCores } = await answerOf(command, variables)
  const { seconds, peakRssBytes } = answer as { seconds: number; peakRssBytes: number }
  return { seconds, peakRssBytes, processSeconds, otherCores }
}
