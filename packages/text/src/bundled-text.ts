/**
 * The calibration text that ships with this package, for use when no other is given: about 300 KB of web pages, stories,
 * technical prose, other languages and source code, enough for 128 blocks of 512 tokens with the usual vocabularies. MIT licence,
 * see bundled-text-data.LICENSE. Loaded and unpacked when called, so it costs nothing otherwise.
 */
export async function bundledText(): Promise<string> {
  const { packedText } = await import('./bundled-text-data.ts')
  const bytes = Uint8Array.from(atob(packedText), (character) => character.charCodeAt(0))
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))
  return new Response(unpacked).text()
}
