import { ApiError } from './api-error.ts'

/** `[::1]:8080` -> `[::1]`; `Example.com.:80` -> `example.com`. */
const nameOf = (host: string): string => host.replace(/:\d*$/, '').replace(/\.$/, '').toLowerCase()

/** Whether an address to listen at is of this machine alone. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)

/** Names of this machine that a page of another host cannot have. */
export const loopbackHosts = (host: string): readonly string[] => ['127.0.0.1', 'localhost', '[::1]', host]

/**
 * A check of the header `Host`: a page whose name was made to point at this machine (DNS rebinding) sends its own name.
 * Undefined allows every name.
 */
export const createHostCheck = (hosts: readonly string[] | undefined): ((host: string | null) => void) => {
  const allowed = hosts && new Set(hosts.map(nameOf))
  return (host) => {
    if (!allowed || host === null || allowed.has(nameOf(host))) return
    throw new ApiError(403, 'This server does not answer to that host name.', {
      type: 'permission_error',
      code: 'host_not_allowed',
    })
  }
}
