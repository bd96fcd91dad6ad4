// Measures one contestant in a process of its own, again when the machine had other work.
import { spawn } from 'node:child_process'
import type { Invocation } from './contestants.ts'
import { here } from './folders.ts'
import type { Figures } from './peers/job.ts'
import type { Measurement } from './summary.ts'
import type { Watched } from './watched.ts'

/** Other work, in cores, above which a measurement does not count: threads that spin suffer from any neighbour. */
const limits = { other: 0.1, stolen: 0.05 }
const attempts = 3

const watch = async (prefix: readonly string[], { command, parameters, input }: Invocation): Promise<Watched> => {
  const [first, ...rest] = [...prefix, process.execPath, here('watched.ts'), command, ...parameters]
  const child = spawn(first!, rest, { stdio: ['pipe', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  // A command that does not read its input may be gone before all of it is written.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  const line = output.trim().split('\n').at(-1)
  if (status !== 0 || !line) throw new Error(`${first} ended with ${status}`)
  return JSON.parse(line) as Watched
}

const excess = ({ otherCores, stolenCores }: Watched): number =>
  Math.max((otherCores ?? 0) / limits.other, (stolenCores ?? 0) / limits.stolen)

/** The least disturbed of up to three attempts. Throws with the contestant's own error when it fails. */
export const measure = async (
  round: number,
  invocation: Invocation,
  prefix: readonly string[],
): Promise<Measurement> => {
  let kept: Watched | undefined
  for (let attempt = 0; attempt < attempts && (!kept || excess(kept) > 1); attempt++) {
    const watched = await watch(prefix, invocation)
    if (!watched.answer) throw new Error(watched.error)
    if (!kept || excess(watched) < excess(kept)) kept = watched
  }
  const { answer, otherCores, stolenCores } = kept!
  return {
    round,
    figures: answer as unknown as Figures,
    otherCores,
    stolenCores,
    disturbed: excess(kept!) > 1,
  }
}
