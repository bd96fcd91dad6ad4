/**
 * What a model may write, by masks over its tokens: JSON, JSON of a schema, calls of functions.
 * @module
 */
export { type ConstraintOptions, jsonObjectConstraint, jsonSchemaConstraint } from './json-constraint.ts'
export type { TokenSource } from './vocabulary.ts'
