import type { LoadEvent } from '@awq/runtime'
import { byteSize } from './format.ts'
import { Progress } from './progress.tsx'

const labels: Record<string, string> = {
  open: 'Reading what the model is made of',
  check: 'Trying whether the device computes right',
  load: 'Handing the weights to ONNX Runtime',
  ready: 'Ready',
}

interface Props {
  readonly name: string
  readonly event?: LoadEvent
  readonly cancel: () => void
}

/** A model on its way. */
export const Loading = ({ name, event, cancel }: Props) => (
  <section class="loading" aria-busy="true">
    <h1>Loading {name}</h1>
    {event?.stage === 'download' ? (
      <Progress
        label={`Downloading ${event.file}`}
        share={event.loaded / event.total}
        note={`${byteSize(event.loaded)} of ${byteSize(event.total)}`}
      />
    ) : (
      <Progress label={labels[event?.stage ?? 'open'] ?? event!.stage} />
    )}
    <button type="button" onClick={cancel}>
      Cancel
    </button>
  </section>
)
