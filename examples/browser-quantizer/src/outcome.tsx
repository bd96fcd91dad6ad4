import type { QuantizeResult } from '@awq/core'
import type { Folder } from '@awq/tensor'
import { useEffect, useState } from 'preact/hooks'
import type { ModelSource } from '../../browser-shared/folders.ts'
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
  readonly onChat: (source: ModelSource) => void
}

/** What became of a model. */
export const Outcome = ({ model, order, run, result, onChat }: Props) => {
  const { seconds, inputBytes, outputBytes, layers, resumedLayers, memory } = result
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
        <p class="lead">It lies in this browser, for this page and others of the same address.</p>
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
          note={resumedLayers > 0 ? `${layers} layers, ${resumedLayers} from before` : `${layers} layers`}
        />
        {memory.heapBytes !== undefined && (
          <Figure name="Memory" value={byteSize(memory.heapBytes)} note="of WebAssembly, at most" />
        )}
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
      <div class="row">
        <button
          type="button"
          class="main"
          disabled={!folder}
          onClick={() => folder && onChat({ name: output, open: () => folder })}
        >
          Chat with it
        </button>
        {folder && <SaveButton folder={folder} />}
      </div>
      <div class="columns">
        <Stages stages={result.stages} />
        <LossPlot layers={run.layers} losses={run.losses} />
      </div>
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

const stageNames: Record<string, string> = {
  statistics: 'activations',
  scale: 'scale search',
  clip: 'clip search',
  evaluate: 'measuring',
}

/** Where the time went, the longest first. */
const Stages = ({ stages }: Pick<QuantizeResult, 'stages'>) => {
  const longest = stages.filter(({ seconds }) => seconds >= 0.1).sort((a, b) => b.seconds - a.seconds)
  const most = longest[0]?.seconds ?? 1
  return (
    <section class="stages">
      <h2>Where the time went</h2>
      <ul class="spent">
        {longest.slice(0, 8).map(({ stage, seconds }) => (
          <li key={stage}>
            <span>{stageNames[stage] ?? stage}</span>
            <meter aria-hidden="true" max={most} value={seconds} />
            <span>{duration(seconds)}</span>
          </li>
        ))}
      </ul>
    </section>
  )
}
