import { availableParallelism } from 'node:os'
import type { ModelRegistry, RunningServer } from '@awq/runtime/server'
import { defineCommand, type Session } from '../command.ts'
import { defined } from '../defined.ts'
import { describeError } from '../describe-error.ts'
import type { ServableModel } from '../libraries.ts'
import { findModel, loadFolder } from '../model.ts'
import { accuracy, flag, optional, repeated, withDefault } from '../options.ts'
import { UsageError } from '../parse.ts'
import { defaultMemory, mostCacheBytes, servedModels } from '../serve-models.ts'
import { byteSize, integer, number, oneOf, text } from '../values.ts'
import { isWorker, startWorkers, type WorkerLink, workerLink } from '../workers.ts'

export const serveCommand = defineCommand({
  name: 'serve',
  summary: 'Serve models over HTTP by the API of OpenAI',
  positionals: [
    { name: 'MODEL', description: 'A local folder or a hub id; NAME=MODEL to call it by that name', repeat: true },
  ],
  options: {
    host: withDefault('HOST', text, '127.0.0.1', 'Address to listen at; 0.0.0.0 for every one of this machine'),
    port: withDefault('PORT', integer(0, 65535), 8080, 'Port to listen at; 0 picks one'),
    apiKey: repeated(
      'KEY',
      text,
      'Answer only requests with this key (default: $AWQ_API_KEY, which no process list shows)',
    ),
    maxBatch: optional('N', integer(1, 256), 'Answers that are written at the same time (default: 16)'),
    cacheTokens: optional(
      'N',
      integer(1),
      'Tokens that the caches of one model hold together (default: what 1 GiB holds, less where --memory is small)',
    ),
    maxQueue: optional('N', integer(0, 1_048_576), 'Answers that wait; further ones get 429 (default: 256)'),
    contextLength: optional(
      'N',
      integer(1),
      "Tokens of prompt and answer together, at most the model's own (default: these)",
    ),
    maxTokens: optional('N', integer(1), 'New tokens of an answer at most (default: what the context leaves)'),
    memory: optional(
      'SIZE',
      byteSize,
      'For all loaded models; the one used longest ago is unloaded for another (default: 80%)',
    ),
    timeout: withDefault('SECONDS', number(1), 600, 'For a whole request'),
    noSpin: flag('Let idle threads sleep, not spin: for a machine that does other work, too'),
    workers: withDefault('N', integer(1, 256), 1, 'Processes that answer, each with its own copy of the caches'),
    drain: withDefault('SECONDS', number(0), 30, 'For requests that run when the server is stopped'),
    cors: repeated('ORIGIN', text, 'Let pages of this origin ask; * for all (default: pages of localhost)'),
    allowHost: repeated(
      'NAME',
      text,
      'Answer to this host name (default: any, without a key on loopback only localhost)',
    ),
    allowImageHost: repeated(
      'HOST',
      text,
      'Fetch images of this host, such as images.example.com, *.example.com or 10.0.0.7:9000 (default: of none)',
    ),
    accuracy: withDefault('MODE', accuracy, 'fast', 'exact: float32 activations; fast: int8 where the engine can'),
    logLevel: withDefault(
      'LEVEL',
      oneOf(['silent', 'error', 'warn', 'info', 'debug']),
      'info',
      'Log on stderr: silent, error, warn, info (each request) or debug',
    ),
    logPrompts: flag('Log what is asked and answered, too'),
    noPage: flag('Answer / with 404 instead of the page to chat'),
  },
  examples: [
    'awq serve smollm2-4bit',
    'AWQ_API_KEY=secret awq serve small=smollm2-4bit large=qwen3-4bit --host 0.0.0.0 --port 8000 --max-batch 16',
  ],
  survivesClosedStdout: true,
  async run(session, references, options) {
    const { context, signal } = session
    const served = servedModels(references)
    const names = served.map(({ name }) => name)
    const keys = apiKeys(session, options.apiKey)
    const link = isWorker() ? workerLink() : undefined
    const { checkServer, createLogger, createRegistry, createServer, isLoopback, modelNeeds } =
      await context.libraries.server()
    const serving = {
      host: options.host,
      port: options.port,
      apiKeys: keys,
      ...(options.cors.length === 0 ? {} : { cors: options.cors }),
      ...(options.allowHost.length === 0 ? {} : { hosts: options.allowHost }),
      imageHosts: options.allowImageHost,
      limits: { maxTokens: options.maxTokens, requestSeconds: options.timeout },
      logPrompts: options.logPrompts,
      page: !options.noPage,
    }
    // Before models are looked for and loaded, which takes long.
    if (!link) await checkServer(serving)
    if (keys.length === 0 && !link && !isLoopback(options.host)) {
      session.reporter.complain(
        `awq: warning: whoever reaches ${options.host} may ask, for there is no key; set AWQ_API_KEY`,
      )
    }
    if (options.workers > 1 && !link) {
      const note = (line: string) => session.reporter.complain(`awq: ${line}`)
      const workers = await startWorkers(options.workers, session.args, note)
      announce(session, workers.url, names)
      try {
        await Promise.race([stopped(session), workers.failed])
      } finally {
        await drain(session, (seconds) => workers.close(seconds), options.drain)
      }
      signal.throwIfAborted()
      return
    }
    const log = createLogger(options.logLevel, context.stderr)
    const batch = defined({ maxBatch: options.maxBatch, cacheTokens: options.cacheTokens, maxQueue: options.maxQueue })
    const settings = {
      accuracy: options.accuracy,
      spin: !options.noSpin,
    }
    const memoryBytes = Math.floor((options.memory ?? defaultMemory()) / options.workers)
    const threads =
      options.threads ??
      (options.workers > 1 ? Math.max(1, Math.floor(availableParallelism() / options.workers)) : undefined)
    const wished = defined({ contextLength: options.contextLength })
    const found = []
    for (const model of served) {
      const folder = await findModel(session, model.reference, options)
      found.push({ ...model, folder, needs: await modelNeeds(folder, { ...wished, batch }) })
    }
    // What the weights of all leave is for their caches.
    const weightBytes = found.reduce((sum, { needs }) => sum + needs.weightBytes, 0)
    const left = Math.max(0, Math.floor((memoryBytes - weightBytes) / found.length))
    const models = []
    for (const { name, aliases, folder, needs } of found) {
      const cached = { ...batch, cacheBytes: Math.min(mostCacheBytes, left) }
      const { contextLength, cacheBytes } = await modelNeeds(folder, { ...wished, batch: cached })
      if (options.contextLength !== undefined && contextLength < options.contextLength && !link)
        session.reporter.complain(
          `awq: warning: ${name} takes ${contextLength} tokens, fewer than --context-length ${options.contextLength}`,
        )
      models.push({
        name,
        aliases,
        bytes: needs.weightBytes + cacheBytes,
        // The runtime's models are whole; the commands see what they need of them.
        load: () =>
          loadFolder(
            session,
            folder,
            { ...options, threads },
            { ...settings, contextLength, batch: cached },
          ) as Promise<unknown> as Promise<ServableModel>,
      })
    }
    const registry = createRegistry({
      models,
      memoryBytes,
      onChange: (event) => log.info({ model: event.name, seconds: event.seconds }, `model ${event.type}`),
    })
    try {
      await preload(session, registry, memoryBytes)
      const server = await createServer({
        ...serving,
        models: registry,
        log,
        ...(link ? { collectMetrics: link.collectMetrics } : {}),
      })
      const close = (drainSeconds: number) => server.close({ drainSeconds })
      if (link) await workUntilTold(session, link, server)
      else {
        announce(session, server.url, names)
        await stopped(session)
        await drain(session, close, options.drain)
      }
    } catch (error) {
      const { code, message } = describeError(error)
      link?.failed(code, message)
      throw error
    } finally {
      await registry.close()
    }
    signal.throwIfAborted()
  },
})

const announce = ({ reporter }: Session, url: string, models: readonly string[]): void => {
  reporter.clear()
  reporter.event({ type: 'listening', url, models })
  reporter.print(`listening on ${url}`)
}

/** Lets running requests end; the next interrupt ends them. */
const drain = async (
  { reporter, interruption }: Session,
  close: (drainSeconds: number) => Promise<void>,
  seconds: number,
): Promise<void> => {
  reporter.complain('awq: stopping: running requests end first (Ctrl-C again ends them)')
  const giveBack = interruption.takeOver(() => void close(0), { terminate: true })
  await close(seconds)
  giveBack()
  reporter.event({ type: 'done' })
}

/** A worker stops when the process that watches says so, not by the signals that all of them get. */
const workUntilTold = async ({ interruption }: Session, link: WorkerLink, server: RunningServer): Promise<void> => {
  const giveBack = interruption.takeOver(() => {}, { terminate: true })
  link.answerWith(() => server.metrics())
  link.listening(server.url)
  await new Promise<void>((resolve) => {
    link.onClose((drainSeconds) => void server.close({ drainSeconds }).then(resolve))
  })
  giveBack()
  // What connects the processes would keep this one running.
  process.disconnect?.()
}

/** Loads the models before the first request, as many as have room together. */
const preload = async ({ signal }: Session, registry: ModelRegistry, memoryBytes: number): Promise<void> => {
  let taken = 0
  for (const { name, bytes } of registry.list()) {
    if (taken > 0 && taken + bytes > memoryBytes) continue
    taken += bytes
    using _ = await registry.acquire(name, signal)
  }
}

/** Until somebody asks the server to stop. */
const stopped = async ({ interruption, signal }: Session): Promise<void> => {
  let giveBack = (): void => {}
  await new Promise<void>((resolve) => {
    giveBack = interruption.takeOver(resolve, { terminate: true })
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  giveBack()
}

const apiKeys = ({ context }: Session, given: readonly string[]): readonly string[] => {
  if (given.length > 0) return given
  const key = context.environment.AWQ_API_KEY
  if (key === undefined) return []
  if (key.trim() === '') throw new UsageError('AWQ_API_KEY is empty; unset it to answer without a key')
  return key.split(',').map((part) => part.trim())
}
