import { hubModel } from '@awq/tensor/browser'
import { useId, useState } from 'preact/hooks'
import { FileButton, useDrop } from './files.tsx'
import { addressSource, bundledSource, filesSource, type ModelSource } from './folders.ts'
import { StoredModels } from './stored-models.tsx'

/** A model that comes with the page. */
export interface BundledModel {
  /** Folder below `models/`. */
  readonly folder: string
  /** Its files beside configuration and tokenizer. */
  readonly weights: readonly string[]
  readonly title: string
  readonly about: string
}

interface Props {
  readonly bundled: readonly BundledModel[]
  /** What the button says: "Chat", "Quantize". */
  readonly verb: string
  readonly onPick: (source: ModelSource) => void
}

/** The ways to a model: one that comes with the page, a folder of this machine, an address. */
export const ModelPicker = ({ bundled, verb, onPick }: Props) => {
  const [address, setAddress] = useState('')
  const [problem, setProblem] = useState<string>()
  const ids = { address: useId(), problem: useId() }
  const over = useDrop(({ files, folder }) => pickFiles(files, folder))

  const pickFiles = (files: readonly File[], folder?: string): void => {
    if (files.length > 0) onPick(filesSource(files, folder))
  }
  const pickAddress = (event: Event): void => {
    event.preventDefault()
    try {
      const text = address.trim()
      onPick(addressSource(hubModel(text) ? text : new URL(text).href))
    } catch {
      setProblem(
        'That is neither a name (ORG/NAME) nor an address: one begins with https:// and names the folder that has the model’s config.json.',
      )
    }
  }

  return (
    <div class="picker">
      {bundled.map(({ folder, weights, title, about }) => (
        <section class="card" key={folder}>
          <h2>{title}</h2>
          <p>{about}</p>
          <button type="button" class="main" onClick={() => onPick(bundledSource(folder, weights))}>
            {verb}
          </button>
        </section>
      ))}
      <StoredModels verb={verb} onPick={onPick} />
      <section class={`card drop ${over ? 'over' : ''}`}>
        <h2>A model on this machine</h2>
        <p>
          A folder as Hugging Face has it: config.json, tokenizer.json, .safetensors files. Drop it anywhere here, or
          choose it.
        </p>
        <div class="row">
          <FileButton label="Choose a folder" folder onFiles={pickFiles} />
          <FileButton label="Choose files" onFiles={pickFiles} />
        </div>
      </section>
      <section class="card">
        <h2>A model from the web</h2>
        <p>Its name on Hugging Face, ORG/NAME, or the address of such a folder on any server.</p>
        <form onSubmit={pickAddress}>
          <label class="hidden" for={ids.address}>
            Name or address
          </label>
          <div class="row">
            <input
              id={ids.address}
              type="text"
              autocapitalize="off"
              spellcheck={false}
              inputMode="url"
              placeholder="ORG/NAME or https://…"
              value={address}
              aria-invalid={problem !== undefined}
              aria-describedby={problem ? ids.problem : undefined}
              onInput={(event) => {
                setAddress(event.currentTarget.value)
                setProblem(undefined)
              }}
            />
            <button type="submit" disabled={address.trim() === ''}>
              {verb}
            </button>
          </div>
          {problem && (
            <p id={ids.problem} class="problem">
              {problem}
            </p>
          )}
        </form>
      </section>
    </div>
  )
}
