/**
 * A block's description: its steps, parameters, linears and scale groups. Blocks that are alike share one.
 * @module
 */
import { AwqError } from '@awq/tensor'
import type { BlockTable, ScaleGroupRule } from './architecture.ts'
import { attentionOf, checkSites } from './check-steps.ts'
import type { ModelConfig } from './config.ts'
import { type SequenceNeeds, sequenceNeeds } from './sequence-needs.ts'
import { type AttentionStep, type ParameterSpec, type Step, stepParameters } from './steps.ts'
import { type Reach, reachOf, traceRows } from './trace-rows.ts'

/** A linear of a block. */
export interface LinearSpec {
  /** Base name inside the block, for example `self_attn.q_proj`. */
  readonly name: string
  readonly shape: readonly [out: number, inputs: number]
  readonly bias: boolean
  /** Float checkpoints hold its transpose. */
  readonly transposed: boolean
  /** The value it reads; siblings share it, and with it their activation statistics. */
  readonly site: string
  /** The value it makes. */
  readonly output: string
}

/** Linears that share one scale per input channel, resolved for one model. */
export interface ScaleGroup {
  readonly kind: ScaleGroupRule['kind']
  /** Base name of the parameter that absorbs the inverse scale. */
  readonly producer: string
  /** 1 for a norm that multiplies by one plus its weight. */
  readonly offset: 0 | 1
  readonly consumers: readonly string[]
  readonly site: string
  /** `[in]`: the channel (norm) or row (linear) of the producer that makes each column of the consumers. */
  readonly producerRow: Int32Array
}

/** All that graphs, calibration and folding need of one block. */
export interface BlockDescription {
  readonly config: ModelConfig
  /** What its graphs depend on, as text: blocks of equal keys have the same graphs. */
  readonly key: string
  readonly steps: readonly Step[]
  readonly linears: readonly LinearSpec[]
  readonly scaleGroups: readonly ScaleGroup[]
  readonly parameters: readonly ParameterSpec[]
  readonly attention: AttentionStep
  /** What its graphs must be told of where tokens stand. */
  readonly sequence: SequenceNeeds
}

/** The linears among some steps. */
export const linearsOf = (steps: readonly Step[]): LinearSpec[] =>
  steps.flatMap((step): LinearSpec[] => {
    if (step.step !== 'linear') return []
    const { weight: name, rows, columns, bias, transposed = false, from: site, to: output } = step
    return [{ name, shape: [rows, columns], bias, transposed, site, output }]
  })

const kindOf = ({ step }: Step, { attended }: Reach): ScaleGroupRule['kind'] => {
  if (step === 'norm') return 'norm'
  if (step === 'scale') return 'activation'
  return attended ? 'value' : 'linear'
}

const resolveGroup = (
  { config, steps, linears }: Pick<BlockDescription, 'config' | 'steps' | 'linears'>,
  rule: ScaleGroupRule,
): ScaleGroup => {
  const reject = (problem: string): never => {
    throw new AwqError('CONFIG', `${config.modelType}: the scale group of ${rule.producer} ${problem}`)
  }
  const [first] = rule.consumers
  const consumer =
    linears.find(({ name }) => name === first) ?? reject(`names ${first}, which is no linear of the block`)
  const { site } = consumer
  for (const name of rule.consumers)
    if (linears.find((linear) => linear.name === name)?.site !== site)
      reject(`names ${name}, which does not read ${site} as ${first} does`)
  const producerRow = traceRows(steps, rule.producer, site)
  if (!producerRow || producerRow.includes(-1)) return reject(`does not scale all that ${first} reads`)
  const reach = reachOf(steps, rule.producer, new Set(producerRow))
  const forgotten = reach.linears.find((name) => !rule.consumers.includes(name))
  if (forgotten) reject(`leaves out ${forgotten}, which reads what it divides`)
  for (const reader of reach.others) reject(`divides what ${reader} reads, through which no scale passes`)
  const producer = steps.find((step) => 'weight' in step && step.weight === rule.producer)!
  if (producer.step === 'norm' && (producer.parts ?? 1) > 1)
    reject('is that of a norm on parts, which share its weight')
  const kind = kindOf(producer, reach)
  if (rule.kind !== kind) reject(`is of the kind "${kind}", not "${rule.kind}"`)
  return { ...rule, offset: producer.step === 'norm' ? producer.offset : 0, site, producerRow }
}

/**
 * Describes a block.
 * @throws AwqError `CONFIG` when the table contradicts itself
 */
export const describeBlock = (
  config: ModelConfig,
  { steps, scaleGroups }: BlockTable,
  key: string,
): BlockDescription => {
  const linears = linearsOf(steps)
  const attention = attentionOf(config.modelType, steps)
  checkSites(config.modelType, steps)
  return {
    config,
    key,
    steps,
    linears,
    scaleGroups: scaleGroups.map((rule) => resolveGroup({ config, steps, linears }, rule)),
    parameters: steps.flatMap(stepParameters),
    attention,
    sequence: sequenceNeeds(steps),
  }
}
