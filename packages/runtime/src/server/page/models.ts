/** A model of the server, as far as `/v1/models` tells. */
export interface Model {
  readonly id: string
  /** False: it has no chat template, and continues texts. Undefined: not known before it is loaded. */
  readonly chat: boolean | undefined
  readonly contextLength: number | undefined
  readonly loaded: boolean
  /** Names and values, in the order in which they are shown. */
  readonly facts: readonly Fact[]
}

/** One thing to know of a model. `short` stands alone, without the name. */
export interface Fact {
  readonly name: string
  readonly value: string
  readonly short?: string
}

const count = new Intl.NumberFormat('en')

/** `1,500,000` -> `1.5 million`; three digits. */
export const largeNumber = (value: number): string => {
  const scale = [
    [1e12, ' trillion'],
    [1e9, ' billion'],
    [1e6, ' million'],
  ] as const
  const [unit, word] = scale.find(([unit]) => value >= unit) ?? [1, '']
  return unit === 1 ? count.format(value) : `${Number((value / unit).toPrecision(3))}${word}`
}

/** `89469760` -> `89.5 MB`. */
export const byteSize = (bytes: number): string => {
  const power = bytes < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(bytes) / 3))
  return `${Number((bytes / 1000 ** power).toPrecision(3))} ${['B', 'kB', 'MB', 'GB', 'TB'][power]}`
}

const numberIn = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : undefined
const textIn = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value.slice(0, 100) : undefined

const factsOf = (model: Record<string, unknown>): Fact[] => {
  const awq = (typeof model.awq === 'object' && model.awq !== null ? model.awq : {}) as Record<string, unknown>
  const facts: Fact[] = []
  const add = (name: string, value: string | 0 | undefined, short?: string | 0): void => {
    if (value) facts.push(short ? { name, value, short } : { name, value })
  }
  const bits = numberIn(awq.bits)
  const group = numberIn(awq.group_size)
  const parameters = numberIn(awq.parameters)
  const bytes = numberIn(awq.bytes)
  const context = numberIn(model.context_length)
  const device = textIn(awq.device)
  const kind = model.kind === 'float' ? 'not quantized' : undefined
  add('Architecture', textIn(awq.architecture))
  add('Parameters', parameters && largeNumber(parameters), parameters && `${largeNumber(parameters)} parameters`)
  add('Weights', bits ? `${bits} bits${group ? `, groups of ${group}` : ''}` : kind, bits ? `${bits}-bit` : kind)
  add('Method', textIn(awq.method)?.toUpperCase())
  add('Size', bytes && byteSize(bytes), bytes && byteSize(bytes))
  add('Context', context && `${count.format(context)} tokens`, context && `${count.format(context)} tokens of context`)
  add('Device', device?.toUpperCase(), device?.toUpperCase())
  add('Engine', textIn(awq.engine))
  return facts
}

/** The models of an answer of `/v1/models`; what is none is left out. */
export const readModels = (body: unknown): Model[] => {
  const data = (body as { data?: unknown } | null)?.data
  if (!Array.isArray(data)) return []
  return data.flatMap((each: unknown): Model[] => {
    const model = (typeof each === 'object' && each !== null ? each : {}) as Record<string, unknown>
    if (typeof model.id !== 'string') return []
    return [
      {
        id: model.id,
        chat: typeof model.chat === 'boolean' ? model.chat : undefined,
        contextLength: numberIn(model.context_length),
        loaded: model.state === undefined || model.state === 'loaded',
        facts: factsOf(model),
      },
    ]
  })
}
