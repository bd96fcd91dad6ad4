import type { QuantizeResult } from '@awq/core'
import type { Folder } from '@awq/tensor'
import { useEffect, useState } from 'preact/hooks'
import { byteSize, duration, messageOf } from '../../browser-shared/format.ts'
import type { Chosen, Order } from './app.tsx'
import { LossPlot } from './loss-plot.tsx'
import { type Measured, measuredOf, openResult } from './quantizer.ts'
import type { RunState } from './run-state.ts'
import { SaveButton } from './save-button.tsx'
import { outputName } from './settings.ts'
import { SideBySide } from './side-by-side.tsx'

interface Props {
  readonly model: Chosen
  readonly order: Order
  readonly run: RunState
  readonly result: QuantizeResult
}

/** What became of a model. */
export const Outcome = ({ model, order, run, result }: Props) => {
  const { seconds, inputBytes, outputBytes, layers, resumedLayers } = result
  const output = outputName(model.name, order.settings)
  const [folder, setFolder] = useState<Folder>()
  const [measured, setMeasured] = useState<Measured>()
  const [failure, setFailure] = useState<string>()
  useEffect(() => {
    const look = async (): Promise<void> => {
      const opened = await openResult(output)
      setFolder(opened)
      setMeasured(await measuredOf(opened))
    }
    look().catch((error) => setFailure(messageOf(error)))
  }, [output])
  return (
    <section class="outcome">
      <div>
        <h1>{output} is ready</h1>
        <p class="lead">It lies in this browser. The chat page on the same host finds it there.</p>
      </div>
      {failure && (
        <p class="note" role="alert">
          {failure}
        </p>
      )}
      <dl class="figures">
        <Figure
          name="Size"
          value={byteSize(outputBytes)}
          note={`of ${byteSize(inputBytes)}`}
          share={outputBytes / inputBytes}
        />
        <Figure
          name="Time"
          value={duration(seconds)}
          note={resumedLayers > 0 ? `${layers} blocks, ${resumedLayers} from before` : `${layers} blocks`}
        />
        {measured?.floatPerplexity !== undefined && (
          <Figure
            name="Perplexity"
            value={measured.perplexity.toFixed(2)}
            note={`before: ${measured.floatPerplexity.toFixed(2)}`}
          />
        )}
        {measured?.top1 !== undefined && (
          <Figure name="Same first choice" value={`${(measured.top1 * 100).toFixed(1)} %`} note="as the float model" />
        )}
      </dl>
      {folder && <SaveButton folder={folder} />}
      <LossPlot layers={run.layers} losses={run.losses} />
      {folder && <SideBySide before={model.folder} after={folder} device={order.device} bits={order.settings.bits} />}
    </section>
  )
}

const Figure = ({ name, value, note, share }: { name: string; value: string; note: string; share?: number }) => (
  <div class="figure">
    <dt>{name}</dt>
    <dd>
      <b>{value}</b> <small>{note}</small>
      {share !== undefined && <meter aria-label="Share of the size before" max={1} value={share} />}
    </dd>
  </div>
)
