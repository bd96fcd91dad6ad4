/** What processors the tiny checkpoints that see have: such files as come with real ones. */
import { copyFileSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { seeingCheckpoints } from './vision-golden.ts'

const square = (size: number) => ({ height: size, width: size })
/** What a checkpoint's processor is, by model type. */
const processors: Readonly<Record<string, { image: object; processor?: object; tokenizer?: object }>> = {
  smolvlm: {
    image: {
      image_processor_type: 'SmolVLMImageProcessor',
      size: { longest_edge: 32 },
      max_image_size: { longest_edge: 16 },
    },
    processor: { image_seq_len: 4 },
    tokenizer: { fake_image_token: '<extra48>', global_image_token: '<extra49>' },
  },
  idefics3: {
    image: {
      image_processor_type: 'Idefics3ImageProcessor',
      size: { longest_edge: 12 },
      max_image_size: { longest_edge: 12 },
    },
    processor: { image_seq_len: 1 },
  },
  llava: {
    image: { image_processor_type: 'CLIPImageProcessor', size: { shortest_edge: 18 }, crop_size: square(18) },
    processor: { patch_size: 4, vision_feature_select_strategy: 'default', num_additional_image_tokens: 1 },
  },
  llava_next: {
    image: {
      image_processor_type: 'LlavaNextImageProcessor',
      size: { shortest_edge: 16 },
      crop_size: square(16),
      image_grid_pinpoints: [
        [16, 32],
        [32, 16],
        [32, 32],
        [48, 16],
        [16, 48],
      ],
    },
    processor: { patch_size: 4, vision_feature_select_strategy: 'default', num_additional_image_tokens: 1 },
  },
  qwen2_vl: {
    image: {
      image_processor_type: 'Qwen2VLImageProcessor',
      ...{ min_pixels: 64, max_pixels: 400, patch_size: 4, merge_size: 2 },
    },
    tokenizer: { image_token: '<image>' },
  },
  gemma3: {
    image: { image_processor_type: 'Gemma3ImageProcessor', size: square(24) },
    processor: { image_seq_length: 9 },
    tokenizer: { boi_token: '<extra51>', eoi_token: '<extra52>', image_token: '<image>' },
  },
  paligemma: { image: { image_processor_type: 'SiglipImageProcessor', size: square(16), image_seq_length: 16 } },
}

const template =
  "{% for message in messages %}{{ message['role'] }}: {% for part in message['content'] %}{% if part['type'] == 'image' %}" +
  "PLACE{% else %}{{ part['text'] }}{% endif %}{% endfor %} {% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"

/**
 * A checkpoint with the files of its processor and a chat template, in a folder of its own.
 * @param scratch where folders are made
 */
export const withProcessor = (
  { name, path, modelType }: (typeof seeingCheckpoints)[number],
  scratch: string,
  chatTemplate: string | null = template,
): string => {
  const { image, processor, tokenizer } = processors[modelType === 'qwen2_5_vl' ? 'qwen2_vl' : modelType]!
  const folder = mkdtempSync(join(scratch, `${name}-`))
  for (const file of readdirSync(path)) copyFileSync(join(path, file), join(folder, file))
  const place = (tokenizer as { boi_token?: string } | undefined)?.boi_token ?? '<image>'
  writeFileSync(join(folder, 'preprocessor_config.json'), JSON.stringify(image))
  if (processor) writeFileSync(join(folder, 'processor_config.json'), JSON.stringify(processor))
  const tokens = {
    bos_token: '<s>',
    eos_token: '</s>',
    ...tokenizer,
    ...(chatTemplate === null ? {} : { chat_template: chatTemplate.replace('PLACE', place) }),
  }
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify(tokens))
  return folder
}
