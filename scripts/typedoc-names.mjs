import { Converter, ReflectionKind } from 'typedoc'

/**
 * Names the modules of the API pages as they are imported: `tensor/src` becomes `@awq/tensor`, `tensor/src/node`
 * becomes `@awq/tensor/node`.
 */
export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, (context) => {
    for (const module of context.project.getReflectionsByKind(ReflectionKind.Module)) {
      const [folder, , entry] = module.name.split('/')
      const base = folder === 'cli' ? 'awq' : `@awq/${folder}`
      module.name = entry === undefined || entry === 'index' ? base : `${base}/${entry}`
    }
  })
}
