import { AwqError } from '@awq/tensor'
import { refuseShots, type Task, textField } from './task.ts'

/**
 * LAMBADA (Paperno et al. 2016, arXiv 1606.06031): the last word of a passage, which needs the whole of it. Records
 * `{ text }`. The text is cut at its last space; the target is the last word with that space. An item counts when every
 * token of the target is the model's most probable one after the true tokens before it.
 */
export const lambada: Task = {
  name: 'lambada',
  data: 'a JSONL file with the field text, such as lambada_test_en.jsonl of the data set EleutherAI/lambada_openai',
  shots: 0,
  maxNewTokens: 0,
  scores: ['accuracy'],
  prepare(settings) {
    refuseShots('lambada', settings)
    if (settings.chat) {
      throw new AwqError('INVALID_ARGUMENT', 'lambada continues a text; it can not be asked through a chat template.')
    }
    return (record) => {
      const text = textField(record, 'text', 'lambada').trimEnd()
      const space = text.lastIndexOf(' ')
      if (space <= 0) throw new AwqError('INVALID_FILE', `${record.where} is no item of lambada: its text is one word`)
      return { kind: 'target', id: record.where, context: text.slice(0, space), target: text.slice(space) }
    }
  },
}
