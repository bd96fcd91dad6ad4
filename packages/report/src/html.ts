/**
 * HTML from templates that escape whatever is put into them.
 * @module
 */

/** The key that marks markup; parsed JSON has no symbols, so no record can pass for it. */
const MARKUP = Symbol('markup')

/** Text that is HTML already. */
export interface Markup {
  readonly [MARKUP]: string
}

/** What a template takes: markup as it is, text and numbers escaped, lists one after the other, nothing for the rest. */
export type Piece = Markup | string | number | readonly Piece[] | undefined | null | false

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Text as HTML shows it, in elements and in quoted attributes; control characters, which HTML forbids, become U+FFFD. */
export const escapeHtml = (text: string): string =>
  text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ud800-\udfff]/gu, '\ufffd')
    .replace(/[&<>"']/g, (character) => ENTITIES[character]!)

const textOf = (piece: Piece): string => {
  if (piece === undefined || piece === null || piece === false) return ''
  if (Array.isArray(piece)) return piece.map(textOf).join('')
  if (typeof piece === 'object' && MARKUP in piece) return piece[MARKUP]
  return escapeHtml(String(piece))
}

/** Markup from a template. Attribute values must stand in quotes. */
export const html = (strings: TemplateStringsArray, ...pieces: readonly Piece[]): Markup => ({
  [MARKUP]: strings.reduce((text, part, index) => text + textOf(pieces[index - 1]) + part),
})

/** A text of the program's own as markup; nothing of a record may come here. */
export const ownMarkup = (text: string): Markup => ({ [MARKUP]: text })

/** The text of markup. */
export const markupText = (markup: Markup): string => markup[MARKUP]
