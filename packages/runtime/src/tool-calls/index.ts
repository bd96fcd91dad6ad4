/**
 * Calls of functions: how a model writes them, how they are read, how they are asked for.
 * @module
 */
export {
  type MarkerSource,
  type ToolCallConstraintOptions,
  toolCallConstraint,
  toolCallMarkerIds,
} from './constraint.ts'
export { type ToolCallFormat, toolCallFormat, toolCallMarkers } from './format.ts'
export { type MessagesWithTools, messagesWithTools, type Tool } from './messages.ts'
export { createToolCallParser, type ToolCallParser, type ToolCallPart } from './parser.ts'
export type { ToolCall, ToolSchemas } from './read-call.ts'
