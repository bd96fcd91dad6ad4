import { AwqError } from '@awq/tensor'
import type { LanguageModel } from '../language-model.ts'
import { createHostList, type HostCheck } from './images/allowed-hosts.ts'
import type { Logger } from './log.ts'
import { createRegistry, type ModelRegistry } from './registry.ts'

/** What a server does not go beyond. */
export interface ServerLimits {
  /** Bytes of a request's body, and of the images that are fetched for it; 32 MiB by default. */
  readonly bodyBytes?: number | undefined
  /** Bytes of all bodies that are being answered; further requests get 429. 256 MiB by default. */
  readonly allBodiesBytes?: number | undefined
  /** Images of a request; 16 by default. */
  readonly images?: number | undefined
  /** Pixels of the images of a request, together; 32 Mi by default. */
  readonly imagePixels?: number | undefined
  /** Seconds in which an image must be fetched; 20 by default. */
  readonly imageSeconds?: number | undefined
  /** New tokens of one answer: asked for more, the server gives so many; no limit but the context by default. */
  readonly maxTokens?: number | undefined
  /** Answers of one request, `n` times its prompts; 128 by default. */
  readonly maxChoices?: number | undefined
  /** Requests at a time, those that wait included; further ones get 429. 1024 by default. */
  readonly maxRequests?: number | undefined
  /** Seconds from the beginning of a request to the end of its answer; 600 by default. */
  readonly requestSeconds?: number | undefined
  /** Seconds in which a stream's reader must take something while there is something for it; 30 by default. */
  readonly stallSeconds?: number | undefined
}

/** How a server answers. */
export interface HandlerOptions {
  /** The models: a registry, or loaded models by the names that requests call them. */
  readonly models: ModelRegistry | Readonly<Record<string, LanguageModel>>
  /** Keys of which requests must send one; none (the default) asks for no key. */
  readonly apiKeys?: readonly string[] | undefined
  /**
   * Origins whose pages may ask: `*` for all. Pages on this machine (`http://localhost`, any port) may by default; an empty
   * list allows none.
   */
  readonly cors?: readonly string[] | undefined
  /**
   * Names that requests may call this host by; any by default. A server that asks for no key and listens on the loopback
   * address alone should name its own, or a page whose name was made to point there (DNS rebinding) reads its answers;
   * `createServer` does.
   */
  readonly hosts?: readonly string[] | undefined
  /** `GET /` answers with a chat page; true by default. It holds nothing that a key protects. */
  readonly page?: boolean | undefined
  /**
   * Hosts that images may be fetched from by http and https, such as `images.example.com`, `*.example.com` or `10.0.0.7:9000`; none
   * by default: images come as data URLs. A host in a private network is one that is named by its address, or localhost.
   */
  readonly imageHosts?: readonly string[] | undefined
  readonly limits?: ServerLimits | undefined
  /** One entry per request and per failure; none by default. A pino logger fits. */
  readonly log?: Logger | undefined
  /** Log what was asked and answered, too; false by default. */
  readonly logPrompts?: boolean | undefined
  /**
   * The figures of `/metrics`, given those of this server: for several processes that answer as one. Each element is what one
   * process has; they are added up.
   */
  readonly collectMetrics?: ((own: () => Promise<MetricValues>) => Promise<readonly MetricValues[]>) | undefined
}

/** The figures of one process, as JSON. */
export type MetricValues = readonly object[]

/** HandlerOptions, checked, with every value present. */
export interface HandlerSettings {
  readonly models: ModelRegistry
  readonly apiKeys: readonly string[]
  readonly cors: readonly string[]
  readonly logPrompts: boolean
  readonly page: boolean
  readonly hosts: readonly string[] | undefined
  readonly imageHosts: HostCheck | undefined
  readonly limits: { readonly [K in keyof Required<ServerLimits>]: number }
  readonly log: Logger | undefined
  readonly collectMetrics: (own: () => Promise<MetricValues>) => Promise<readonly MetricValues[]>
}

const defaults: HandlerSettings['limits'] = {
  bodyBytes: 2 ** 25,
  allBodiesBytes: 2 ** 28,
  images: 16,
  imagePixels: 2 ** 25,
  imageSeconds: 20,
  maxTokens: Number.MAX_SAFE_INTEGER,
  maxChoices: 128,
  maxRequests: 1024,
  requestSeconds: 600,
  stallSeconds: 30,
}

const isRegistry = (models: HandlerOptions['models']): models is ModelRegistry =>
  typeof (models as Partial<ModelRegistry>).acquire === 'function'

const registryOf = (models: Readonly<Record<string, LanguageModel>>): ModelRegistry =>
  createRegistry({ models: Object.entries(models).map(([name, load]) => ({ name, load })) })

/**
 * Fills in the defaults.
 * @throws AwqError INVALID_ARGUMENT for no models, and as `settingsWithoutModels`
 */
export const handlerSettings = ({ models, ...options }: HandlerOptions): HandlerSettings => ({
  ...settingsWithoutModels(options),
  models: isRegistry(models) ? models : registryOf(models as Readonly<Record<string, LanguageModel>>),
})

/**
 * The defaults of all that is not about models.
 * @throws AwqError INVALID_ARGUMENT for a limit that is not a positive number, or a host of images that is none
 */
export const settingsWithoutModels = (options: Omit<HandlerOptions, 'models'>): Omit<HandlerSettings, 'models'> => {
  const limits = { ...defaults }
  for (const name of Object.keys(defaults) as (keyof typeof defaults)[]) {
    const value = options.limits?.[name] ?? defaults[name]
    const whole = !name.endsWith('Seconds')
    if (typeof value !== 'number' || !(value > 0) || (whole && !Number.isSafeInteger(value))) {
      const kind = whole ? 'an integer of 1 or more' : 'a number above 0'
      throw new AwqError('INVALID_ARGUMENT', `limits.${name} must be ${kind}, not ${String(value)}.`)
    }
    Object.assign(limits, { [name]: value })
  }
  const {
    apiKeys = [],
    cors = localOrigins,
    hosts,
    imageHosts = [],
    log,
    logPrompts = false,
    page = true,
    collectMetrics = async (own) => [await own()],
  } = options
  return {
    apiKeys,
    cors,
    hosts,
    imageHosts: imageHosts.length > 0 ? createHostList(imageHosts) : undefined,
    limits,
    log,
    logPrompts,
    collectMetrics,
    page,
  }
}

/** Stands for pages of this machine. */
export const localOrigins: readonly string[] = ['http://localhost', 'http://127.0.0.1', 'http://[::1]']
