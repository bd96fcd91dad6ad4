import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { scriptedModel } from './fixtures/scripted-model.ts'
import { all, clientOf, post, serve } from './fixtures/serve.ts'

type Json = { [key: string]: unknown }

/** What OpenAPI 3.1 says of the parts that are used here; nothing else may be there. */
const reference = z.strictObject({ $ref: z.string().regex(/^#\/components\/schemas\/[\w.-]+$/) })
const media = z.record(
  z.string().regex(/^[\w.+-]+\/[\w.+-]+$/),
  z.strictObject({ schema: z.union([reference, z.strictObject({ type: z.literal('string') })]).optional() }),
)
const security = z.array(z.strictObject({ bearer: z.tuple([]) }).or(z.strictObject({})))
const operation = z.strictObject({
  summary: z.string().min(1),
  operationId: z.string().regex(/^[a-z][a-z0-9_]*$/),
  security: security.optional(),
  parameters: z
    .array(
      z.strictObject({
        name: z.string(),
        in: z.literal('path'),
        required: z.literal(true),
        schema: z.strictObject({ type: z.literal('string') }),
      }),
    )
    .optional(),
  requestBody: z.strictObject({ required: z.boolean(), content: media }).optional(),
  responses: z.record(
    z.string().regex(/^([1-5]\d\d|default)$/),
    z.strictObject({ description: z.string().min(1), content: media }),
  ),
})
const document = z.strictObject({
  openapi: z.string().regex(/^3\.1\.\d+$/),
  info: z.strictObject({ title: z.string(), version: z.string(), description: z.string() }),
  security,
  paths: z.record(z.string().startsWith('/'), z.partialRecord(z.enum(['get', 'post']), operation)),
  components: z.strictObject({
    schemas: z.record(z.string().regex(/^[\w.-]+$/), z.record(z.string(), z.unknown())),
    securitySchemes: z.record(z.string(), z.strictObject({ type: z.literal('http'), scheme: z.literal('bearer') })),
  }),
})

const start = () => serve({ models: { tiny: scriptedModel({ answer: 'Hello' }).model } })
const described = async ({ url }: { readonly url: string }) =>
  document.parse(await (await fetch(`${url}/openapi.json`)).json())

/** A component's schema as zod reads it. */
const component = (of: z.output<typeof document>, name: string): z.ZodType => {
  const text = JSON.stringify(of.components.schemas).replaceAll('#/components/schemas/', '#/$defs/')
  const $defs = JSON.parse(text) as Json
  return z.fromJSONSchema({ ...($defs[name] as Json), $defs } as Parameters<typeof z.fromJSONSchema>[0])
}

/** The name of a component in `content` of a request or an answer. */
const nameIn = (content: z.output<typeof media> | undefined): string => {
  const schema = content?.['application/json']?.schema
  return schema && '$ref' in schema ? schema.$ref.slice('#/components/schemas/'.length) : ''
}

describe('/openapi.json', () => {
  it('is OpenAPI 3.1, and what it refers to is there', async () => {
    const found = await described(await start())
    const references = JSON.stringify(found).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)
    const names = new Set([...references].map(([, name]) => name as string))
    expect(names.size).toBeGreaterThan(3)
    for (const name of names) expect(Object.keys(found.components.schemas)).toContain(name)
    expect(JSON.stringify(found)).not.toContain('#/$defs')
    const operations = Object.values(found.paths).flatMap((path) => Object.values(path))
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length)
    for (const [path, { get, post }] of Object.entries(found.paths)) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      for (const one of [get, post]) if (one) expect((one.parameters ?? []).map(({ name }) => name)).toEqual(inPath)
    }
  })

  const messages = [{ role: 'user', content: 'Hi' }]
  it.each<[string, Json, Json]>([
    ['/v1/chat/completions', { messages, n: 2, stop: 'x', logit_bias: { 65: 1 } }, { messages: 'Hi' }],
    ['/v1/completions', { prompt: ['a', 'b'], logprobs: 2 }, { prompt: {} }],
    ['/v1/responses', { input: messages, text: { format: { type: 'json_object' } } }, { input: 5 }],
  ])('describes what %s takes, answers and refuses', async (path, good, bad) => {
    const server = await start()
    const found = await described(server)
    const { requestBody, responses } = found.paths[path]!.post!
    const request = component(found, nameIn(requestBody?.content))
    expect(request.safeParse({ model: 'tiny', ...good })).toMatchObject({ success: true })
    expect(request.safeParse({ model: 'tiny', ...bad })).toMatchObject({ success: false })
    const answered = await post(server, path, { model: 'tiny', ...good })
    expect(answered.status).toBe(200)
    component(found, nameIn(responses['200']?.content)).parse(answered.body)
    const refused = await post(server, path, { model: 'tiny', ...bad })
    expect(refused.status).toBe(400)
    component(found, nameIn(responses.default?.content)).parse(refused.body)
    expect(responses['200']?.content['text/event-stream']).toBeDefined()
  })

  it('knows every path that a client uses', async () => {
    const server = await start()
    const { paths } = await described(server)
    const client = clientOf(server)
    await all(await client.models.list())
    expect(Object.keys(paths)).toEqual(
      expect.arrayContaining(['/v1/models', '/v1/models/{model}', '/health', '/metrics', '/v1/embeddings']),
    )
  })
})
