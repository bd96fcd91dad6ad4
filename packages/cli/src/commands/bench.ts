import { defineCommand, modelPositional } from '../command.ts'
import { defined, pick } from '../defined.ts'
import { formatBytes, formatCount, formatSeconds, formatShare, plural } from '../format.ts'
import type { BenchmarkResult } from '../libraries.ts'
import { measureMemoryRead } from '../memory-read.ts'
import { findModel, loadFolder } from '../model.ts'
import { accuracy, flag, optional, withDefault } from '../options.ts'
import { formatTable } from '../table.ts'
import { integer, listOf, oneOf } from '../values.ts'

export const benchCommand = defineCommand({
  name: 'bench',
  summary: 'Measure how fast a model loads, reads and writes, against what the memory allows',
  positionals: [modelPositional],
  options: {
    contexts: withDefault('LIST', listOf(integer(1)), [16, 512, 1500, 4000], 'Decode after so many tokens'),
    tokens: withDefault('N', integer(1), 64, 'Tokens that are timed at each context'),
    promptTokens: withDefault('N', integer(1), 512, 'Tokens of the prompt that prefill is timed on'),
    repeat: withDefault('N', integer(1), 3, 'Take the median of so many'),
    accuracy: withDefault('MODE', accuracy, 'fast', 'exact: float32 activations; fast: int8 where the engine can'),
    attention: optional('FORM', oneOf(['fused', 'plain']), 'fused or plain (default: what suits model and device)'),
    noMemoryRead: flag('Do not measure how fast the memory can be read'),
  },
  examples: ['awq bench smollm2-4bit', 'awq bench smollm2-4bit --contexts 16,512 --threads 4 --json'],
  async run(session, [reference = ''], options) {
    const { context, reporter, signal } = session
    const folder = await findModel(session, reference, options)
    const { benchmark, weightBytesPerToken } = await context.libraries.runtime()
    const started = context.now()
    await using model = await loadFolder(session, folder, options, {
      ...defined(pick(options, ['attention'])),
      accuracy: options.accuracy,
    })
    const loadSeconds = (context.now() - started) / 1000
    const { name, device, threads } = model.opened.engine
    const readMemory = async (): Promise<number | undefined> => {
      // The rate of this computer's memory bounds no other device.
      if (options.noMemoryRead || device !== 'cpu') return undefined
      reporter.progress({ type: 'stage', stage: 'memory' })
      return await measureMemoryRead(threads, signal)
    }
    const before = await readMemory()
    const measured = await benchmark(model, {
      ...pick(options, ['contexts', 'tokens', 'promptTokens', 'repeat']),
      signal,
      onProgress: ({ done, total }) => reporter.progress({ type: 'progress', stage: 'bench', completed: done, total }),
    })
    // Of this process: the readers of the memory are others.
    const peakRssBytes = process.resourceUsage().maxRSS * 1024
    // Twice, because other tenants of a machine come and go: the limit is what it can do.
    const after = await readMemory()
    const report: BenchReport = {
      engine: name,
      threads,
      decode: measured.decode,
      prefill: measured.prefill,
      loadSeconds,
      peakRssBytes,
      weightBytesPerToken: await weightBytesPerToken(folder, { device }),
      memoryReadBytesPerSecond: before === undefined || after === undefined ? null : Math.max(before, after),
      device,
      accuracy: model.accuracy,
      attention: model.attention,
      skippedContexts: measured.skipped,
    }
    if (measured.skipped.length > 0) {
      const left = `${measured.skipped.length === 1 ? 'context' : 'contexts'} ${measured.skipped.join(', ')} left out`
      const reason = `with ${plural(options.tokens, 'token')} more they exceed what the model takes`
      reporter.progress({ type: 'warning', message: `${left}: ${reason}` })
    }
    reporter.clear()
    reporter.event({ type: 'done', ...report })
    reporter.print(...benchLines(report))
  },
})

interface BenchReport extends Pick<BenchmarkResult, 'decode' | 'prefill'> {
  readonly engine: string
  readonly threads: number
  readonly loadSeconds: number
  readonly peakRssBytes: number
  readonly weightBytesPerToken: number
  /** null where it was not measured. */
  readonly memoryReadBytesPerSecond: number | null
  readonly device: string
  readonly accuracy: string
  readonly attention: string
  readonly skippedContexts: readonly number[]
}

const columns = [
  { title: 'context', align: 'right' },
  { title: 'tok/s', align: 'right' },
  { title: 'ms/token', align: 'right' },
  { title: 'weights read', align: 'right' },
  { title: 'of the limit', align: 'right' },
] as const

/** Three digits where there are so many: `1234`, `335`, `50.4`. */
const rate = (perSecond: number): string => perSecond.toFixed(perSecond < 99.95 ? 1 : 0)

/** The table and what stands around it. */
export const benchLines = (report: BenchReport): string[] => {
  const { decode, prefill, weightBytesPerToken, memoryReadBytesPerSecond: limit } = report
  const rows = decode.map(({ context, tokensPerSecond }) => {
    const bytesPerSecond = tokensPerSecond * weightBytesPerToken
    return [
      formatCount(context),
      rate(tokensPerSecond),
      (1000 / tokensPerSecond).toFixed(2),
      `${formatBytes(bytesPerSecond)}/s`,
      ...(limit === null ? [] : [formatShare(bytesPerSecond / limit)]),
    ]
  })
  const memory = limit === null ? '' : `, memory read at ${formatBytes(limit)}/s`
  return [
    `${report.engine} on ${report.device}, ${plural(report.threads, 'thread')}, ${report.accuracy} products, ${report.attention} attention`,
    '',
    ...formatTable(columns.slice(0, limit === null ? 4 : 5), rows),
    '',
    `prefill  ${rate(prefill.tokensPerSecond)} tok/s, ${plural(prefill.tokens, 'token')}`,
    `load     ${formatSeconds(report.loadSeconds)}, peak memory ${formatBytes(report.peakRssBytes)}`,
    `token    ${formatBytes(weightBytesPerToken)} of weights${memory}`,
  ]
}
