import type { Machine } from '../../browser-shared/machine.ts'
import { ModelPage } from '../../browser-shared/model-page.tsx'
import type { BundledModel } from '../../browser-shared/model-picker.tsx'
import { Conversation } from './conversation.tsx'

const bundled: readonly BundledModel[] = [
  {
    folder: 'stories260k-4bit',
    weights: ['model.safetensors', 'quantization.json'],
    title: 'A teller of little stories',
    about: 'Comes with this page: 260,000 parameters in 4 bits, 245 kB. It continues what you begin.',
  },
]

/** The page: choose a model, see it load, talk to it. */
export const App = (place: { readonly machine: Machine; readonly offline: boolean }) => (
  <ModelPage
    {...place}
    title="awq chat"
    heading="Talk to a language model that runs in this tab"
    lead="The model is loaded into your browser. What you write stays on this machine."
    bundled={bundled}
    verb="Chat"
  >
    {(opened) => <Conversation chat={opened} />}
  </ModelPage>
)
