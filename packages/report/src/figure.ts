import { html, type Markup } from './html.ts'

/** What a figure shows: panels of the same axes under one caption. */
export interface FigureParts {
  readonly title: string
  /** What to read from it. */
  readonly caption: string
  readonly legend?: Markup | undefined
  readonly panels: readonly Markup[]
  /** Panels side by side on a wide page. */
  readonly columns: 2 | 3
}

/** A figure as a section of the page. */
export const figure = ({ title, caption, legend: key, panels, columns }: FigureParts): Markup =>
  html`<section><h2>${title}</h2><p class="caption">${caption}</p>${key}<div class="panels of-${columns}">${panels}</div></section>
`

/** What the colors of a figure mean. */
export const legend = (entries: readonly { readonly kind: string; readonly label: string }[]): Markup =>
  html`<p class="legend">${entries.map(({ kind, label }) => html`<span><i class="${kind}"></i>${label}</span>`)}</p>`
