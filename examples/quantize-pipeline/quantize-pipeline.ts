/**
 * Quantization inside a script of your own: progress as events, Ctrl-C as an abort signal, an interrupted run continued.
 *
 *   npm start -w @awq/example-quantize-pipeline -- MODEL OUTPUT [CALIBRATION]
 */
import { type ProgressEvent, quantize } from '@awq/core'

const [model, output, calibration] = process.argv.slice(2)
if (!model || !output) {
  console.error('usage: quantize-pipeline.ts MODEL OUTPUT [CALIBRATION]')
  process.exit(2)
}

const report = (event: ProgressEvent): void => {
  if (event.type === 'stage') console.error(`-- ${event.stage}`)
  if (event.type === 'warning') console.error(`warning: ${event.message}`)
  if (event.type === 'layer') {
    const best = event.groups.map(({ producer, alpha }) => `${producer.split('.').at(-1)} ${alpha ?? '-'}`).join(', ')
    const left = event.etaSeconds.toFixed(0)
    console.error(`block ${event.layer + 1} of ${event.layers}: alpha of ${best}; ${left} s left`)
  }
}

const interrupt = new AbortController()
process.once('SIGINT', () => interrupt.abort(new Error('interrupted; run the same command again to go on')))

try {
  const result = await quantize({
    model,
    output,
    ...(calibration ? { calibration } : {}),
    bits: 4,
    groupSize: 32,
    samples: 64,
    length: 256,
    resume: true,
    signal: interrupt.signal,
    onProgress: report,
  })
  console.log(JSON.stringify(result))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = interrupt.signal.aborted ? 130 : 1
}
