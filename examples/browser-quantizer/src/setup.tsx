import type { OutputState } from '@awq/core/browser'
import { useEffect, useState } from 'preact/hooks'
import { DeviceChoice } from '../../browser-shared/device-choice.tsx'
import { byteSize, largeNumber } from '../../browser-shared/format.ts'
import type { Machine, PageDevice } from '../../browser-shared/machine.ts'
import type { Chosen, Order } from './app.tsx'
import { estimatedBytes } from './model-facts.ts'
import { lookAtOutput } from './quantizer.ts'
import { calibrations, defaultSettings, keptRun, methodNames, outputName, type Settings } from './settings.ts'

interface Props {
  readonly model: Chosen
  readonly failure?: string
  readonly machine: Machine
  readonly device: PageDevice
  readonly onDevice: (device: PageDevice) => void
  readonly onStart: (order: Order) => void
}

/** The form: how to quantize, and what is to be expected of it. */
export const Setup = ({ model, failure, machine, device, onDevice, onStart }: Props) => {
  const { name, facts } = model
  const [settings, setSettings] = useState<Settings>(() => {
    const usual = defaultSettings(facts.hiddenSize)
    return keptRun(outputName(name, usual)) ?? usual
  })
  const [before, setBefore] = useState<OutputState>()
  const [text, setText] = useState<File>()
  const output = outputName(name, settings)
  useEffect(() => {
    lookAtOutput(output).then(setBefore, () => setBefore(undefined))
  }, [output])

  const change = (part: Partial<Settings>) => setSettings({ ...settings, ...part })
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    onStart({ settings, device, texts: text && [await text.text()] })
  }
  const estimate = estimatedBytes(facts, settings.bits, settings.groupSize)

  return (
    <form class="setup" onSubmit={submit}>
      <div>
        <h1>{name}</h1>
        <ul class="facts">
          <li>{facts.family}</li>
          <li>{largeNumber(facts.parameters)} parameters</li>
          <li>{facts.layers} layers</li>
          <li>{byteSize(facts.bytes)}</li>
        </ul>
      </div>
      {failure && (
        <div class="note" role="alert">
          <b>It stopped.</b>
          <span>{failure}</span>
        </div>
      )}
      <div class="fields card">
        <label>
          Bits
          <select
            value={settings.bits}
            onChange={(event) => change({ bits: Number(event.currentTarget.value) as Settings['bits'] })}
          >
            {[2, 3, 4, 8].map((bits) => (
              <option key={bits} value={bits}>
                {bits} bits
              </option>
            ))}
          </select>
        </label>
        <label>
          Weights that share a scale
          <select
            value={settings.groupSize}
            onChange={(event) => change({ groupSize: Number(event.currentTarget.value) as Settings['groupSize'] })}
          >
            {[32, 64, 128].map((size) => (
              <option key={size} value={size}>
                {size}
              </option>
            ))}
          </select>
        </label>
        <label>
          Method
          <select
            value={settings.method}
            onChange={(event) => change({ method: event.currentTarget.value as Settings['method'] })}
          >
            {Object.entries(methodNames).map(([method, about]) => (
              <option key={method} value={method}>
                {about}
              </option>
            ))}
          </select>
        </label>
        <label>
          Calibration
          <select
            value={settings.samples}
            disabled={settings.method === 'rtn'}
            onChange={(event) => change({ samples: Number(event.currentTarget.value) })}
          >
            {Object.entries(calibrations).map(([samples, about]) => (
              <option key={samples} value={samples}>
                {about}
              </option>
            ))}
          </select>
        </label>
        <label>
          Text to calibrate on
          <input
            type="file"
            accept=".txt,.md,text/plain"
            disabled={settings.method === 'rtn'}
            onChange={(event) => setText(event.currentTarget.files?.[0])}
          />
          <small>{text ? byteSize(text.size) : 'None: the text that comes with the libraries.'}</small>
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={settings.measure}
            onChange={(event) => change({ measure: event.currentTarget.checked })}
          />
          Measure perplexity at the end
        </label>
      </div>
      <DeviceChoice machine={machine} value={device} onChange={onDevice} />
      <p class="estimate">
        {byteSize(facts.bytes)} become about <b>{byteSize(estimate)}</b>, kept in this browser as <b>{output}</b>.
        {before?.state === 'finished' && ' There is one of this name, which will be replaced.'}
        {before?.state === 'unfinished' &&
          ` ${before.layers} of ${facts.layers} layers are done already, by an earlier run with the same settings.`}
      </p>
      <div class="row">
        <button type="submit" class="main">
          {before?.state === 'unfinished' ? 'Continue' : 'Quantize'}
        </button>
      </div>
    </form>
  )
}
