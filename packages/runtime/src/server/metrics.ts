/**
 * Figures for Prometheus.
 * @module
 */
import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { ModelRegistry } from './registry.ts'
import type { RequestRecord } from './scope.ts'
import type { MetricValues } from './settings.ts'

/** What is counted, and its text. */
export interface Metrics {
  /** A request that is over. */
  observe(record: RequestRecord): void
  /** What was counted, as JSON. */
  values(): Promise<MetricValues>
}

/** Metrics in Prometheus' text format. */
export interface MetricsText {
  readonly contentType: string
  readonly text: string
}

/** The figures of processes, added up, in Prometheus' text format. */
export const renderMetrics = async (processes: readonly MetricValues[]): Promise<MetricsText> => {
  const registry = AggregatorRegistry.aggregate(processes.map((values) => [...values]))
  return { contentType: registry.contentType, text: await registry.metrics() }
}

const seconds = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300]

/** `usedTokens` -> `used_tokens`. */
const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

let ofProcess: Registry | undefined

/** Memory, processor time and event loop of this process, watched once however many servers it has. */
const processRegistry = (): Registry => {
  if (!ofProcess) {
    ofProcess = new Registry()
    collectDefaultMetrics({ register: ofProcess })
  }
  return ofProcess
}

/** Metrics of one server; names begin with `awq_`. */
export const createMetrics = (models: ModelRegistry, inFlight: () => number): Metrics => {
  const registry = new Registry()
  const registers = [registry]
  const requests = new Counter({
    name: 'awq_requests_total',
    help: 'Requests that are over, by route, model and status; 499: the client went away',
    labelNames: ['route', 'model', 'status'] as const,
    registers,
  })
  const tokens = new Counter({
    name: 'awq_tokens_total',
    help: 'Tokens: of prompts, of them those that were in a cache, and new ones',
    labelNames: ['model', 'kind'] as const,
    registers,
  })
  const duration = new Histogram({
    name: 'awq_request_seconds',
    help: 'From the beginning of a request to the end of its answer',
    labelNames: ['route', 'model'] as const,
    buckets: seconds,
    registers,
  })
  const firstToken = new Histogram({
    name: 'awq_first_token_seconds',
    help: 'From the beginning of a request to the first token of its answer',
    labelNames: ['model'] as const,
    buckets: seconds,
    registers,
  })
  const perToken = new Histogram({
    name: 'awq_token_seconds',
    help: 'Mean time between the tokens of an answer, one value per request',
    labelNames: ['model'] as const,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
    registers,
  })
  new Gauge({
    name: 'awq_requests_in_flight',
    help: 'Requests that have begun and are not over',
    registers,
    collect() {
      this.set(inFlight())
    },
  })
  new Gauge({
    name: 'awq_model_loaded',
    help: '1 for a model that is loaded',
    labelNames: ['model'] as const,
    registers,
    collect() {
      for (const { name, state } of models.list()) this.set({ model: name }, state === 'loaded' ? 1 : 0)
    },
  })
  new Gauge({
    name: 'awq_model_load',
    help: 'How busy a loaded model is: answers that are written and that wait, tokens in its caches',
    labelNames: ['model', 'what'] as const,
    registers,
    collect() {
      this.reset()
      for (const { name, model } of models.list()) {
        for (const [what, value] of Object.entries(model?.load ?? {}))
          this.set({ model: name, what: snakeCase(what) }, value)
      }
    },
  })
  const all = Registry.merge([processRegistry(), registry])
  return {
    observe(record) {
      const { route, status, model = '' } = record
      requests.inc({ route, model, status: record.aborted ? 499 : status })
      duration.observe({ route, model }, record.seconds)
      if (model === '') return
      tokens.inc({ model, kind: 'prompt' }, record.promptTokens)
      tokens.inc({ model, kind: 'cached' }, record.cachedTokens)
      tokens.inc({ model, kind: 'new' }, record.newTokens)
      if (record.firstTokenSeconds === undefined) return
      firstToken.observe({ model }, record.firstTokenSeconds)
      if (record.newTokens > 1) {
        perToken.observe({ model }, (record.seconds - record.firstTokenSeconds) / (record.newTokens - 1))
      }
    },
    values: () => all.getMetricsAsJSON(),
  }
}
