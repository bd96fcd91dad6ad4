// Runs one command and prints its answer together with what else the machine did meanwhile: the processor time that
// other processes used, in cores, and the share the hypervisor withheld. Both are null where there is no /proc.
//
//   node watched.ts COMMAND ARGUMENTS... < input
//
// The answer of the command is the last line of its standard output that is a JSON object.
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

export interface Watched {
  readonly answer: Record<string, unknown> | null
  /** What the command printed as an error when it has no answer. */
  readonly error?: string
  readonly otherCores: number | null
  readonly stolenCores: number | null
}

/** Ticks per second of /proc, the same on every Linux. */
const ticks = 100

/** Seconds that all processors were busy, and seconds withheld by the hypervisor, since the machine started. */
const machine = (): { busy: number; stolen: number } | null => {
  try {
    const [user, nice, system, , , interrupt, softInterrupt, steal] = readFileSync('/proc/stat', 'utf8')
      .split('\n')[0]!
      .split(/ +/)
      .slice(1)
      .map(Number)
    return { busy: (user! + nice! + system! + interrupt! + softInterrupt!) / ticks, stolen: steal! / ticks }
  } catch {
    return null
  }
}

/** Processor seconds of a process and of its ended children; 0 when it is gone. */
const processSeconds = (pid: string): { parent: string; seconds: number } => {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return { parent: fields[1]!, seconds: fields.slice(11, 15).reduce((sum, value) => sum + Number(value), 0) / ticks }
  } catch {
    return { parent: '', seconds: 0 }
  }
}

/** Processor seconds of a process and everything it started. */
const treeSeconds = (root: number): number => {
  const processes = new Map(
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => [pid, processSeconds(pid)] as const),
  )
  const belongs = (pid: string): boolean =>
    pid === String(root) || (processes.has(pid) && belongs(processes.get(pid)!.parent))
  return [...processes].reduce((sum, [pid, { seconds }]) => (belongs(pid) ? sum + seconds : sum), 0)
}

const [command, ...parameters] = process.argv.slice(2)
if (!command) {
  console.error('usage: watched.ts COMMAND ARGUMENTS...')
  process.exit(2)
}
const before = machine()
const ownBefore = process.cpuUsage()
const start = performance.now()
const child = spawn(command, parameters, { stdio: ['inherit', 'pipe', 'pipe'] })
let output = ''
let errors = ''
child.stdout.setEncoding('utf8').on('data', (text: string) => {
  output += text
})
child.stderr.setEncoding('utf8').on('data', (text: string) => {
  errors = (errors + text).slice(-4000)
})
// The system forgets a process's account when it ends: the last look before that counts.
let used = 0
const look = before ? setInterval(() => (used = Math.max(used, treeSeconds(child.pid!))), 250) : undefined
const status = await new Promise<number | null>((resolve, reject) => {
  child.on('error', reject)
  child.on('close', resolve)
})
clearInterval(look)
const seconds = (performance.now() - start) / 1000
const after = machine()
const { user, system } = process.cpuUsage(ownBefore)
const line = output
  .split('\n')
  .filter((text) => text.startsWith('{'))
  .at(-1)
const answer = status === 0 && line ? (JSON.parse(line) as Record<string, unknown>) : null
const watched: Watched = {
  answer,
  ...(answer ? {} : { error: errors || output.slice(-4000) || `${command} ended with ${status}` }),
  otherCores:
    before && after
      ? Math.max(0, after.busy - before.busy - Math.max(used, 0) - (user + system) / 1e6) / seconds
      : null,
  stolenCores: before && after ? (after.stolen - before.stolen) / seconds : null,
}
console.log(JSON.stringify(watched))
