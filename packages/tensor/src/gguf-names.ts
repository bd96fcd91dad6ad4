/** The number of a piece and of all pieces in the name of a file that a large GGUF file was cut into. */
const piece = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/

/** What a file's name says of the pieces that a large GGUF file was cut into; undefined for a file that is whole. */
export function ggufPiece(file: string): { readonly title: string; readonly count: number } | undefined {
  const [, title, , count] = piece.exec(file) ?? []
  return title === undefined ? undefined : { title, count: Number(count) }
}

/** The GGUF files among others, those with a vision model's projection left out: they hold no language model. */
export const ggufNames = (files: readonly string[]): string[] =>
  files.filter((file) => file.endsWith('.gguf') && !/(^|\/)mmproj[^/]*$/i.test(file))

/** The file itself, or all pieces of what it is a piece of, as far as they are among `files`. */
export function ggufSiblings(file: string, files: readonly string[]): string[] {
  const own = ggufPiece(file)
  if (own === undefined) return files.includes(file) ? [file] : []
  return files.filter((other) => {
    const found = ggufPiece(other)
    return found?.title === own.title && found.count === own.count
  })
}
