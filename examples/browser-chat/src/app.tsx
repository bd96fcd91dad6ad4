import type { LoadEvent } from '@awq/runtime'
import { useState } from 'preact/hooks'
import { DeviceChoice } from '../../browser-shared/device-choice.tsx'
import type { ModelSource } from '../../browser-shared/folders.ts'
import { messageOf } from '../../browser-shared/format.ts'
import { Frame } from '../../browser-shared/frame.tsx'
import { likelyDevice, type Machine, type PageDevice } from '../../browser-shared/machine.ts'
import { type BundledModel, ModelPicker } from '../../browser-shared/model-picker.tsx'
import { type Chat, openChat } from './chat.ts'
import { Conversation } from './conversation.tsx'
import { Loading } from './loading.tsx'

type Screen =
  | { readonly at: 'start'; readonly failure?: string }
  | { readonly at: 'loading'; readonly name: string; readonly event?: LoadEvent; readonly cancel: () => void }
  | { readonly at: 'chat'; readonly chat: Chat }

const bundled: readonly BundledModel[] = [
  {
    folder: 'stories260k-4bit',
    weights: ['model.safetensors', 'quantization.json'],
    title: 'A teller of little stories',
    about: 'Comes with this page: 260,000 parameters in 4 bits, 245 kB. It continues what you begin.',
  },
]

/** The page: choose a model, see it load, talk to it. */
export const App = ({ machine, offline }: { readonly machine: Machine; readonly offline: boolean }) => {
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
      const chat = await openChat(source, { device, signal, onProgress })
      setScreen({ at: 'chat', chat })
    } catch (error) {
      setScreen(signal.aborted ? { at: 'start' } : { at: 'start', failure: messageOf(error) })
    }
  }
  const close = async ({ model }: Chat): Promise<void> => {
    setScreen({ at: 'start' })
    await model.dispose()
  }

  return (
    <Frame
      title="awq chat"
      offline={offline}
      tools={
        screen.at === 'chat' && (
          <button type="button" class="quiet" onClick={() => close(screen.chat)}>
            Other model
          </button>
        )
      }
    >
      {screen.at === 'start' && (
        <>
          <h1>Talk to a language model that runs in this tab</h1>
          <p class="lead">The model is loaded into your browser. What you write stays on this machine.</p>
          {screen.failure && (
            <div class="note" role="alert">
              <b>The model did not load.</b>
              <span>{screen.failure}</span>
            </div>
          )}
          <DeviceChoice machine={machine} value={device} onChange={setDevice} />
          <ModelPicker bundled={bundled} verb="Chat" onPick={open} />
        </>
      )}
      {screen.at === 'loading' && <Loading {...screen} />}
      {screen.at === 'chat' && <Conversation chat={screen.chat} />}
    </Frame>
  )
}
