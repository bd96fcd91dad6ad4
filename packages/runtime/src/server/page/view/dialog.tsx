import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'
import { Icon } from './icon.tsx'

/** What a dialog needs. */
export interface DialogProps {
  readonly title: string
  readonly side: 'left' | 'right'
  readonly onClose: () => void
  readonly children: ComponentChildren
}

/** A drawer over the page; the browser keeps the focus in it, closes it on Escape and gives the focus back. */
export const Dialog = ({ title, side, onClose, children }: DialogProps) => {
  const dialog = useRef<HTMLDialogElement>(null)
  useLayoutEffect(() => {
    const element = dialog.current
    element?.showModal()
    return () => element?.close()
  }, [])
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape and the button close it as well
    <dialog
      ref={dialog}
      class={`drawer ${side}`}
      aria-labelledby={`${side}-title`}
      onClose={onClose}
      onClick={(event) => event.target === dialog.current && onClose()}
    >
      <div class="drawer-body">
        <header class="drawer-head">
          <h2 id={`${side}-title`}>{title}</h2>
          <button type="button" class="icon-button" title="Close" onClick={onClose}>
            <Icon name="close" />
            <span class="hidden">Close</span>
          </button>
        </header>
        {children}
      </div>
    </dialog>
  )
}
