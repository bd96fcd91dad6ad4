import type { LoadEvent } from '@awq/runtime'
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { DeviceChoice } from './device-choice.tsx'
import type { ModelSource } from './folders.ts'
import { messageOf } from './format.ts'
import { Frame } from './frame.tsx'
import { Loading } from './loading.tsx'
import { likelyDevice, type Machine, type PageDevice } from './machine.ts'
import { type BundledModel, ModelPicker } from './model-picker.tsx'
import { openPageModel, type PageModel } from './page-model.ts'

type Screen =
  | { readonly at: 'start'; readonly failure?: string }
  | { readonly at: 'loading'; readonly name: string; readonly event?: LoadEvent; readonly cancel: () => void }
  | { readonly at: 'open'; readonly opened: PageModel }

interface Props {
  readonly machine: Machine
  readonly offline: boolean
  readonly title: string
  readonly heading: string
  readonly lead: string
  readonly bundled: readonly BundledModel[]
  /** What the buttons of models say. */
  readonly verb: string
  /** Why a model is not one for this page, if it is not. */
  readonly refuse?: (opened: PageModel) => string | undefined
  /** The page of a model. */
  readonly children: (opened: PageModel) => ComponentChildren
}

/** A page about one model: choose it, see it load, use it. */
export const ModelPage = (props: Props) => {
  const { machine, offline, title, heading, lead, bundled, verb, refuse, children } = props
  const [device, setDevice] = useState<PageDevice>(likelyDevice(machine))
  const [screen, setScreen] = useState<Screen>({ at: 'start' })

  const open = async (source: ModelSource): Promise<void> => {
    const { name } = source
    const stop = new AbortController()
    const { signal } = stop
    const cancel = () => stop.abort()
    setScreen({ at: 'loading', name, cancel })
    try {
      const onProgress = (event: LoadEvent) => setScreen({ at: 'loading', name, event, cancel })
      const opened = await openPageModel(source, { device, signal, onProgress })
      const failure = refuse?.(opened)
      if (failure !== undefined) await opened.model.dispose()
      setScreen(failure === undefined ? { at: 'open', opened } : { at: 'start', failure })
    } catch (error) {
      setScreen(signal.aborted ? { at: 'start' } : { at: 'start', failure: messageOf(error) })
    }
  }
  const close = async ({ model }: PageModel): Promise<void> => {
    setScreen({ at: 'start' })
    await model.dispose()
  }

  return (
    <Frame
      title={title}
      offline={offline}
      tools={
        screen.at === 'open' && (
          <button type="button" class="quiet" onClick={() => close(screen.opened)}>
            Other model
          </button>
        )
      }
    >
      {screen.at === 'start' && (
        <>
          <h1>{heading}</h1>
          <p class="lead">{lead}</p>
          {screen.failure && (
            <div class="note" role="alert">
              <b>The model did not load.</b>
              <span>{screen.failure}</span>
            </div>
          )}
          <DeviceChoice machine={machine} value={device} onChange={setDevice} />
          <ModelPicker bundled={bundled} verb={verb} onPick={open} />
        </>
      )}
      {screen.at === 'loading' && <Loading {...screen} />}
      {screen.at === 'open' && children(screen.opened)}
    </Frame>
  )
}
