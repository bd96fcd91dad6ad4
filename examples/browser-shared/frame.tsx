import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { keepEngine } from './offline.ts'

interface Props {
  readonly title: string
  /** That a service worker can keep the page for use without a network. */
  readonly offline: boolean
  /** What stands at the right of the head. */
  readonly tools?: ComponentChildren
  readonly children: ComponentChildren
}

/** Head and body of a page. */
export const Frame = ({ title, offline, tools, children }: Props) => {
  const [kept, setKept] = useState(false)
  useEffect(() => {
    if (offline) void keepEngine().then(setKept)
  }, [offline])
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <header class="head">
        <span class="brand">{title}</span>
        {kept && <span class="badge">works offline</span>}
        <span class="space" />
        {tools}
        <ThemeButton />
      </header>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
    </>
  )
}

const dark = matchMedia('(prefers-color-scheme: dark)')
const shown = (): string => document.documentElement.dataset.theme ?? (dark.matches ? 'dark' : 'light')

/** Puts on what was chosen at another visit; without a choice the page is as the system is. */
export const rememberTheme = (): void => {
  const theme = localStorage.getItem('theme')
  if (theme) document.documentElement.dataset.theme = theme
}

const ThemeButton = () => {
  const [theme, setTheme] = useState(shown)
  const other = theme === 'dark' ? 'light' : 'dark'
  const change = (): void => {
    document.documentElement.dataset.theme = other
    localStorage.setItem('theme', other)
    setTheme(other)
  }
  return (
    <button type="button" class="quiet" onClick={change} aria-label={`Use ${other} colours`}>
      <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
        {theme === 'dark' ? (
          <path d="M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6 19 19M19 5l-1.4 1.4M6.4 17.6 5 19" />
        ) : (
          <path d="M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5" />
        )}
      </svg>
    </button>
  )
}
