import { ApiError, errorResponse } from './api-error.ts'

/** The answer to a request whose address or headers cannot be read. */
export const malformedRequest = (): Response =>
  errorResponse(new ApiError(400, 'The request cannot be understood.', { code: 'malformed_request' }))
