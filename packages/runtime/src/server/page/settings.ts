/** How answers are asked for, and how the page looks. */
export interface Settings {
  readonly system: string
  readonly temperature: number
  readonly topP: number
  /** New tokens at most; undefined: what the context leaves. */
  readonly maxTokens: number | undefined
  /** Undefined: another one for every answer. */
  readonly seed: number | undefined
  readonly theme: 'system' | 'light' | 'dark'
  /** Conversations stay in this browser when the tab is closed. */
  readonly keep: boolean
}

export const defaultSettings: Settings = {
  system: '',
  temperature: 0.7,
  topP: 0.95,
  maxTokens: undefined,
  seed: undefined,
  theme: 'system',
  keep: false,
}

const within = (value: unknown, least: number, most: number, fallback: number): number =>
  typeof value === 'number' && value >= least && value <= most ? value : fallback

const whole = (value: unknown, least: number): number | undefined =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= least ? value : undefined

/** Settings from what was stored, which may be anything. */
export const readSettings = (stored: unknown): Settings => {
  const given = (typeof stored === 'object' && stored !== null ? stored : {}) as Record<keyof Settings, unknown>
  return {
    system: typeof given.system === 'string' ? given.system : '',
    temperature: within(given.temperature, 0, 2, defaultSettings.temperature),
    topP: within(given.topP, 0, 1, defaultSettings.topP),
    maxTokens: whole(given.maxTokens, 1),
    seed: whole(given.seed, 0),
    theme: given.theme === 'light' || given.theme === 'dark' ? given.theme : 'system',
    keep: given.keep === true,
  }
}

/** What somebody typed into a field for a whole number: undefined for nothing, null for what is none. */
export const readWhole = (typed: string, least: number): number | undefined | null => {
  const words = typed.trim()
  if (words === '') return undefined
  return /^\d+$/.test(words) ? (whole(Number(words), least) ?? null) : null
}
