/**
 * Pieces that tables of families with a mixture of experts have in common.
 * @module
 */
import type { Activation } from './activation.ts'
import type { ScaleGroupRule } from './architecture.ts'
import type { ConfigReader } from './config-reader.ts'
import { gatedMlp, linear, scaleGroup } from './parts.ts'
import type { LinearStep, RouteStep, Step } from './steps.ts'

/** Names of an expert's linears, with `*` for its number. */
export type ExpertNames = readonly [gate: string, up: string, down: string]

/** An expert that every token goes to. */
export interface SharedExpert {
  readonly names: ExpertNames
  /** Width between its linears. */
  readonly width: number
  /** A linear of one row, whose sigmoid its output is multiplied by. */
  readonly gate?: string | undefined
}

/** The parameters of a mixture. */
export interface MixtureNames {
  /** The router's linear. */
  readonly router: string
  readonly names: ExpertNames
  readonly shared?: SharedExpert | undefined
}

/** How `mixture` is put together. */
export interface MixtureOptions extends MixtureNames, Omit<RouteStep, 'step' | 'from' | 'to'> {
  readonly from: string
  readonly hiddenSize: number
  /** Width of an expert between its linears. */
  readonly width: number
  readonly activation: Activation
}

/** A linear that is never quantized. */
export const floatLinear = (...[name, shape, from, to, bias]: Parameters<typeof linear>): LinearStep => ({
  ...linear(name, shape, from, to, bias),
  float: true,
})

/** Router, routing, gated experts and the shared one, to `mlpOutput`. */
export const mixture = (options: MixtureOptions): Step[] => {
  const { from, hiddenSize, width, activation, router, names, shared, ...route } = options
  const { experts, chosen } = route
  const to = shared ? 'expertsOutput' : 'mlpOutput'
  const expert = gatedMlp({ hiddenSize, intermediateSize: width }, { from, to, activation, names })
  return [
    floatLinear(router, [experts, hiddenSize], from, 'routerLogits'),
    { step: 'route', from: 'routerLogits', to: 'routing', ...route },
    { step: 'experts', from, routing: 'routing', to, experts, chosen, steps: expert },
    ...(shared ? sharedExpert(from, hiddenSize, activation, shared) : []),
  ]
}

const sharedExpert = (from: string, hiddenSize: number, activation: Activation, shared: SharedExpert): Step[] => {
  const { names, width, gate } = shared
  const mlp = gatedMlp({ hiddenSize, intermediateSize: width }, { from, to: 'sharedOutput', activation, names })
  const sum = (right: string): Step => ({ step: 'add', left: 'expertsOutput', right, to: 'mlpOutput' })
  if (gate === undefined) return [...mlp, sum('sharedOutput')]
  return [
    ...mlp,
    floatLinear(gate, [1, hiddenSize], from, 'sharedGate'),
    { step: 'activation', activation: 'sigmoid', from: 'sharedGate', to: 'sharedShare' },
    { step: 'multiply', left: 'sharedOutput', right: 'sharedShare', to: 'sharedPart' },
    sum('sharedPart'),
  ]
}

/**
 * Scale groups of a mixture behind a norm: the norm for all that read it; the second linear of each expert, whose rows are
 * multiplied into what the last one reads.
 */
export const mixtureGroups = (norm: string, { router, names, shared }: MixtureNames): ScaleGroupRule[] => {
  const [gate, up, down] = names
  const [sharedGate, sharedUp, sharedDown] = shared?.names ?? []
  const others = shared ? [sharedGate!, sharedUp!, ...(shared.gate === undefined ? [] : [shared.gate])] : []
  return [
    scaleGroup('norm', norm, router, gate, up, ...others),
    scaleGroup('linear', up, down),
    ...(shared ? [scaleGroup('linear', sharedUp!, sharedDown!)] : []),
  ]
}

/** `num_experts_per_tok`. @throws AwqError `CONFIG` when it is more than there are */
export const readChosen = (reader: ConfigReader, experts: number, fallback?: number): number => {
  const chosen = reader.size('num_experts_per_tok', fallback)
  return chosen <= experts ? chosen : reader.reject('num_experts_per_tok', `at most the ${experts} experts`)
}

/** The names of an MLP's linears that most families use, behind a prefix. */
export const mlpNames = (prefix: string): ExpertNames => [
  `${prefix}.gate_proj`,
  `${prefix}.up_proj`,
  `${prefix}.down_proj`,
]
