import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { AwqError } from '@awq/tensor'

/** Resolves with the port when a server listens. @throws AwqError IO for an address that cannot be listened at */
export const listen = async (server: Server, host: string, port: number): Promise<number> => {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EADDRINUSE' ? 'another program listens there; choose another port' : cause.message
      reject(new AwqError('IO', `Cannot listen on ${host}:${port}: ${why}.`, { cause }))
    })
    server.listen(port, host, resolve)
  })
  return (server.address() as AddressInfo).port
}
