import { collapse } from '../collapse.ts'
import { defineCommand, modelPositional } from '../command.ts'
import { formatBytes, formatCount } from '../format.ts'
import type { Inspection } from '../libraries.ts'
import { findModel } from '../model.ts'
import { flag } from '../options.ts'
import { formatTable } from '../table.ts'

const tensorLines = (tensors: Inspection['tensors'], all: boolean): string[] => {
  const key = (tensor: Inspection['tensors'][number]): string => `${tensor.dtype} ${tensor.shape.join(',')}`
  const families = all
    ? tensors.map((tensor) => ({ name: tensor.name, members: [tensor] }))
    : collapse(tensors, (tensor) => tensor.name, key)
  return formatTable(
    [
      { title: 'tensor' },
      { title: 'count', align: 'right' },
      { title: 'dtype' },
      { title: 'shape' },
      { title: 'bytes', align: 'right' },
    ],
    families.map(({ name, members }) => [
      name,
      String(members.length),
      members[0]?.dtype ?? '',
      `[${members[0]?.shape.join(', ') ?? ''}]`,
      formatBytes(members.reduce((sum, tensor) => sum + tensor.bytes, 0)),
    ]),
  )
}

export const inspectCommand = defineCommand({
  name: 'inspect',
  summary: "Show a model's architecture, tensors, bits, sizes and scale groups",
  positionals: [modelPositional],
  options: { all: flag('List every tensor and scale group, not one line per kind') },
  examples: ['awq inspect smollm2-4bit', 'awq inspect ./model --json'],
  async run(session, [reference = ''], options) {
    const { reporter } = session
    const folder = await findModel(session, reference, options)
    const { inspect } = await session.context.libraries.core()
    const result = await inspect(folder)
    reporter.event({ ...result, type: 'done' })
    const groups = options.all
      ? result.scaleGroups.map((group) => ({ name: group.name, members: [group] }))
      : collapse(
          result.scaleGroups,
          (group) => group.name,
          (group) => group.kind,
        )
    reporter.print(
      `${reference}: ${result.kind === 'float' ? 'a float checkpoint' : 'a quantized model'}`,
      ...formatTable(
        [{ title: '' }, { title: '' }],
        [
          ['architecture', result.architecture],
          ['parameters', formatCount(result.parameters)],
          ['size', formatBytes(result.bytes)],
        ],
      )
        .slice(1)
        .map((line) => `  ${line}`),
      '',
      ...tensorLines(result.tensors, options.all),
      '',
      ...formatTable(
        [
          { title: 'scale group' },
          { title: 'count', align: 'right' },
          { title: 'kind' },
          { title: 'producer -> consumers' },
        ],
        groups.map(({ name, members }) => [
          name,
          String(members.length),
          members[0]?.kind ?? '',
          `${members[0]?.producer} -> ${members[0]?.consumers.join(', ')}`,
        ]),
      ),
    )
  },
})
