import { useEffect, useState } from 'preact/hooks'
import { FileButton, useDrop } from '../../browser-shared/files.tsx'
import example from '../kite.png'
import { Camera } from './camera.tsx'
import { type Picture, pictureAmong, pictureOf } from './picture.ts'

interface Props {
  readonly picture: Picture | undefined
  readonly onPicture: (picture: Picture) => void
}

const fetchExample = async (): Promise<Picture> => pictureOf(await (await fetch(example)).blob(), 'a kite over hills')

/** The picture, and the ways to another: the camera, a file, a drop, the clipboard. */
export const PicturePane = ({ picture, onPicture }: Props) => {
  const [camera, setCamera] = useState(false)
  const pick = (files: readonly File[]): void => {
    const picked = pictureAmong(files)
    if (!picked) return
    setCamera(false)
    onPicture(picked)
  }
  const over = useDrop(({ files }) => pick(files))
  useEffect(() => {
    const paste = (event: ClipboardEvent): void => {
      const files = [...(event.clipboardData?.files ?? [])]
      if (files.length === 0) return
      event.preventDefault()
      pick(files)
    }
    addEventListener('paste', paste)
    return () => removeEventListener('paste', paste)
  })

  return (
    <section class={`card picture ${over ? 'over' : ''}`} aria-label="Picture">
      {camera ? (
        <Camera onPicture={onPicture} onClose={() => setCamera(false)} />
      ) : (
        <>
          {picture ? (
            <img class="shown" src={picture.url} alt={picture.name} />
          ) : (
            <p class="lead">No picture yet. Drop or paste one here, or choose one.</p>
          )}
          <div class="row">
            <button type="button" onClick={() => setCamera(true)}>
              Use the camera
            </button>
            <FileButton label="Choose a picture" accept="image/*" onFiles={pick} />
            {!picture && (
              <button type="button" class="quiet" onClick={async () => onPicture(await fetchExample())}>
                Take the example
              </button>
            )}
          </div>
        </>
      )}
    </section>
  )
}
