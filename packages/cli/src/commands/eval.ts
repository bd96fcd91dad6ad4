import { AwqError } from '@awq/tensor'
import { defineCommand, modelPositional } from '../command.ts'
import { formatCount, formatShare, significant } from '../format.ts'
import { openModel, readWholeText } from '../model.ts'
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
    const content = await readWholeText(session, options.text)
    await using model = await openModel(session, reference, options, { accuracy: options.accuracy })
    await using against =
      options.against === undefined
        ? null
        : await openModel(session, options.against, options, { accuracy: options.accuracy })
    const { evaluate } = await session.context.libraries.evaluate()
    const result = await evaluate({
      model,
      text: content,
      window: options.window,
      signal,
      onProgress: (event) => reporter.progress(event),
      ...(against ? { against } : {}),
      ...(options.maxWindows === undefined ? {} : { maxWindows: options.maxWindows }),
    })
    if (!Number.isFinite(result.perplexity)) {
      throw new AwqError('NUMERIC', `the perplexity is ${result.perplexity}: the model's logits are not finite numbers`)
    }
    reporter.event({ type: 'done', ...result })
    reporter.print(`perplexity  ${significant(result.perplexity, 4)}  (${formatCount(result.tokens)} tokens predicted)`)
    if (result.kl !== undefined) reporter.print(`KL          ${significant(result.kl, 3)} nats per token`)
    if (result.top1 !== undefined) reporter.print(`top-1       ${formatShare(result.top1)} of the tokens agree`)
  },
})
