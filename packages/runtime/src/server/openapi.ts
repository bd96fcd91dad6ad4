import { z } from 'zod'
import type { Endpoint } from './endpoints.ts'

const errorSchema = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string().nullable(),
    }),
  })
  .meta({ id: 'Error' })

type JsonObject = { [key: string]: unknown }

/** Schemas of components, by their ids; references between them point where OpenAPI has them. */
const components = (endpoints: readonly Endpoint[]): JsonObject => {
  const schemas: JsonObject = {}
  const used = endpoints.flatMap(({ request, response }) => [
    ...(request ? [[request, 'input'] as const] : []),
    ...(response ? [[response, 'output'] as const] : []),
  ])
  for (const [schema, io] of [...used, [errorSchema, 'output'] as const]) {
    const text = JSON.stringify(z.toJSONSchema(schema, { io, unrepresentable: 'any' }))
    const { $defs = {} } = JSON.parse(text.replaceAll('"#/$defs/', '"#/components/schemas/')) as { $defs?: JsonObject }
    for (const [name, definition] of Object.entries($defs)) {
      const { id: _, ...rest } = definition as JsonObject
      schemas[name] = rest
    }
  }
  return schemas
}

const reference = (schema: z.ZodType) => ({ $ref: `#/components/schemas/${String(schema.meta()?.id)}` })

const operation = ({ path, summary, request, response, streams, open, produces = 'application/json' }: Endpoint) => ({
  summary,
  operationId: summary
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_|_$/g, ''),
  ...(open ? { security: [] } : {}),
  ...(path.includes('{')
    ? {
        parameters: [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
          name,
          in: 'path',
          required: true,
          schema: { type: 'string' },
        })),
      }
    : {}),
  ...(request
    ? { requestBody: { required: true, content: { 'application/json': { schema: reference(request) } } } }
    : {}),
  responses: {
    200: {
      description: 'The answer',
      content: {
        [produces]: response ? { schema: reference(response) } : {},
        ...(streams ? { 'text/event-stream': { schema: { type: 'string' } } } : {}),
      },
    },
    default: { description: 'An error', content: { 'application/json': { schema: reference(errorSchema) } } },
  },
})

/** The OpenAPI 3.1 document of endpoints. */
export const openApiDocument = (endpoints: readonly Endpoint[]): JsonObject => {
  const paths: Record<string, JsonObject> = {}
  for (const endpoint of endpoints) {
    paths[endpoint.path] = { ...paths[endpoint.path], [endpoint.method.toLowerCase()]: operation(endpoint) }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'awq serve', version: '1', description: 'Language models by the API of OpenAI.' },
    security: [{ bearer: [] }],
    paths,
    components: { schemas: components(endpoints), securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
  }
}
