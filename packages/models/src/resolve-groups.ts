/**
 * Scale groups of a table, resolved for one block: what they name is there, and nothing else reads what they divide.
 * @module
 */
import { AwqError } from '@awq/tensor'
import type { ScaleGroupRule } from './architecture.ts'
import { expertName, flatSteps } from './expert-steps.ts'
import { type LinearSpec, linearsOf, type SiteSpec } from './linears.ts'
import type { Step } from './steps.ts'
import { type Reach, reachOf, traceRows } from './trace-rows.ts'

/** Linears that share one scale per input channel, resolved for one model. */
export interface ScaleGroup {
  readonly kind: ScaleGroupRule['kind']
  /** Base name of the parameter that absorbs the inverse scale. */
  readonly producer: string
  /** 1 for a norm that multiplies by one plus its weight. */
  readonly offset: 0 | 1
  /** Quantized linears that take the scale. */
  readonly consumers: readonly string[]
  /** Linears that take it and stay float. */
  readonly floats: readonly string[]
  /** The value that all consumers read, or that experts take their tokens from. */
  readonly site: string
  /** All values that consumers read: `site` and those of experts. */
  readonly sites: readonly string[]
  /** `[in]`: the channel (norm) or row (linear) of the producer that makes each column of the consumers. */
  readonly producerRow: Int32Array
}

/** The rules of a table with the experts' numbers in place of `*`: a rule for each where the producer is an expert's. */
const expandRules = (steps: readonly Step[], rules: readonly ScaleGroupRule[]): ScaleGroupRule[] => {
  const count = Math.max(0, ...steps.map((step) => (step.step === 'experts' ? step.experts : 0)))
  const experts = Array.from({ length: count }, (_, expert) => expert)
  return rules.flatMap((rule) => {
    const { producer, consumers } = rule
    if (producer.includes('*'))
      return experts.map((expert) => ({
        ...rule,
        producer: expertName(producer, expert),
        consumers: consumers.map((name) => expertName(name, expert)),
      }))
    const all = consumers.flatMap((name) =>
      name.includes('*') ? experts.map((expert) => expertName(name, expert)) : [name],
    )
    return [{ ...rule, consumers: all }]
  })
}

const kindOf = ({ step }: Step, { attended }: Reach): ScaleGroupRule['kind'] => {
  if (step === 'norm') return 'norm'
  if (step === 'scale') return 'activation'
  return attended ? 'value' : 'linear'
}

/** What groups are resolved in. */
interface GroupContext {
  readonly modelType: string
  readonly steps: readonly Step[]
  /** All linears of the block, by name. */
  readonly linears: ReadonlyMap<string, LinearSpec>
  readonly sites: readonly SiteSpec[]
}

const resolveGroup = ({ modelType, steps, linears, sites }: GroupContext, rule: ScaleGroupRule): ScaleGroup => {
  const reject = (problem: string): never => {
    throw new AwqError('CONFIG', `${modelType}: the scale group of ${rule.producer} ${problem}`)
  }
  const readers = rule.consumers.map(
    (name) => linears.get(name) ?? reject(`names ${name}, which is no linear of the block`),
  )
  const [first = reject('has no consumers')] = readers
  const own = sites.find(({ site }) => site === first.site)!
  const sharedOf = (site: string) => sites.find((other) => other.site === site)!.expert?.from
  const quantized = readers.filter(({ float }) => !float)
  if (quantized.length === 0) reject('has no consumers that are quantized')
  const read = [...new Set(readers.map(({ site }) => site))]
  // The experts' tokens are rows of the value that they are taken from.
  const shared = read.length > 1 ? (own.expert?.from ?? own.site) : own.site
  for (const { name, site } of readers)
    if (site !== shared && sharedOf(site) !== shared)
      reject(`names ${name}, which does not read ${shared} as ${first.name} does`)
  const rowsOf = (site: string) => traceRows(steps, rule.producer, site)
  const producerRow = rowsOf(first.site)
  if (!producerRow || producerRow.includes(-1)) return reject(`does not scale all that ${first.name} reads`)
  for (const site of read)
    if (rowsOf(site)?.join() !== producerRow.join()) reject(`does not scale ${site} as it scales ${first.site}`)
  const reach = reachOf(steps, rule.producer, new Set(producerRow))
  const forgotten = reach.linears.find((name) => !rule.consumers.includes(name))
  if (forgotten) reject(`leaves out ${forgotten}, which reads what it divides`)
  for (const reader of reach.others) reject(`divides what ${reader} reads, through which no scale passes`)
  const producer = flatSteps(steps).find((step) => 'weight' in step && step.weight === rule.producer)!
  if (producer.step === 'norm' && (producer.parts ?? 1) > 1)
    reject('is that of a norm on parts, which share its weight')
  const kind = kindOf(producer, reach)
  if (rule.kind !== kind) reject(`is of the kind "${kind}", not "${rule.kind}"`)
  const names = (all: readonly LinearSpec[]) => all.map(({ name }) => name)
  return {
    kind,
    producer: rule.producer,
    offset: producer.step === 'norm' ? producer.offset : 0,
    consumers: names(quantized),
    floats: names(readers.filter(({ float }) => float)),
    site: shared,
    sites: read,
    producerRow,
  }
}

/**
 * The scale groups of a block.
 * @throws AwqError `CONFIG` for a rule that contradicts the steps
 */
export const resolveGroups = (
  modelType: string,
  steps: readonly Step[],
  sites: readonly SiteSpec[],
  rules: readonly ScaleGroupRule[],
): ScaleGroup[] => {
  const linears = new Map(linearsOf(flatSteps(steps)).map((linear) => [linear.name, linear]))
  return expandRules(steps, rules).map((rule) => resolveGroup({ modelType, steps, linears, sites }, rule))
}
