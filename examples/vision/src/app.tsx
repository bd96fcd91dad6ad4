import type { Machine } from '../../browser-shared/machine.ts'
import { ModelPage } from '../../browser-shared/model-page.tsx'
import type { BundledModel } from '../../browser-shared/model-picker.tsx'
import { Looking } from './looking.tsx'

const bundled: readonly BundledModel[] = [
  {
    folder: 'tiny-smolvlm',
    weights: ['model.safetensors', 'preprocessor_config.json', 'processor_config.json'],
    title: 'A toy with the parts of SmolVLM',
    about:
      'Comes with this page: 85 kB of random numbers in place of weights. It sees, and what it says of a picture is noise. ' +
      'For answers, bring a model that was trained: SmolVLM, Qwen2.5-VL, Gemma 3, LLaVA.',
  },
]

/** The page: choose a model, show it a picture, ask. */
export const App = (place: { readonly machine: Machine; readonly offline: boolean }) => (
  <ModelPage
    {...place}
    title="awq vision"
    heading="Ask a model in this tab about a picture"
    lead="The model is loaded into your browser. Pictures and questions stay on this machine."
    bundled={bundled}
    verb="Look"
    refuse={({ name, model }) =>
      model.sees ? undefined : `${name} reads text alone. Choose one that sees, such as SmolVLM or Qwen2.5-VL.`
    }
  >
    {(opened) => <Looking opened={opened} />}
  </ModelPage>
)
