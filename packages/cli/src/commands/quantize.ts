import { readdir } from 'node:fs/promises'
import { AwqError } from '@awq/tensor'
import { defineCommand, modelPositional } from '../command.ts'
import { formatBytes, formatSeconds, formatShare } from '../format.ts'
import { engineOptions, findModel } from '../model.ts'
import { bitWidth, calibrationOptions, flag, gridOptions, methodNames, required, withDefault } from '../options.ts'
import { shellQuote } from '../shell-quote.ts'
import { oneOf, text } from '../values.ts'

/** Asked before a download of gigabytes, so that it does not end in "exists". */
const refuseExisting = async (output: string): Promise<void> => {
  const entries = await readdir(output).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    if (error.code === 'ENOTDIR')
      throw new AwqError('EXISTS', `${output} is a file; give -o a folder`, { cause: error })
    throw error
  })
  if (entries.length > 0) {
    throw new AwqError(
      'EXISTS',
      `${output} exists and is not empty; choose another folder, or add --overwrite to replace it`,
    )
  }
}

/** The command that continues this one: as typed, without a token, with --resume. */
const resumeCommand = (args: readonly string[]): string => {
  const kept = args.filter(
    (arg, index) => !arg.startsWith('--token') && args[index - 1] !== '--token' && arg !== '--resume',
  )
  return ['awq', ...kept, '--resume'].map(shellQuote).join(' ')
}

export const quantizeCommand = defineCommand({
  name: 'quantize',
  summary: 'Write a quantized copy of a model',
  positionals: [modelPositional],
  survivesClosedStdout: true,
  options: {
    output: required('OUT', text, 'The folder to write', 'o'),
    method: withDefault('NAME', oneOf(methodNames), 'awq', `How: ${methodNames.join(', ')}`),
    bits: withDefault('B', bitWidth, 4, 'Bits of the linear layers: 2, 3, 4 or 8'),
    ...gridOptions,
    ...calibrationOptions,
    resume: flag('Continue an interrupted run: the result has the same bytes'),
    overwrite: flag('Replace OUT if it exists'),
  },
  examples: [
    'awq quantize HuggingFaceTB/SmolLM2-135M-Instruct -o smollm2-4bit --group-size 64',
    'awq quantize ./model -o ./model-3bit --bits 3 --group-size 64 --calibration chats.jsonl',
  ],
  async run(session, [reference = ''], options) {
    const { reporter, signal, interruption } = session
    const { output, method, bits, groupSize, symmetric, headBits, embeddingBits, samples, length, resume, overwrite } =
      options
    if (!resume && !overwrite) await refuseExisting(output)
    const model = await findModel(session, reference, options)
    const { quantize } = await session.context.libraries.core()
    try {
      const result = await quantize({
        ...{
          model,
          output,
          method,
          bits,
          groupSize,
          symmetric,
          headBits,
          embeddingBits,
          samples,
          length,
          resume,
          overwrite,
        },
        ...engineOptions(options),
        ...(options.calibration === undefined ? {} : { calibration: options.calibration }),
        ...(options.seed === undefined ? {} : { seed: options.seed }),
        signal,
        onProgress: (event) => reporter.progress(event),
      })
      reporter.event({ ...result, type: 'done' })
      reporter.print(
        `${output}  ${method}, ${bits} bits, ${groupSize === -1 ? 'one scale per channel' : `group ${groupSize}`}`,
        `  size  ${formatBytes(result.inputBytes)} -> ${formatBytes(result.outputBytes)} (${formatShare(result.outputBytes / result.inputBytes)})`,
        `  time  ${formatSeconds(result.seconds)}, peak memory ${formatBytes(result.peakRssBytes)}`,
        `Try: awq run ${shellQuote(output)} --prompt "Once upon a time"`,
      )
    } catch (error) {
      if (interruption.cause() === 'interrupt') reporter.note(`continue with: ${resumeCommand(session.args)}`)
      throw error
    }
  },
})
