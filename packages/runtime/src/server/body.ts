import { ApiError } from './api-error.ts'

/** Nesting of arrays and objects that a body may have. */
const maxDepth = 100

const tooLarge = (limit: number): ApiError =>
  new ApiError(413, `The body of the request is larger than the ${limit} bytes that this server takes.`, {
    code: 'request_too_large',
    headers: { connection: 'close' },
  })

const unparsable = (why: string): ApiError =>
  new ApiError(400, `The body of the request cannot be parsed as JSON: ${why}.`, { code: 'invalid_json' })

const isJson = (contentType: string | null): boolean => {
  if (contentType === null) return true
  const type = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  return type === 'application/json' || type.endsWith('+json')
}

/** What a body may take. */
export interface BodyLimits {
  readonly bytes: number
  /** Told of bytes before they are kept; throws where all requests together have too many. */
  readonly hold: (bytes: number) => void
}

/** The bytes of a body; more than there may be is a 413 as soon as it is known. */
const readBytes = async (request: Request, { bytes: limit, hold }: BodyLimits): Promise<Uint8Array> => {
  const announced = Number(request.headers.get('content-length') ?? '0')
  if (announced > limit) throw tooLarge(limit)
  const chunks: Uint8Array[] = []
  let size = 0
  const reader = request.body?.getReader()
  if (!reader) return new Uint8Array()
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    size += next.value.byteLength
    try {
      if (size > limit) throw tooLarge(limit)
      hold(next.value.byteLength)
    } catch (error) {
      // Nothing waits for what else comes: the answer closes the connection.
      reader.cancel().catch(() => {})
      throw error
    }
    chunks.push(next.value)
  }
  const bytes = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.byteLength
  }
  return bytes
}

const decode = (bytes: Uint8Array): string => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw unparsable('it is not valid UTF-8')
  }
}

/** Whether the brackets of a JSON text nest deeper than `limit`; those within strings do not count. */
const deeperThan = (text: string, limit: number): boolean => {
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) {
      for (at++; at < text.length && text.charCodeAt(at) !== 0x22; at++) if (text.charCodeAt(at) === 0x5c) at++
    } else if (code === 0x5b || code === 0x7b) {
      if (++depth > limit) return true
    } else if (code === 0x5d || code === 0x7d) depth--
  }
  return false
}

/**
 * The JSON value of a request's body.
 * @throws ApiError 413 past the limit, 429 where others have too many, 415 for another type than JSON (which a page of another origin could send without
 * asking), 400 for what is not UTF-8, not JSON or nested too deep
 */
export const readJson = async (request: Request, limits: BodyLimits): Promise<unknown> => {
  if (!isJson(request.headers.get('content-type'))) {
    throw new ApiError(415, 'The body of the request must be JSON: send the header Content-Type: application/json.', {
      code: 'unsupported_media_type',
    })
  }
  let bytes: Uint8Array
  try {
    bytes = await readBytes(request, limits)
  } catch (error) {
    if (error instanceof ApiError) throw error
    throw new ApiError(400, 'The body of the request ended before it was complete.', { code: 'incomplete_body' })
  }
  if (bytes.byteLength === 0) throw unparsable('it is empty')
  const text = decode(bytes)
  if (deeperThan(text, maxDepth)) throw unparsable(`it is nested deeper than ${maxDepth} levels`)
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw unparsable('it is not well-formed')
  }
}
