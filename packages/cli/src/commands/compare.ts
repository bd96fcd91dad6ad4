import { defineCommand, modelPositional } from '../command.ts'
import { compareCells, compareColumns } from '../compare-table.ts'
import { defined, pick } from '../defined.ts'
import { leanHeap } from '../lean-heap.ts'
import { engineSettings, findModel, readWholeText } from '../model.ts'
import {
  accuracy,
  bitWidth,
  calibrationOptions,
  gridOptions,
  methodNames,
  methodOptionNames,
  methodOptions,
  optional,
  required,
  withDefault,
} from '../options.ts'
import { columnWidths, tableLine } from '../table.ts'
import { integer, listOf, oneOf, text } from '../values.ts'

export const compareCommand = defineCommand({
  name: 'compare',
  summary: 'Quantize by several methods and print their quality, size and time side by side',
  positionals: [modelPositional],
  options: {
    text: required('FILE', text, 'Text to predict: a text, JSONL or parquet file, or a data set: wikitext'),
    methods: withDefault('LIST', listOf(oneOf(methodNames)), ['rtn', 'gptq', 'awq'], `Of ${methodNames.join(', ')}`),
    bits: withDefault('LIST', listOf(bitWidth), [4], 'Of 2, 3, 4, 8'),
    ...methodOptions,
    ...gridOptions,
    ...calibrationOptions,
    window: withDefault('N', integer(2), 2048, 'Tokens per window of the text; windows do not overlap'),
    maxWindows: optional('N', integer(1), 'Stop after so many windows (default: all of the text)'),
    accuracy: withDefault('MODE', accuracy, 'exact', 'exact: float32 activations; fast: int8 where the engine can'),
  },
  examples: [
    'awq compare ./model --text wiki.test.raw --calibration c4.txt --methods rtn,gptq,awq --bits 4,3 --group-size 64',
  ],
  async run(session, [reference = ''], options) {
    const { reporter, signal } = session
    const { methods, bits, groupSize, window } = options
    const content = await readWholeText(session, options.text, options)
    const model = await findModel(session, reference, options)
    leanHeap()
    const { compare } = await session.context.libraries.core()
    const widths = columnWidths(compareColumns, [])
    const print = (cells: readonly string[]): void => reporter.print(tableLine(cells, compareColumns, widths))
    let headed = false
    const rows = await compare({
      ...pick(options, [
        'symmetric',
        'headBits',
        'embeddingBits',
        'visionBits',
        'samples',
        'length',
        'moeCalibrateAll',
        'accuracy',
      ]),
      ...engineSettings(session, options),
      ...defined(pick(options, [...methodOptionNames, 'calibration', 'seed', 'maxWindows'])),
      model,
      text: content,
      methods,
      bits,
      groupSize,
      window,
      signal,
      onProgress: (event) => reporter.progress(event),
      onRow: (row) => {
        if (!headed) print(compareColumns.map((column) => column.title))
        headed = true
        reporter.event({ type: 'row', ...row })
        print(compareCells(row))
      },
    })
    reporter.event({ type: 'done', rows })
    reporter.note('stored: width of a code on the disk; bits/w: bits per weight of the whole model')
    if (rows.some((row) => row.kl !== undefined)) {
      reporter.note('KL (nats per token) and top-1 agreement are against the float model')
    }
  },
})
