"""Image files to text by transformers, for tools/seeing/prove.ts: processor, model and greedy tokens.

usage: see.py CHECKPOINTS OUT TOKENS IMAGE ...
Copies every tiny checkpoint that sees into OUT with a processor and a chat template, and writes OUT/NAME/asks.json: for each question
the images, the text of the question, and the ids that follow. torch float32, eager attention; transformers 5.23, torchvision, num2words.
"""
import json, shutil, sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "fixtures/image"))
import torchvision_schemas  # noqa: F401 (before anything that imports torchvision)
import torch, transformers
from transformers import AutoModelForImageTextToText, PreTrainedTokenizerFast
from transformers.image_utils import load_image

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(1)
square = lambda size: dict(height=size, width=size)
GRID = [[16, 32], [32, 16], [32, 32], [48, 16], [16, 48]]
LLAVA = dict(patch_size=4, vision_feature_select_strategy="default", num_additional_image_tokens=1)
IMAGE = dict(image_token="<image>")
#: model_type -> processor, image processor, its settings, the processor's own, names of special tokens by id, what the tokenizer knows.
CASES = dict(
    llava=("LlavaProcessor", "CLIPImageProcessor", dict(size=dict(shortest_edge=18), crop_size=square(18)), LLAVA, {50: "<image>"}, IMAGE),
    llava_next=("LlavaNextProcessor", "LlavaNextImageProcessor",
                dict(size=dict(shortest_edge=16), crop_size=square(16), image_grid_pinpoints=GRID), LLAVA, {50: "<image>"}, IMAGE),
    qwen2_vl=("Qwen2VLProcessor", "Qwen2VLImageProcessor", dict(min_pixels=64, max_pixels=400, patch_size=4, merge_size=2), {},
              {50: "<|image_pad|>", 53: "<|video_pad|>", 54: "<|vision_start|>", 55: "<|vision_end|>"}, dict(image_token="<|image_pad|>")),
    idefics3=("Idefics3Processor", "Idefics3ImageProcessor", dict(size=dict(longest_edge=28), max_image_size=dict(longest_edge=12)),
              dict(image_seq_len=1), {48: "<fake_token_around_image>", 49: "<global-img>", 50: "<image>", 51: "<end_of_utterance>"}, {}),
    smolvlm=("SmolVLMProcessor", "SmolVLMImageProcessor", dict(size=dict(longest_edge=32), max_image_size=dict(longest_edge=16)),
             dict(image_seq_len=4), {48: "<fake_token_around_image>", 49: "<global-img>", 50: "<image>", 51: "<end_of_utterance>"},
             dict(image_token="<image>", fake_image_token="<fake_token_around_image>", global_image_token="<global-img>",
                  end_of_utterance_token="<end_of_utterance>")),
    gemma3=("Gemma3Processor", "Gemma3ImageProcessor", dict(size=square(24)), dict(image_seq_length=9),
            {50: "<image_soft_token>", 51: "<start_of_image>", 52: "<end_of_image>"},
            dict(image_token="<image_soft_token>", boi_token="<start_of_image>", eoi_token="<end_of_image>")),
    paligemma=("PaliGemmaProcessor", "SiglipImageProcessor", dict(size=square(16)), {}, {50: "<image>"}, IMAGE),
)
CASES["qwen2_5_vl"] = ("Qwen2_5_VLProcessor", *CASES["qwen2_vl"][1:])
TEMPLATE = ("{% for message in messages %}{{ message['role'] }}: {% for part in message['content'] %}{% if part['type'] == 'image' %}"
            "PLACE{% else %}{{ part['text'] }}{% endif %}{% endfor %} {% endfor %}{% if add_generation_prompt %}assistant: {% endif %}")
AROUND = dict(qwen2_vl="<|vision_start|><|image_pad|><|vision_end|>", qwen2_5_vl="<|vision_start|><|image_pad|><|vision_end|>",
              gemma3="<start_of_image>", paligemma="<image>")


def prepare(source: Path, folder: Path, kind: str):
    """The checkpoint with its processor's files; the processor."""
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("*golden.json", "vision.json", "options.json"))
    name, image_name, settings, own, tokens, known = CASES[kind]
    data = json.loads((folder / "tokenizer.json").read_text())
    names = {f"<extra{i}>" if i != 50 else "<image>": token for i, token in tokens.items()}
    data["model"]["vocab"] = {names.get(token, token): i for token, i in data["model"]["vocab"].items()}
    for token in data["added_tokens"]:
        token["content"] = names.get(token["content"], token["content"])
    (folder / "tokenizer.json").write_text(json.dumps(data))
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), bos_token="<s>", eos_token="</s>", pad_token="<pad>",
                                        extra_special_tokens=known)
    image_processor = getattr(transformers, image_name)(**settings)
    if kind == "paligemma":
        image_processor.image_seq_length = 16
    if kind.startswith("qwen"):
        own = dict(own, video_processor=transformers.Qwen2VLVideoProcessor())
    if kind == "smolvlm":
        own = dict(own, video_processor=transformers.SmolVLMVideoProcessor())
    template = TEMPLATE.replace("PLACE", AROUND.get(kind, "<image>"))
    processor = getattr(transformers, name)(image_processor=image_processor, tokenizer=tokenizer, chat_template=template, **own)
    vocabulary = (folder / "tokenizer.json").read_text()
    processor.save_pretrained(folder)
    # PaliGemma's adds a thousand tokens that its tiny model has no rows for.
    (folder / "tokenizer.json").write_text(vocabulary)
    return processor, template


def main() -> None:
    source, out, tokens, *files = sys.argv[1:]
    asks = [[], *[[file] for file in files], files[:2]]
    for path in sorted(Path(source).iterdir()):
        if not (path / "vision.json").exists():
            continue
        folder = Path(out) / path.name
        kind = json.loads((path / "config.json").read_text())["model_type"]
        processor, template = prepare(path, folder, kind)
        model = AutoModelForImageTextToText.from_pretrained(path, dtype=torch.float32, attn_implementation="eager").eval()
        model.generation_config.eos_token_id = None
        made = []
        for images in asks:
            question = "what is it"
            text = template_text(template, len(images), question)
            try:
                if images:
                    inputs = processor(images=[load_image(file) for file in images], text=text, return_tensors="pt")
                else:
                    inputs = processor.tokenizer(text, return_tensors="pt")
                inputs.pop("num_crops", None)
                with torch.no_grad():
                    after = model.generate(**inputs, max_new_tokens=int(tokens), do_sample=False)
                made.append(dict(images=images, question=question, prompt=inputs["input_ids"][0].tolist(),
                                 ids=after[0, inputs["input_ids"].shape[1]:].tolist()))
            except Exception as error:
                made.append(dict(images=images, question=question, error=f"{type(error).__name__}: {error}"[:200]))
        (folder / "asks.json").write_text(json.dumps(made))
        print(path.name, sum("ids" in one for one in made), "of", len(made), flush=True)


def template_text(template: str, images: int, question: str) -> str:
    import jinja2
    content = [*[dict(type="image")] * images, dict(type="text", text=question)]
    return jinja2.Template(template).render(messages=[dict(role="user", content=content)], add_generation_prompt=True)


if __name__ == "__main__":
    main()
