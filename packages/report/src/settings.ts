import type { QuantizationRecord } from '@awq/core'
import { formatCount, plural } from './format.ts'
import { html, type Markup, type Piece } from './html.ts'

const entry = (name: string, value: Piece): Markup => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>
`

const calibrationText = (calibration: QuantizationRecord['calibration']): string => {
  if (!calibration) return 'none: the method reads no text'
  const { source, samples, length, images } = calibration
  return [
    source,
    ...(samples > 0 || !images ? [`${plural(samples, 'sample')} of ${plural(length, 'token')}`] : []),
    ...(images ? [`${plural(images.samples, 'sample')} with images (${plural(images.tokens, 'token')})`] : []),
  ].join(', ')
}

/** How the model was made. */
export const settings = ({ model, method, options, calibration, engine, versions }: QuantizationRecord): Markup => {
  const passes = method.passes.map(({ name, options: given }) => {
    const text = given === undefined ? '' : JSON.stringify(given)
    return html`<li>${name}${text !== '' && text !== '{}' && html` <code>${text}</code>`}</li>`
  })
  return html`<section><h2>How it was made</h2><div class="scroll"><table class="settings"><tbody>${entry('Model', `${model.name} (${model.type}), ${plural(model.layers, 'layer')}, ${formatCount(model.parameters)} parameters`)}${entry('Method', html`${method.name}<ol class="plain">${passes}</ol>`)}${entry('Next block sees', `outputs of the ${method.propagate} block`)}${entry('Calibration', calibrationText(calibration))}${Object.entries(
    options,
  ).map(([name, value]) =>
    entry(name, String(value)),
  )}${entry('Engine', `${engine.name} on ${engine.device}, ${plural(engine.threads, 'thread')}`)}${Object.entries(
    versions,
  ).map(([name, version]) => entry(`${name} version`, version))}</tbody></table></div></section>
`
}
