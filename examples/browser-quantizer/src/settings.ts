/** How to quantize, as the form has it. */
export interface Settings {
  readonly method: 'awq-gptq' | 'awq' | 'gptq' | 'rtn'
  readonly bits: 2 | 3 | 4 | 8
  readonly groupSize: 32 | 64 | 128
  /** Blocks of calibration text, of 256 tokens each. */
  readonly samples: number
  /** Measure perplexity when all is done. */
  readonly measure: boolean
}

export const methodNames: Readonly<Record<Settings['method'], string>> = {
  'awq-gptq': 'AWQ, then GPTQ: the best text',
  awq: 'AWQ',
  gptq: 'GPTQ',
  rtn: 'Plain rounding: no calibration',
}

export const calibrations: Readonly<Record<number, string>> = {
  16: 'quick: 4,096 tokens',
  64: 'usual: 16,384 tokens',
  128: 'thorough: 32,768 tokens',
}

/** Small groups for narrow models, whose rows are short. */
export const defaultSettings = (hiddenSize: number): Settings => ({
  method: 'awq-gptq',
  bits: 4,
  groupSize: hiddenSize < 512 ? 32 : 128,
  samples: 16,
  measure: true,
})

/** The folder of the result in the private file system. */
export const outputName = (model: string, { bits }: Settings): string => `${model}-${bits}bit`

const place = (output: string): string => `quantizing ${output}`

/** Keeps the settings of a run, so that it can go on after the tab was closed. */
export const keepRun = (output: string, settings: Settings): void =>
  localStorage.setItem(place(output), JSON.stringify(settings))

/** The settings of the run that left unfinished work. */
export const keptRun = (output: string): Settings | undefined => {
  const kept = localStorage.getItem(place(output))
  return kept === null ? undefined : (JSON.parse(kept) as Settings)
}

export const forgetRun = (output: string): void => localStorage.removeItem(place(output))
