import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { AwqError, type Folder } from '@awq/tensor'
import { defineCommand, modelPositional } from '../command.ts'
import type { Context } from '../context.ts'
import { defined, pick } from '../defined.ts'
import { formatBytes, formatSeconds, formatShare, plural } from '../format.ts'
import { checkFormats } from '../formats.ts'
import { gridSettings, plannedGridOptions } from '../grid-settings.ts'
import { leanHeap } from '../lean-heap.ts'
import type { QuantizationRecord } from '../libraries.ts'
import { engineSettings, findAnyModel, readWholeText } from '../model.ts'
import {
  bitWidth,
  calibrationOptions,
  flag,
  methodNames,
  methodOptionNames,
  methodOptions,
  optional,
  required,
  withDefault,
} from '../options.ts'
import { UsageError } from '../parse.ts'
import { refuseReportPath, writeReport } from '../report-file.ts'
import { shellQuote } from '../shell-quote.ts'
import { stagesText } from '../stages-text.ts'
import { integer, listOf, oneOf, text } from '../values.ts'
import { packageVersion } from '../version.ts'

/** What a finished model has, as its last file. */
const manifestFile = 'quantization.json'

/** The part of a path that is a file where a folder is needed. */
const fileWithin = async (path: string): Promise<string> => {
  const found = await stat(path).catch(() => undefined)
  const parent = dirname(path)
  return found || parent === path ? path : await fileWithin(parent)
}

/** Asked before a download of gigabytes, so that it does not end in "exists". */
const refuseExisting = async (output: string, resume: boolean): Promise<void> => {
  const entries = await readdir(output).catch(async (error: NodeJS.ErrnoException): Promise<string[]> => {
    if (error.code === 'ENOENT') return []
    if (error.code !== 'ENOTDIR') throw error
    // Without a slash at its end, which makes the system take a file for a folder.
    const path = join(dirname(output), basename(output))
    const file = await fileWithin(path)
    const where = file === path ? '' : ` and can not hold ${output}`
    throw new AwqError('EXISTS', `${file} is a file${where}; give -o a folder`, { cause: error })
  })
  if (resume && entries.includes(manifestFile)) {
    throw new AwqError('EXISTS', `${output} is finished, there is nothing to resume; a new run needs an empty folder`)
  }
  // Unfinished work lies in a hidden folder, which the library reads or replaces, with what it had moved to its place.
  if (entries.includes('.awq-partial') && !entries.includes(manifestFile)) return
  if (entries.some((name) => !name.startsWith('.') && name !== 'lost+found')) {
    throw new AwqError('EXISTS', `${output} is not empty; choose a new output folder or empty this one`)
  }
}

/** What to try on the output: what fits the model's tokenizer and chat template, as far as a hint needs to know. */
const suggestion = async (model: Folder, output: string): Promise<string> => {
  const folder = shellQuote(output)
  if (!(await model.has('tokenizer.json'))) return `logits ${folder} --ids 1,2,3`
  const settings = await model.readText('tokenizer_config.json').catch(() => '')
  const canChat = settings.includes('"chat_template"') || (await model.has('chat_template.jinja'))
  return canChat ? `chat ${folder}` : `run ${folder} --prompt "Once upon a time"`
}

/** The arguments that continue this command: as typed, without a token, with --resume. */
const resumeArguments = (args: readonly string[]): string => {
  const kept = args.filter(
    (arg, index) => !arg.startsWith('--token') && args[index - 1] !== '--token' && arg !== '--resume',
  )
  return [...kept, '--resume'].map(shellQuote).join(' ')
}

/** The page of a record, which learns here which version of the command made it. */
const renderRecord = async (context: Context, record: QuantizationRecord): Promise<string> => {
  const { renderReport } = await context.libraries.report()
  return renderReport({ ...record, versions: { awq: await packageVersion(), ...record.versions } })
}

/** `4 bits, group 128`, or `3.50 bits per weight as planned`. */
const storedText = (
  { bits, groupSize }: { readonly bits?: number; readonly groupSize?: number },
  planned: { readonly bitsPerWeight: number } | undefined,
): string => {
  if (planned) return `${planned.bitsPerWeight.toFixed(2)} bits per weight as planned`
  return `${bits} bits, ${groupSize === -1 ? 'one scale per channel' : `group ${groupSize}`}`
}

/** What a target size counts, where there was one: the folder has headers, tokenizer and settings besides. */
const tensorsText = (planned: { readonly bytes: number } | undefined): string =>
  planned ? `, tensors ${formatBytes(planned.bytes)}` : ''

export const quantizeCommand = defineCommand({
  name: 'quantize',
  summary: 'Write a quantized copy of a model',
  positionals: [modelPositional],
  survivesClosedStdout: true,
  options: {
    output: required('OUT', text, 'The folder to write', 'o'),
    method: withDefault('NAME', oneOf(methodNames), 'awq-gptq', `How: ${methodNames.join(', ')}`),
    bits: optional('B', bitWidth, 'Bits of the linear layers: 2, 3, 4 or 8 (default 4, and 8 for smoothquant)'),
    ...methodOptions,
    ...plannedGridOptions,
    ...calibrationOptions,
    format: optional(
      'NAME[,NAME]',
      listOf(text),
      'The formats to write (default awq, which awq run reads); several go to a folder each in OUT; docs/formats.md lists them',
    ),
    measure: optional(
      'FILE',
      text,
      'Measure perplexity and KL divergence on this text when all is done, for the model card; takes what eval --text takes',
    ),
    measureWindows: optional('N', integer(1), 'Measure on the first windows only (default: all of the text)'),
    report: optional('FILE', text, 'Also write an HTML page with plots of errors, scales, sizes and time'),
    resume: flag('Continue an interrupted run: the result has the same bytes'),
  },
  examples: [
    'awq quantize HuggingFaceTB/SmolLM2-135M-Instruct -o smollm2-4bit --group-size 64',
    'awq quantize ./model -o ./small --target-bpw 3.5',
    'awq quantize ./model -o ./model-3bit --bits 3 --group-size 64 --calibration chats.jsonl',
  ],
  async run(session, [reference = ''], options) {
    const { context, reporter, signal, interruption } = session
    const { output, method, report, resume, format } = options
    const grid = gridSettings(
      method,
      pick(options, ['bits', 'groupSize', 'headBits', 'embeddingBits', 'targetBpw', 'targetBytes']),
    )
    await refuseExisting(output, resume)
    if (report !== undefined) await refuseReportPath(report, output)
    if (options.measureWindows !== undefined && options.measure === undefined)
      throw new UsageError('--measure-windows needs --measure')
    if (format !== undefined) checkFormats(await context.libraries.formats(), format)
    const model = await findAnyModel(session, reference, options)
    // Read before hours of work, so that they do not end in a text that is not there.
    const measure = options.measure && {
      name: basename(options.measure),
      text: await readWholeText(session, options.measure, options),
      ...defined({ maxWindows: options.measureWindows }),
    }
    leanHeap()
    const { quantize } = await context.libraries.core()
    const { record, ...result } = await quantize({
      ...pick(options, ['symmetric', 'visionBits', 'samples', 'length', 'moeCalibrateAll', 'resume']),
      ...grid,
      ...engineSettings(session, options),
      ...defined(pick(options, [...methodOptionNames, 'calibration', 'seed'])),
      ...(report === undefined ? {} : { record: true }),
      ...(format === undefined ? {} : { formats: format }),
      ...(measure ? { measure } : {}),
      command: session.command,
      model,
      output,
      method,
      signal,
      onProgress: (event) => reporter.progress(event),
    }).catch((error: unknown) => {
      if (interruption.cause() === 'interrupt')
        reporter.note(`continue with: ${context.program} ${resumeArguments(session.args)}`)
      throw error
    })
    // The model is whole and gets its last event, whatever becomes of the report.
    const failure = await (report !== undefined && record
      ? writeReport(report, () => renderRecord(context, record)).then(
          () => undefined,
          (error: unknown) => error,
        )
      : undefined)
    reporter.event({ type: 'done', ...result })
    const resumed = result.resumedLayers ? `, ${plural(result.resumedLayers, 'layer')} taken over` : ''
    const share = formatShare(result.outputBytes / result.inputBytes)
    reporter.print(
      `${output}: ${method}, ${storedText(grid, result.planned)}`,
      `  size  ${formatBytes(result.inputBytes)} of weights -> ${formatBytes(result.outputBytes)} on disk (${share})${tensorsText(result.planned)}`,
      `  time  ${formatSeconds(result.seconds)}${resumed}: ${stagesText(result.stages)}`,
      `  memory  peak ${formatBytes(result.peakRssBytes!)}, expected at most ${formatBytes(result.memory.boundBytes)}`,
      ...(report !== undefined && failure === undefined ? [`  report  ${report}`] : []),
      ...(format === undefined || format.join() === 'awq'
        ? [`Try: ${context.program} ${await suggestion(model, output)}`]
        : [`  formats  ${format.join(', ')}`]),
    )
    if (failure !== undefined) throw failure
  },
})
