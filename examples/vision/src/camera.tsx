import { useEffect, useRef, useState } from 'preact/hooks'
import { messageOf } from '../../browser-shared/format.ts'
import { frameOf, type Picture } from './picture.ts'

interface Props {
  readonly onPicture: (picture: Picture) => void
  readonly onClose: () => void
}

const reasons: Readonly<Record<string, string>> = {
  NotAllowedError: 'This page may not use the camera: allow it in the browser, or choose a file.',
  NotFoundError: 'There is no camera. Choose a file.',
  NotReadableError: 'Another program is using the camera. Close it, or choose a file.',
}

/** What went wrong with a camera. Pages that are not https have no `mediaDevices` at all. */
const reasonOf = (error: unknown): string =>
  navigator.mediaDevices
    ? (reasons[(error as Error).name] ?? messageOf(error))
    : 'Browsers give a camera to pages behind https:// alone. Choose a file.'

/** The camera's view, and a button that takes a picture; the one at the back where there are two. */
export const Camera = ({ onPicture, onClose }: Props) => {
  const view = useRef<HTMLVideoElement>(null)
  const [problem, setProblem] = useState<string>()
  const [ready, setReady] = useState(false)

  useEffect(() => {
    let closed = false
    let stream: MediaStream | undefined
    const stop = (): void => {
      for (const track of stream?.getTracks() ?? []) track.stop()
    }
    const open = async (): Promise<void> => {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' }, audio: false })
      if (closed) return stop()
      view.current!.srcObject = stream
      await view.current!.play()
      setReady(true)
    }
    open().catch((error) => {
      if (!closed) setProblem(reasonOf(error))
    })
    return () => {
      closed = true
      stop()
    }
  }, [])

  const take = async (): Promise<void> => {
    onPicture(await frameOf(view.current!))
    onClose()
  }

  return (
    <>
      {problem ? (
        <p class="problem" role="alert">
          {problem}
        </p>
      ) : (
        <video ref={view} class="shown" muted playsInline aria-label="What the camera shows" />
      )}
      <div class="row">
        {!problem && (
          <button type="button" class="main" disabled={!ready} onClick={take}>
            Take the picture
          </button>
        )}
        <button type="button" onClick={onClose}>
          Close the camera
        </button>
      </div>
    </>
  )
}
