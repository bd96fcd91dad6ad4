/**
 * Runs programs that a model wrote, each in a process of its own with as few rights as the system lets it have.
 * @module
 */
import { execFile, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { AwqError, messageOf } from '@awq/tensor'
import type { CheckCode, CodeOutcome, CodeProblem } from '../tasks/task.ts'
import { runnerSource } from './sandbox-runner.ts'

/** How programs are run. */
export interface CodeSandboxOptions {
  /** The Python interpreter, 3.8 or newer; `python3` by default. */
  readonly python?: string | undefined
  /** Seconds until a program is ended; 10 by default. */
  readonly timeLimit?: number | undefined
  /** Address space of each of its two processes; 1 GiB by default. */
  readonly memoryBytes?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** What the system lets the sandbox close. */
export interface Isolation {
  /** No network: a network namespace without interfaces. */
  readonly network: boolean
  /** No file can be written but in a folder in memory, and no process of the user can be seen: a mount namespace. */
  readonly files: boolean
  /** No further process or thread can be started. */
  readonly processes: boolean
}

/** A place where programs are tested. */
export interface CodeSandbox {
  /** Runs a program against its test. Programs may be tested side by side. */
  readonly check: CheckCode
  readonly isolation: Isolation
}

/** Bytes that a program may write to one file. */
const fileBytes = 16 * 2 ** 20
/** Milliseconds after which a runner that should have ended is ended. */
const grace = 2000
/** Bytes of the runner's report that are read. */
const reportBytes = 64 * 1024

/**
 * Finds Python and tries the sandbox with a program that passes and one that leaves with exit code 0.
 *
 * A program runs by `python3 -I` in a fresh folder with an empty environment and no input; what it prints is dropped.
 * Limits: time, CPU seconds, address space, file size, open files, processes. On Linux, where
 * user namespaces are allowed, it also has no network, no devices, no writable file but 16 MiB in memory, and no
 * capabilities. The test runs in another process than the program and only exchanges plain values with it.
 *
 * It does not protect from: reading files that everybody on the machine may read (and, except where the caller is root
 * and Python is readable by all, the caller's own files); Unix sockets that the user may write to; flaws of the kernel or
 * of Python; and, where `isolation` says false, the network, writing the user's files, or starting processes.
 * @throws AwqError NOT_FOUND without Python, UNSUPPORTED on Windows or when the sandbox does not work here,
 * INVALID_ARGUMENT for limits out of range; rejects with `signal.reason`
 */
export const createCodeSandbox = async (options: CodeSandboxOptions = {}): Promise<CodeSandbox> => {
  const { python = 'python3', timeLimit = 10, memoryBytes = 2 ** 30, signal } = options
  if (!(timeLimit > 0 && timeLimit <= 3600)) {
    throw new AwqError('INVALID_ARGUMENT', `timeLimit must be above 0 and at most 3600 seconds, not ${timeLimit}.`)
  }
  if (!Number.isSafeInteger(memoryBytes) || memoryBytes < 2 ** 26) {
    throw new AwqError('INVALID_ARGUMENT', `memoryBytes must be an integer of 64 MiB or more, not ${memoryBytes}.`)
  }
  if (process.platform === 'win32') {
    throw new AwqError('UNSUPPORTED', 'Programs can only be tested on Linux and macOS: Windows has no such limits.')
  }
  const interpreter = await findPython(python, signal)
  const run = (problem: CodeProblem, stop?: AbortSignal) =>
    runProgram(interpreter, problem, { timeLimit, memoryBytes, signal: stop })
  const { outcome, isolation } = await run(probe('return 1'), signal)
  const broken = outcome.status !== 'passed' || (await run(probe('import os; os._exit(0)'), signal)).outcome.status
  if (!isolation || broken !== 'failed') {
    throw new AwqError('UNSUPPORTED', `The sandbox does not work here: ${outcome.message ?? outcome.status}.`)
  }
  return { isolation, check: async (problem, { signal }) => (await run(problem, signal)).outcome }
}

const probe = (body: string): CodeProblem => ({
  prompt: 'def probe():\n',
  completion: `    ${body}\n`,
  test: 'def check(candidate):\n    assert candidate() == 1\n',
  entryPoint: 'probe',
})

/** The interpreter itself: a wrapper script in its place may need the environment that the sandbox lacks. */
const findPython = async (python: string, signal: AbortSignal | undefined): Promise<string> => {
  const question = 'import resource, sys; print(sys.version_info >= (3, 8), sys.executable, sep="\\n")'
  let answer: string
  try {
    answer = (await promisify(execFile)(python, ['-I', '-c', question], { signal, timeout: 60_000 })).stdout
  } catch (cause) {
    signal?.throwIfAborted()
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT'
    throw new AwqError(
      missing ? 'NOT_FOUND' : 'UNSUPPORTED',
      missing
        ? `There is no Python by the name ${python}: install Python 3, or give the path of its interpreter.`
        : `${python} can not be used to test programs: ${messageOf(cause)}`,
      { cause },
    )
  }
  const [recent, executable] = answer.trim().split('\n')
  if (recent !== 'True' || !executable) throw new AwqError('UNSUPPORTED', `${python} is older than Python 3.8.`)
  return executable
}

interface Report {
  readonly outcome: CodeOutcome
  readonly isolation?: Isolation | undefined
}

interface RunLimits {
  readonly timeLimit: number
  readonly memoryBytes: number
  readonly signal: AbortSignal | undefined
}

const runProgram = async (
  interpreter: string,
  { prompt, completion, test, entryPoint }: CodeProblem,
  { timeLimit, memoryBytes, signal }: RunLimits,
): Promise<Report> => {
  signal?.throwIfAborted()
  const folder = await mkdtemp(join(tmpdir(), 'awq-code-'))
  try {
    const source = prompt + completion
    const job = JSON.stringify({ prompt, source, test, entryPoint, seconds: timeLimit, memoryBytes, fileBytes })
    const { text, errors, ended } = await runProcess(interpreter, folder, job, timeLimit, signal)
    if (ended === 'timeout') return { outcome: { status: 'timeout', message: `no result after ${timeLimit} s` } }
    return readReport(text) ?? { outcome: { status: 'failed', message: errors || `Python ended (${ended})` } }
  } finally {
    await rm(folder, { recursive: true, force: true }).catch(() => undefined)
  }
}

const readReport = (text: string): Report | undefined => {
  try {
    const { status, message, isolation } = JSON.parse(text)
    if (!['passed', 'failed', 'timeout'].includes(status)) return undefined
    return { outcome: { status, ...(message ? { message } : {}) }, isolation }
  } catch {
    return undefined
  }
}

interface Finished {
  readonly text: string
  /** The end of its error output. */
  readonly errors: string
  /** `timeout`, or its exit code or signal. */
  readonly ended: string
}

/** Runs the runner on a job. At an abort it is asked to end its program; its process group is ended in any case. */
const runProcess = (
  interpreter: string,
  folder: string,
  job: string,
  timeLimit: number,
  signal: AbortSignal | undefined,
): Promise<Finished> =>
  new Promise((resolve, reject) => {
    const child = spawn(interpreter, ['-I', '-B', '-c', runnerSource], { cwd: folder, env: {}, detached: true })
    const kill = (id: number, name: NodeJS.Signals) => {
      try {
        process.kill(id, name)
      } catch {
        // It has ended by itself.
      }
    }
    /** Ends what is left of the group. */
    const end = () => child.pid !== undefined && kill(-child.pid, 'SIGKILL')
    let timedOut = false
    // The runner itself ends its program; this is for a test that keeps the runner busy.
    let timer = setTimeout(
      () => {
        timedOut = true
        end()
      },
      timeLimit * 1000 + grace,
    )
    const stop = () => {
      if (child.pid !== undefined) kill(child.pid, 'SIGTERM')
      clearTimeout(timer)
      timer = setTimeout(end, grace)
    }
    signal?.addEventListener('abort', stop, { once: true })
    let text = ''
    let errors = ''
    child.stdout.on('data', (bytes: Buffer) => {
      if (text.length < reportBytes) text += bytes
    })
    child.stderr.on('data', (bytes: Buffer) => {
      errors = `${errors}${bytes}`.slice(-2000)
    })
    // A process that ends before it has read its job is told by its end.
    child.stdin.on('error', () => undefined)
    child.stdin.end(job)
    const settle = (finish: () => void) => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
      end()
      if (signal?.aborted) reject(signal.reason)
      else finish()
    }
    child.once('error', (cause) =>
      settle(() =>
        reject(new AwqError('UNSUPPORTED', `${interpreter} could not be started: ${cause.message}`, { cause })),
      ),
    )
    child.once('close', (code, killed) =>
      settle(() =>
        resolve({ text, errors: errors.trim(), ended: timedOut ? 'timeout' : (killed ?? `exit code ${code}`) }),
      ),
    )
  })
