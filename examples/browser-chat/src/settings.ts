/** How answers are chosen. */
export interface Settings {
  readonly system: string
  readonly temperature: number
  readonly topP: number
  readonly maxTokens: number
  /** undefined: another one for every answer. */
  readonly seed: number | undefined
}

export const defaultSettings: Settings = { system: '', temperature: 0.7, topP: 0.9, maxTokens: 200, seed: undefined }

const place = 'settings'

/** Settings of an earlier visit. */
export const readSettings = (): Settings => {
  try {
    return { ...defaultSettings, ...(JSON.parse(localStorage.getItem(place) ?? '{}') as Partial<Settings>) }
  } catch {
    return defaultSettings
  }
}

export const keepSettings = (settings: Settings): void => localStorage.setItem(place, JSON.stringify(settings))
