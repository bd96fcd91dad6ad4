/**
 * Images from the network: of hosts that are allowed, of the size and in the time that are allowed.
 * @module
 */
import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { type HostCheck, isNamedByAddress } from './allowed-hosts.ts'
import { lookUpPublic, PrivateAddress } from './public-addresses.ts'

/** What a download does not go beyond. */
export interface DownloadLimits {
  readonly bytes: number
  readonly seconds: number
  readonly allowed: HostCheck
  readonly signal: AbortSignal
}

/** Why there is no image, in words for whoever asked for it. */
export class DownloadFailure extends Error {}

/** Answers that lead elsewhere, one after the other. */
const mostRedirects = 3

/** Types of what may be an image; object stores that were not told the type send the others. */
const isImageType = (type: string | undefined): boolean =>
  /^(image\/[\w.+-]+|application\/octet-stream|binary\/octet-stream)\s*(;|$)/i.test(type ?? '')

/** A URL that is allowed. @throws DownloadFailure */
export const allowedUrl = (text: string, base: URL | undefined, allowed: HostCheck): URL => {
  const url = URL.parse(text, base?.href)
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new DownloadFailure('it is neither a data URL nor one of http or https')
  if (url.username !== '' || url.password !== '') throw new DownloadFailure('it has a name or a password in it')
  if (!allowed(url))
    throw new DownloadFailure(`${url.host} is not among the hosts that this server fetches images from`)
  return url
}

const send = (url: URL, signal: AbortSignal): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const request: ClientRequest = (url.protocol === 'https:' ? requestHttps : requestHttp)(
      url,
      {
        // A connection of its own: one that others made may lead elsewhere.
        agent: false,
        signal,
        headers: { accept: 'image/*', 'accept-encoding': 'identity', 'user-agent': 'awq' },
        ...(isNamedByAddress(url.hostname) ? {} : { lookup: lookUpPublic }),
      },
      resolve,
    )
    request.on('error', reject)
    request.end()
  })

const readBody = async (response: IncomingMessage, most: number): Promise<Uint8Array> => {
  const tooLarge = (): DownloadFailure =>
    new DownloadFailure(`it is larger than the ${most} bytes that are left for it`)
  if (Number(response.headers['content-length'] ?? 0) > most) throw tooLarge()
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > most) throw tooLarge()
    chunks.push(chunk)
  }
  if (!response.complete) throw new DownloadFailure('its host broke off')
  return Buffer.concat(chunks)
}

const download = async (
  first: string,
  { bytes, allowed }: DownloadLimits,
  signal: AbortSignal,
): Promise<Uint8Array> => {
  let url = allowedUrl(first, undefined, allowed)
  for (let redirects = 0; ; redirects++) {
    const response = await send(url, signal)
    try {
      const { statusCode = 0, headers } = response
      if (statusCode >= 300 && statusCode < 400 && headers.location !== undefined) {
        if (redirects === mostRedirects)
          throw new DownloadFailure(`it leads to another place more than ${redirects} times`)
        url = allowedUrl(headers.location, url, allowed)
        continue
      }
      if (statusCode !== 200) throw new DownloadFailure(`its host answers with ${statusCode}`)
      if (!isImageType(headers['content-type'])) throw new DownloadFailure('its host says that it is no image')
      if ((headers['content-encoding'] ?? 'identity') !== 'identity')
        throw new DownloadFailure('its host sends it compressed, which was not asked for')
      return await readBody(response, bytes)
    } finally {
      response.destroy()
    }
  }
}

/**
 * The bytes behind a URL of http or https. Each address on the way is of an allowed host, and of the internet unless the list
 * names it by its address or as localhost.
 * @throws DownloadFailure saying why there are none; the reason of the signal
 */
export const downloadImage = async (url: string, limits: DownloadLimits): Promise<Uint8Array> => {
  const time = AbortSignal.timeout(limits.seconds * 1000)
  try {
    return await download(url, limits, AbortSignal.any([limits.signal, time]))
  } catch (error) {
    limits.signal.throwIfAborted()
    if (error instanceof DownloadFailure) throw error
    if (time.aborted) throw new DownloadFailure(`it took longer than ${limits.seconds} seconds`)
    if (error instanceof PrivateAddress) throw new DownloadFailure('its host is in a private network')
    throw new DownloadFailure('its host cannot be reached')
  }
}
