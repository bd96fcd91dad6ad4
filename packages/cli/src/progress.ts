import type { ProgressEvent as CoreEvent } from '@awq/core'
import type { TextOutput } from './context.ts'
import { formatBytes, formatSeconds, significant } from './format.ts'
import { planLines } from './plan-text.ts'

/** What the long-running functions report while they work: the stages of `@awq/core`, and those of loading. */
export type ProgressEvent = CoreEvent<string>

/** A finished layer. */
export type LayerEvent = Extract<ProgressEvent, { type: 'layer' }>

/** The stage whose `completed` and `total` are bytes. */
export const downloadStage = 'download'

/** Stages counted in bytes. */
const byteStages = new Set([downloadStage, 'upload'])

/** The stage whose steps are blocks of one model or the other, and windows. */
const evaluateStage = 'evaluate'

/** What people call the stages; events in JSON keep the names. */
const stageLabels: Readonly<Record<string, string>> = {
  download: 'downloading',
  open: 'opening the model',
  load: 'loading the model',
  tokenize: 'reading the calibration text',
  see: 'looking at the calibration images',
  plan: 'measuring what bits matter',
  embed: 'embedding the calibration text',
  blocks: 'quantizing',
  tables: 'writing embedding and head',
  evaluate: 'evaluating',
  export: 'writing the format',
  verify: 'comparing hashes',
  upload: 'uploading',
  memory: 'measuring the memory',
  bench: 'timing',
}
const stageLabel = (stage: string): string => stageLabels[stage] ?? stage

/** Milliseconds between two drawings of a bar, two plain lines, two events of the same stage in JSON. */
const intervals = { bar: 100, line: 5000, layerLine: 2000, json: 500 }

/** Draws progress on stderr: one line that redraws itself on a terminal, else a plain line now and then. */
export interface ProgressView {
  show(event: ProgressEvent): void
  /** Wipes the bar, so that other text can be printed; the next event draws it again. */
  clear(): void
}

/** Whether to pass on an event now: never more than one per stage and interval, and always the last of a stage. */
export const throttle = (now: () => number, interval: number): ((event: ProgressEvent) => boolean) => {
  let last = Number.NEGATIVE_INFINITY
  let stage = ''
  return (event) => {
    if (event.type === 'stage' || event.type === 'warning' || event.type === 'plan') return true
    const key = event.type === 'layer' ? 'layer' : event.stage
    const ends = event.type === 'layer' ? event.layer + 1 >= event.layers : event.completed >= event.total
    if (key === stage && !ends && now() - last < interval) return false
    stage = key
    last = now()
    return true
  }
}

/** The throttle of progress events on stdout with `--json`; layers all pass, since they carry results. */
export const jsonThrottle = (now: () => number): ((event: ProgressEvent) => boolean) => {
  const passes = throttle(now, intervals.json)
  return (event) => event.type === 'layer' || passes(event)
}

/**
 * `layer 7/30  scale search 1.24e-3 -> 7.90e-4 (-36%)  6.1 s  ETA 2m 20s`: the search's loss without scales and with those
 * that it took, before clips and rounding by GPTQ; people count layers from 1.
 */
export const layerText = (event: LayerEvent): string => {
  const parts = [`layer ${event.layer + 1}/${event.layers}`]
  const identity = event.groups.reduce((sum, group) => sum + (group.identityLoss ?? 0), 0)
  const loss = event.groups.reduce((sum, group) => sum + (group.loss ?? 0), 0)
  if (identity > 0) {
    const percent = Math.round((loss / identity - 1) * 100)
    parts.push(
      `scale search ${significant(identity, 3)} -> ${significant(loss, 3)} (${percent > 0 ? '+' : ''}${percent}%)`,
    )
  }
  parts.push(formatSeconds(event.seconds))
  if (event.layer + 1 < event.layers && Number.isFinite(event.etaSeconds))
    parts.push(`ETA ${formatSeconds(event.etaSeconds)}`)
  return parts.join('  ')
}

const stageText = (event: Extract<ProgressEvent, { type: 'stage' }>): string =>
  `${stageLabel(event.stage)}${event.message ? ` ${event.message}` : ''}`

/** Bytes of downloads, a share where the steps mean nothing to people, else steps. */
const progressText = ({ stage, completed, total, message }: Extract<ProgressEvent, { type: 'progress' }>): string => {
  const label = stageLabel(stage)
  if (byteStages.has(stage)) {
    const amount = total > 0 ? `${formatBytes(completed)}/${formatBytes(total)}` : formatBytes(completed)
    return `${label} ${amount}${message ? `  ${message}` : ''}`
  }
  if (stage === evaluateStage && total > 0) return `${label} ${Math.floor((completed / total) * 100)}%`
  const steps = total > 0 ? `${completed}/${total}` : String(completed)
  return message ? `${label} ${message}, part ${steps}` : `${label} ${steps}`
}

const bar = (share: number, width: number): string => {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * width)
  return `[${'#'.repeat(filled)}${'.'.repeat(width - filled)}]`
}

const barText = (event: Exclude<ProgressEvent, { type: 'warning' | 'plan' }>): string => {
  if (event.type === 'stage') return `${stageText(event)}…`
  if (event.type === 'layer') return `${bar((event.layer + 1) / event.layers, 20)} ${layerText(event)}`
  return event.total > 0 ? `${bar(event.completed / event.total, 20)} ${progressText(event)}` : progressText(event)
}

/** The progress view for a stream: bars on a terminal, plain lines otherwise. */
export const createProgressView = (stream: TextOutput, now: () => number): ProgressView =>
  stream.isTTY ? terminalView(stream, now) : plainView(stream, now)

const terminalView = (stream: TextOutput, now: () => number): ProgressView => {
  const passes = throttle(now, intervals.bar)
  let drawn = false
  const clear = (): void => {
    if (drawn) stream.write('\r\u001b[K')
    drawn = false
  }
  return {
    clear,
    show: (event) => {
      if (event.type === 'warning') {
        clear()
        stream.write(`awq: warning: ${event.message}\n`)
      } else if (event.type === 'plan') {
        clear()
        for (const text of planLines(event)) stream.write(`${text}\n`)
      } else if (passes(event)) {
        const text = barText(event).slice(0, Math.max(10, (stream.columns || 80) - 1))
        stream.write(`\r${text}\u001b[K`)
        drawn = true
      }
    },
  }
}

const plainView = (stream: TextOutput, now: () => number): ProgressView => {
  let last = now()
  let lastLayer = Number.NEGATIVE_INFINITY
  let lastLine = ''
  const line = (text: string): void => {
    if (text === lastLine) return
    stream.write(`${text}\n`)
    lastLine = text
    last = now()
  }
  const layerLine = (event: LayerEvent): void => {
    if (now() - lastLayer < intervals.layerLine && event.layer + 1 < event.layers) return
    lastLayer = now()
    line(layerText(event))
  }
  return {
    clear: () => {},
    show: (event) => {
      if (event.type === 'warning') line(`awq: warning: ${event.message}`)
      else if (event.type === 'plan') for (const text of planLines(event)) line(text)
      else if (event.type === 'stage') line(`${stageText(event)}…`)
      else if (event.type === 'layer') layerLine(event)
      else if (now() - last >= intervals.line) line(progressText(event))
    },
  }
}
