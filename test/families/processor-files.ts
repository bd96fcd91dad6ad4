/**
 * The files of a processor for the tiny checkpoints that see: their configurations are what the tiny towers take.
 * @module
 */
import { type Folder, memoryFolder } from '@awq/tensor'

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
 * The files that a checkpoint needs to see, by name: its processor's, and a chat template that shows images.
 * @param chatTemplate with PLACE where an image stands; null for none
 */
export const processorFiles = (
  modelType: string,
  chatTemplate: string | null = template,
): Readonly<Record<string, string>> => {
  const { image, processor, tokenizer } = processors[modelType === 'qwen2_5_vl' ? 'qwen2_vl' : modelType]!
  const place = (tokenizer as { boi_token?: string } | undefined)?.boi_token ?? '<image>'
  const shown = chatTemplate === null ? {} : { chat_template: chatTemplate.replace('PLACE', place) }
  return {
    'preprocessor_config.json': JSON.stringify(image),
    ...(processor ? { 'processor_config.json': JSON.stringify(processor) } : {}),
    'tokenizer_config.json': JSON.stringify({ bos_token: '<s>', eos_token: '</s>', ...tokenizer, ...shown }),
  }
}

/** A tiny checkpoint with the files of its processor, in memory. */
export const seeingFolder = async (checkpoint: Folder): Promise<Folder> => {
  const files: Record<string, Uint8Array> = {}
  for (const name of ['config.json', 'tokenizer.json', 'model.safetensors']) {
    const source = await checkpoint.open(name)
    files[name] = await source.read(0, source.size)
    await source.close?.()
  }
  const { model_type: modelType } = JSON.parse(new TextDecoder().decode(files['config.json'])) as { model_type: string }
  const encoder = new TextEncoder()
  for (const [name, text] of Object.entries(processorFiles(modelType))) files[name] = encoder.encode(text)
  return memoryFolder(files, checkpoint.name)
}
