import type { QuantizeResult } from '@awq/core'
import type { Folder } from '@awq/tensor'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Conversation } from '../../browser-chat/src/conversation.tsx'
import type { ModelSource } from '../../browser-shared/folders.ts'
import { messageOf } from '../../browser-shared/format.ts'
import { Frame } from '../../browser-shared/frame.tsx'
import { likelyDevice, type Machine, type PageDevice } from '../../browser-shared/machine.ts'
import { type BundledModel, ModelPicker } from '../../browser-shared/model-picker.tsx'
import { openPageModel, type PageModel } from '../../browser-shared/page-model.ts'
import { Progress } from '../../browser-shared/progress.tsx'
import { type ModelFacts, readFacts } from './model-facts.ts'
import { Outcome } from './outcome.tsx'
import { lookAtOutput, quantizeModel } from './quantizer.ts'
import { noEvents, type RunState, withEvent } from './run-state.ts'
import { Running } from './running.tsx'
import { forgetRun, keepRun, outputName, type Settings } from './settings.ts'
import { Setup } from './setup.tsx'

/** A model that was chosen. */
export interface Chosen {
  readonly name: string
  readonly folder: Folder
  readonly facts: ModelFacts
}

/** What a person asked for. */
export interface Order {
  readonly settings: Settings
  readonly device: PageDevice
  readonly texts: readonly string[] | undefined
}

type Screen =
  | { readonly at: 'chat'; readonly chat: PageModel; readonly back: Screen }
  | { readonly at: 'loading'; readonly name: string }
  | { readonly at: 'start'; readonly failure?: string }
  | { readonly at: 'reading'; readonly name: string }
  | { readonly at: 'setup'; readonly model: Chosen; readonly failure?: string }
  | {
      readonly at: 'running'
      readonly model: Chosen
      readonly order: Order
      readonly run: RunState
      readonly started: number
      readonly cancel: () => void
    }
  | {
      readonly at: 'done'
      readonly model: Chosen
      readonly order: Order
      readonly run: RunState
      readonly result: QuantizeResult
    }

const bundled: readonly BundledModel[] = [
  {
    folder: 'stories260k',
    weights: ['model.safetensors'],
    title: 'A teller of little stories',
    about: 'Comes with this page: 260,000 parameters, 1 MB. Quantized in less than a minute, to see how it goes.',
  },
]

/** The page: choose a model, say how, see it happen, see what became of it. */
export const App = ({ machine, offline }: { readonly machine: Machine; readonly offline: boolean }) => {
  const [device, setDevice] = useState<PageDevice>(likelyDevice(machine))
  const [screen, setScreen] = useState<Screen>({ at: 'start' })
  const shown = useRef(screen.at)
  useEffect(() => {
    // What was pressed is gone with its screen: the keyboard goes on at the top of the new one.
    if (shown.current !== screen.at) document.getElementById('main')?.focus()
    shown.current = screen.at
  }, [screen.at])

  const pick = async (source: ModelSource): Promise<void> => {
    const { name } = source
    setScreen({ at: 'reading', name })
    try {
      const folder = await source.open()
      setScreen({ at: 'setup', model: { name, folder, facts: await readFacts(folder) } })
    } catch (error) {
      setScreen({ at: 'start', failure: messageOf(error) })
    }
  }

  const start = async (model: Chosen, order: Order): Promise<void> => {
    const { settings, texts } = order
    const output = outputName(model.name, settings)
    const stop = new AbortController()
    const { signal } = stop
    let run = noEvents
    const show = (): void => setScreen({ at: 'running', model, order, run, started, cancel: () => stop.abort() })
    const started = Date.now()
    show()
    try {
      const { state } = await lookAtOutput(output)
      keepRun(output, settings)
      const result = await quantizeModel({
        ...{ folder: model.folder, output, settings, device: order.device, texts, signal },
        resume: state === 'unfinished',
        onProgress: (event) => {
          run = withEvent(run, event)
          show()
        },
      })
      forgetRun(output)
      setScreen({ at: 'done', model, order, run, result })
    } catch (error) {
      setScreen(signal.aborted ? { at: 'setup', model } : { at: 'setup', model, failure: messageOf(error) })
    }
  }

  const talk = async (source: ModelSource, back: Screen): Promise<void> => {
    setScreen({ at: 'loading', name: source.name })
    try {
      const { signal } = new AbortController()
      setScreen({ at: 'chat', back, chat: await openPageModel(source, { device, signal, onProgress: () => {} }) })
    } catch (error) {
      setScreen({ at: 'start', failure: messageOf(error) })
    }
  }
  const leave = async ({ model }: PageModel, back: Screen): Promise<void> => {
    setScreen(back)
    await model.dispose()
  }
  const again = () => setScreen({ at: 'start' })
  return (
    <Frame
      title="awq quantizer"
      offline={offline}
      tools={
        <>
          {(screen.at === 'setup' || screen.at === 'done') && (
            <button type="button" class="quiet" onClick={again}>
              Other model
            </button>
          )}
          {screen.at === 'chat' && (
            <button type="button" class="quiet" onClick={() => leave(screen.chat, screen.back)}>
              Back
            </button>
          )}
        </>
      }
    >
      {screen.at === 'start' && (
        <>
          <h1>Make a 4-bit model in this tab</h1>
          <p class="lead">
            AWQ finds which weights matter most to the text a model writes, and rounds the others with care. It all
            happens in your browser: no server sees the model.
          </p>
          {screen.failure && (
            <div class="note" role="alert">
              <b>This model cannot be quantized.</b>
              <span>{screen.failure}</span>
            </div>
          )}
          <ModelPicker bundled={bundled} verb="Quantize" onPick={pick} />
        </>
      )}
      {screen.at === 'loading' && <Progress label={`Loading ${screen.name}`} />}
      {screen.at === 'chat' && <Conversation chat={screen.chat} />}
      {screen.at === 'reading' && <Progress label={`Reading what ${screen.name} is made of`} />}
      {screen.at === 'setup' && (
        <Setup
          {...screen}
          machine={machine}
          device={device}
          onDevice={setDevice}
          onStart={(order) => start(screen.model, order)}
        />
      )}
      {screen.at === 'running' && <Running {...screen} />}
      {screen.at === 'done' && <Outcome {...screen} onChat={(source) => talk(source, screen)} />}
    </Frame>
  )
}
