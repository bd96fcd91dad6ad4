import { AwqError } from '@awq/tensor'
import { defineCommand, modelPositional } from '../command.ts'
import { defined } from '../defined.ts'
import { formatSeconds, formatShare, plural, significant } from '../format.ts'
import type { EvaluateLibrary } from '../libraries.ts'
import { engineSettings, findModel, readWholeText } from '../model.ts'
import { accuracy, optional, required, withDefault } from '../options.ts'
import { integer, text } from '../values.ts'

export const evalCommand = defineCommand({
  name: 'eval',
  summary: 'Measure perplexity, and with --against KL divergence and top-1 agreement',
  positionals: [modelPositional],
  options: {
    text: required('FILE', text, 'Text to predict: a text, JSONL or parquet file, or a data set: wikitext'),
    window: withDefault('N', integer(2), 2048, 'Tokens per window; windows do not overlap'),
    maxWindows: optional('N', integer(1), 'Stop after so many windows (default: all of the text)'),
    against: optional('MODEL', text, 'The model to compare with, usually the float one'),
    accuracy: withDefault('MODE', accuracy, 'exact', 'exact: float32 activations; fast: int8 where the engine can'),
  },
  examples: [
    'awq eval smollm2-4bit --text wiki.test.raw',
    'awq eval smollm2-4bit --text wiki.test.raw --against HuggingFaceTB/SmolLM2-135M-Instruct --max-windows 10',
  ],
  async run(session, [reference = ''], options) {
    const { reporter, signal } = session
    const { window, maxWindows, accuracy } = options
    const content = await readWholeText(session, options.text, options)
    const model = await findModel(session, reference, options)
    const against =
      options.against === undefined
        ? undefined
        : await findModel(session, options.against, { ...options, revision: undefined })
    const { createEngine } = await session.context.libraries.ort()
    const { evaluate } = await session.context.libraries.evaluate()
    const engine = await createEngine(engineSettings(session, options))
    try {
      const result = await evaluate({
        ...defined({ against, maxWindows }),
        model,
        engine,
        text: content,
        window,
        accuracy,
        signal,
        onProgress: ({ done, total }) =>
          reporter.progress({ type: 'progress', stage: 'evaluate', completed: done, total }),
        onWarning: (message) => reporter.progress({ type: 'warning', message }),
      })
      if (!Number.isFinite(result.perplexity)) {
        const cause = "the model's logits are not finite numbers"
        throw new AwqError('NUMERIC', `the perplexity is ${result.perplexity}: ${cause}`)
      }
      reporter.event({ type: 'done', ...result })
      reporter.print(...evaluationLines(result))
    } finally {
      await engine.dispose()
    }
  },
})

const evaluationLines = (result: Awaited<ReturnType<EvaluateLibrary['evaluate']>>): string[] => [
  `perplexity  ${significant(result.perplexity, 4)}`,
  ...(result.kl === undefined ? [] : [`KL          ${significant(result.kl, 3)} nats per token`]),
  ...(result.top1 === undefined ? [] : [`top-1       ${formatShare(result.top1)} of the predictions agree`]),
  `text        ${plural(result.windows, 'window')} of ${plural(result.window, 'token')}, in ${formatSeconds(result.seconds)}`,
]
