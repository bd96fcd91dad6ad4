import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { freemem } from 'node:os'
import { AwqError } from '@awq/tensor'

/** Far more than any cache holds, far less than a machine that runs language models has. */
const bytesRange = { least: 2 ** 28, most: 2 ** 30 }

/** More readers than this saturate no more memory channels. */
const mostReaders = 64

/** The fastest of so many readings is the limit: whatever else the machine does only takes away from it. */
const rounds = 12

/** Beside this module, whether it is a source or bundled. */
const script = new URL(import.meta.url.endsWith('.ts') ? './memory-reader.ts' : './memory-reader.js', import.meta.url)

/**
 * glibc then asks for large pages, as the memory of weights may have: with small ones, looking up addresses costs up to
 * a quarter of the rate.
 */
const largePages = 'glibc.malloc.hugetlb=1'

const readerEnvironment = (): NodeJS.ProcessEnv => {
  const { GLIBC_TUNABLES: given, NODE_OPTIONS: _, ...rest } = process.env
  return { ...rest, GLIBC_TUNABLES: given ? `${given}:${largePages}` : largePages }
}

/**
 * The rate at which `threads` cores together read memory in sequence: what bounds the decoding of one stream, since
 * every token needs all weights once. Measured in processes of their own, whose memory does not count as this one's.
 * @returns bytes per second
 * @throws AwqError ENGINE when the readers cannot be started; rejects with `signal.reason`
 */
export const measureMemoryRead = async (threads: number, signal: AbortSignal): Promise<number> => {
  signal.throwIfAborted()
  const readers = Math.min(threads, mostReaders)
  const total = Math.min(bytesRange.most, Math.max(bytesRange.least, freemem() / 4))
  const bytes = Math.floor(total / readers)
  const children: ChildProcess[] = []
  const end = (): void => {
    for (const child of children) child.kill()
  }
  signal.addEventListener('abort', end)
  try {
    for (let i = 0; i < readers; i++) {
      children.push(fork(script, [String(bytes)], { execArgv: [], env: readerEnvironment(), stdio: 'ignore' }))
    }
    await Promise.all(children.map(answer))
    let best = 0
    for (let round = 0; round < rounds; round++) {
      const answers = Promise.all(children.map(answer))
      for (const child of children) child.send('read')
      const seconds = (await answers).map((message) => (message as { seconds: number }).seconds)
      best = Math.max(best, (bytes * readers) / Math.max(...seconds))
    }
    return best
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    signal.removeEventListener('abort', end)
    end()
  }
}

/** The next message of a reader; its end is a failure. */
const answer = async (child: ChildProcess): Promise<unknown> => {
  const heard = new AbortController()
  const { signal } = heard
  const ended = once(child, 'exit', { signal }).then(([code, by]) => {
    throw new AwqError('ENGINE', `memory could not be read: a process for it ended by ${by ?? `code ${code}`}`)
  })
  // The one that loses the race is told to stop listening.
  ended.catch(() => {})
  try {
    const [message] = (await Promise.race([once(child, 'message', { signal }), ended])) as unknown[]
    return message
  } finally {
    heard.abort()
  }
}
