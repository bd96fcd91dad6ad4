import { useMoment } from './hooks.ts'
import { Icon } from './icon.tsx'

/** Puts a text on the clipboard, on pages without `navigator.clipboard` (those of plain http) too. */
export const copyText = async (text: string): Promise<boolean> => {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    const active = document.activeElement
    const area = document.createElement('textarea')
    area.value = text
    area.className = 'hidden'
    document.body.append(area)
    area.select()
    const done = document.execCommand('copy')
    area.remove()
    if (active instanceof HTMLElement) active.focus()
    return done
  }
}

/** A button that copies a text and says so. */
export const CopyButton = ({ text, what }: { text: string; what: string }) => {
  const [copied, begin] = useMoment()
  return (
    <button
      type="button"
      class="quiet"
      title={`Copy the ${what}`}
      onClick={() => void copyText(text).then((done) => done && begin())}
    >
      <Icon name={copied ? 'done' : 'copy'} />
      <span aria-live="polite">{copied ? 'Copied' : 'Copy'}</span>
      <span class="hidden"> {what}</span>
    </button>
  )
}
