import { AwqError, type ByteSource } from '@awq/tensor'

const chunkBytes = 2 ** 20

/** Options of everything that reads a file. */
export interface ReadTextOptions {
  readonly signal?: AbortSignal | undefined
}

/**
 * The text of a source in pieces of about 1 MiB, decoded as UTF-8: a byte-order mark is dropped, and `\r\n` and `\r` become `\n`
 * as when Python opens a text file (so token ids agree with tools that read it there). A gzip file is unpacked on the way.
 * Throws `AwqError` INVALID_FILE, before anything is given out for that piece, for a NUL byte or bytes that are not UTF-8.
 */
export async function* textChunks(source: ByteSource, options: ReadTextOptions = {}): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let offset = 0
  let heldReturn = ''
  const decode = (bytes?: Uint8Array): string => {
    try {
      return bytes ? decoder.decode(bytes, { stream: true }) : decoder.decode()
    } catch (cause) {
      throw notText(source.name, `bytes that are not UTF-8 near offset ${offset}`, cause)
    }
  }
  for await (const bytes of byteChunks(source, options)) {
    if (offset === 0) refuseOtherEncodings(source.name, bytes)
    const nul = bytes.indexOf(0)
    if (nul !== -1) throw notText(source.name, `a NUL byte at offset ${offset + nul}`)
    // A "\r" at the end waits for the "\n" that may follow it.
    const text = heldReturn + decode(bytes)
    offset += bytes.length
    heldReturn = text.endsWith('\r') ? '\r' : ''
    yield unixLines(heldReturn === '' ? text : text.slice(0, -1))
  }
  yield unixLines(heldReturn + decode())
}

/**
 * The lines of a source without their ends, numbered from 1. Throws as `textChunks` does, and INVALID_FILE for a line of more
 * than 256 Mi characters.
 */
export async function* textLines(
  source: ByteSource,
  options: ReadTextOptions = {},
): AsyncGenerator<{ readonly number: number; readonly text: string }> {
  let rest: string[] = []
  let restLength = 0
  let number = 0
  for await (const chunk of textChunks(source, options)) {
    let start = 0
    for (let end = chunk.indexOf('\n'); end !== -1; end = chunk.indexOf('\n', start)) {
      rest.push(chunk.slice(start, end))
      yield { number: ++number, text: rest.join('') }
      rest = []
      restLength = 0
      start = end + 1
    }
    rest.push(chunk.slice(start))
    restLength += chunk.length - start
    if (restLength > maxLineLength) {
      throw new AwqError('INVALID_FILE', `${source.name} line ${number + 1} is longer than ${maxLineLength} characters`)
    }
  }
  const last = rest.join('')
  if (last !== '') yield { number: ++number, text: last }
}

const maxLineLength = 256 * 2 ** 20

const unixLines = (text: string): string => (text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text)

async function* byteChunks(source: ByteSource, { signal }: ReadTextOptions): AsyncGenerator<Uint8Array> {
  const raw = async function* () {
    for (let offset = 0; offset < source.size; offset += chunkBytes) {
      signal?.throwIfAborted()
      const length = Math.min(chunkBytes, source.size - offset)
      yield await source.read(offset, length, { signal })
    }
  }
  const magic = await source.read(0, Math.min(4, source.size))
  if (magic[0] === 0x1f && magic[1] === 0x8b) yield* unpackGzip(raw(), source.name)
  else yield* raw()
}

async function* unpackGzip(packed: AsyncGenerator<Uint8Array>, name: string): AsyncGenerator<Uint8Array> {
  const input = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const { done, value } = await packed.next()
      if (done) controller.close()
      else controller.enqueue(value as Uint8Array<ArrayBuffer>)
    },
  })
  const reader = input.pipeThrough(new DecompressionStream('gzip')).getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } catch (cause) {
    if (AwqError.is(cause)) throw cause
    throw new AwqError('INVALID_FILE', `${name} is a damaged gzip file; download it again`, { cause })
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}

function notText(name: string, found: string, cause?: unknown): AwqError {
  return new AwqError(
    'INVALID_FILE',
    `${name} is a binary file (it has ${found}); give UTF-8 text, JSON, JSONL or parquet`,
    { cause },
  )
}

function refuseOtherEncodings(name: string, bytes: Uint8Array): void {
  const [a, b, c, d] = bytes
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) {
    throw new AwqError('INVALID_FILE', `${name} is UTF-16 text; save it as UTF-8`)
  }
  if (a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd) {
    throw new AwqError('UNSUPPORTED', `${name} is compressed by Zstandard; unpack it first (zstd -d)`)
  }
}
