import { useEffect, useState } from 'preact/hooks'
import { type ModelSource, type StoredModel, storedModels } from './folders.ts'
import { byteSize } from './format.ts'

interface Props {
  readonly verb: string
  readonly onPick: (source: ModelSource) => void
}

/** Models that this browser keeps: to open again without a network, or to throw away. */
export const StoredModels = ({ verb, onPick }: Props) => {
  const [models, setModels] = useState<readonly StoredModel[]>([])
  const look = (): void => {
    // Without private storage there is nothing to show.
    storedModels().then(setModels, () => setModels([]))
  }
  useEffect(look, [])
  if (models.length === 0) return null
  return (
    <section class="card">
      <h2>In this browser</h2>
      <ul class="stored">
        {models.map(({ source, about, bytes, remove }) => (
          <li key={`${about}/${source.name}`}>
            <span>
              {source.name}
              <small>
                {byteSize(bytes)}, {about}
              </small>
            </span>
            <button type="button" aria-label={`${verb}: ${source.name}`} onClick={() => onPick(source)}>
              {verb}
            </button>
            <button
              type="button"
              class="quiet"
              aria-label={`Delete ${source.name}`}
              onClick={() => remove().then(look)}
            >
              Delete
            </button>
          </li>
        ))}
      </ul>
    </section>
  )
}
