import { createServer as createHttpServer } from 'node:http'
import type { ServerOptions } from './create-server.ts'
import { createKeyCheck } from './keys.ts'
import { listen } from './listen.ts'
import { settingsWithoutModels } from './settings.ts'

/**
 * Refuses what `createServer` would refuse: for a program that loads its models first, which takes long. The address is
 * listened at for a moment.
 * @throws AwqError as `createServer`
 */
export const checkServer = async (options: Omit<ServerOptions, 'models'>): Promise<void> => {
  const { host = '127.0.0.1', port = 8080, apiKeys = [] } = options
  settingsWithoutModels(options)
  createKeyCheck(apiKeys)
  const server = createHttpServer()
  await listen(server, host, port)
  await new Promise((resolve) => server.close(resolve))
}
