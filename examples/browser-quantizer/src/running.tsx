import { useEffect, useState } from 'preact/hooks'
import { duration } from '../../browser-shared/format.ts'
import { Progress } from '../../browser-shared/progress.tsx'
import type { Chosen, Order } from './app.tsx'
import { LossPlot } from './loss-plot.tsx'
import type { RunState } from './run-state.ts'

const stageNames: Record<string, string> = {
  download: 'Download',
  tokenize: 'Read the calibration text',
  plan: 'Plan',
  embed: 'Run the text into the model',
  blocks: 'Quantize the layers',
  tables: 'Quantize embedding and head',
  evaluate: 'Measure',
  export: 'Write',
  verify: 'Verify',
}

interface Props {
  readonly model: Chosen
  readonly order: Order
  readonly run: RunState
  readonly started: number
  readonly cancel: () => void
}

/** A quantization under way. */
export const Running = ({ model, order, run, started, cancel }: Props) => {
  const seconds = useSeconds(started)
  const { stages, layers, losses, etaSeconds, warnings } = run
  const last = stages.at(-1)
  return (
    <section class="running" aria-busy="true">
      <div>
        <h1>
          {model.name} to {order.settings.bits} bits
        </h1>
        <p class="lead">
          {duration(seconds)} so far
          {etaSeconds !== undefined && last?.stage === 'blocks' && `, about ${duration(etaSeconds)} left`}. What is done
          stays in this browser: close the tab, and go on another time.
        </p>
      </div>
      <div class="columns">
        <ol class="stages">
          {stages.length === 0 && (
            <li>
              <Progress label="Starting" />
            </li>
          )}
          {stages.map((state) =>
            state === last ? (
              <li key={state.stage} aria-current="step">
                <Progress label={stageNames[state.stage] ?? state.stage} share={state.share} note={state.note} />
              </li>
            ) : (
              <li key={state.stage} class="done">
                {stageNames[state.stage] ?? state.stage}
              </li>
            ),
          )}
        </ol>
        <p class="hidden" role="status">
          {last && (stageNames[last.stage] ?? last.stage)}
        </p>
        <LossPlot layers={layers} losses={losses} />
      </div>
      {warnings.map((warning) => (
        <p key={warning} class="note">
          {warning}
        </p>
      ))}
      <div class="row">
        <button type="button" onClick={cancel}>
          Stop
        </button>
      </div>
    </section>
  )
}

/** Seconds since then, drawn anew each second. */
const useSeconds = (started: number): number => {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000)
    return () => clearInterval(timer)
  }, [])
  return Math.max(0, Math.round((now - started) / 1000))
}
