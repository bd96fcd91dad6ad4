"""Gives a small language model eyes that have learned nothing: LLaVA's architecture, with the language model's own weights, a random
SigLIP tower and a random projector whose rows are centred and have the norms of the embedding table's.

What is measured with it tells how the language part's rounding fares on tokens that are no words and on the text around them.
It tells nothing of what a model that was trained to see would answer.

    python make_seeing.py SMOLLM2 OUT --images FOLDER --texts FILE

Also writes OUT/calibration.jsonl and OUT/prompts.jsonl with crops of the folder's photos, no crop in both.
Needs torch, transformers, safetensors, Pillow.
"""

import argparse
import json
import pathlib
import random
import shutil

import numpy
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import SiglipVisionConfig, SiglipVisionModel

SIDE, PATCH, IMAGE_TOKEN = 224, 16, 16
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>\n{% else %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
QUESTIONS = ["What is in this picture?", "Describe the picture.", "Which colours do you see?", "Is this text about the picture?"]


def crops(folder: pathlib.Path, count: int, draw: random.Random) -> list[Image.Image]:
    photos = []
    for path in sorted(folder.iterdir()):
        try:
            photo = Image.open(path).convert("RGB")
        except (OSError, ValueError, SyntaxError):
            continue
        if min(photo.size) >= 96:
            photos.append(photo)
    made = []
    for i in range(count):
        photo = photos[i % len(photos)]
        side = draw.randint(min(photo.size) // 2, min(photo.size))
        left, top = draw.randint(0, photo.width - side), draw.randint(0, photo.height - side)
        made.append(photo.crop((left, top, left + side, top + side)).resize((SIDE, SIDE), Image.BICUBIC))
    return made


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--images", type=pathlib.Path, required=True)
    parser.add_argument("--texts", type=pathlib.Path, required=True)
    parser.add_argument("--calibration", type=int, default=32)
    parser.add_argument("--prompts", type=int, default=16)
    given = parser.parse_args()
    draw = random.Random(1)
    torch.manual_seed(1)
    given.out.mkdir(parents=True, exist_ok=True)

    language = load_file(given.model / "model.safetensors")
    config = json.loads((given.model / "config.json").read_text())
    table = language["model.embed_tokens.weight"].float()
    hidden = table.shape[1]
    vision = SiglipVisionConfig(
        hidden_size=384, intermediate_size=1536, num_hidden_layers=6, num_attention_heads=6, image_size=SIDE, patch_size=PATCH
    )
    tower = SiglipVisionModel(vision).eval()
    first = torch.nn.Linear(384, hidden)
    second = torch.nn.Linear(hidden, hidden)

    pictures = crops(given.images, given.calibration + given.prompts, draw)
    pixels = torch.stack([torch.from_numpy(numpy.asarray(p).copy()).permute(2, 0, 1) / 127.5 - 1 for p in pictures])
    with torch.no_grad():
        features = tower(pixels[:16].float(), output_hidden_states=True).hidden_states[-2]
        rows = second(torch.nn.functional.gelu(first(features))).reshape(-1, hidden)
        scale = table.pow(2).mean().sqrt() / (rows - rows.mean(0)).pow(2).mean().sqrt()
        second.weight.mul_(scale)
        second.bias.copy_((second.bias - rows.mean(0)) * scale)

    tensors = {f"language_model.{name}": value for name, value in language.items()}
    for name, value in tower.state_dict().items():
        tensors[f"vision_tower.{name if name.startswith('vision_model.') else 'vision_model.' + name}"] = value.half()
    for name, layer in (("linear_1", first), ("linear_2", second)):
        tensors[f"multi_modal_projector.{name}.weight"] = layer.weight.detach().half()
        tensors[f"multi_modal_projector.{name}.bias"] = layer.bias.detach().half()
    save_file({name: value.contiguous() for name, value in tensors.items()}, given.out / "model.safetensors", {"format": "pt"})

    def write(name: str, value: object) -> None:
        (given.out / name).write_text(json.dumps(value, indent=1))

    write(
        "config.json",
        {
            "architectures": ["LlavaForConditionalGeneration"],
            "model_type": "llava",
            "image_token_index": IMAGE_TOKEN,
            "image_seq_length": (SIDE // PATCH) ** 2,
            "projector_hidden_act": "gelu",
            "vision_feature_layer": -2,
            "vision_feature_select_strategy": "full",
            "tie_word_embeddings": bool(config.get("tie_word_embeddings")),
            "text_config": config,
            "vision_config": {**vision.to_dict(), "model_type": "siglip_vision_model"},
        },
    )
    size = {"height": SIDE, "width": SIDE}
    half = [0.5, 0.5, 0.5]
    write(
        "preprocessor_config.json",
        {"image_processor_type": "SiglipImageProcessor", "size": size, "resample": 3, "image_mean": half, "image_std": half},
    )
    write(
        "processor_config.json",
        {"patch_size": PATCH, "vision_feature_select_strategy": "full", "num_additional_image_tokens": 0},
    )
    text = (given.model / "tokenizer.json").read_text()
    token = next(t["content"] for t in json.loads(text)["added_tokens"] if t["id"] == IMAGE_TOKEN)
    (given.out / "tokenizer.json").write_text(text.replace(json.dumps(token), '"<image>"'))
    settings = (given.model / "tokenizer_config.json").read_text().replace(json.dumps(token), '"<image>"')
    write("tokenizer_config.json", {**json.loads(settings), "chat_template": TEMPLATE})
    if (given.model / "generation_config.json").exists():
        shutil.copy(given.model / "generation_config.json", given.out)

    paragraphs = [line.strip() for line in given.texts.read_text().split("\n") if len(line.strip()) > 300]
    draw.shuffle(paragraphs)
    records = []
    for i, picture in enumerate(pictures):
        picture.save(given.out / f"picture-{i}.png")
        question = QUESTIONS[i % len(QUESTIONS)]
        records.append({"image": f"picture-{i}.png", "text": f"{question} {paragraphs[i][:700]}"})
    for name, part in (("calibration", records[: given.calibration]), ("prompts", records[given.calibration :])):
        lines = "".join(json.dumps(record) + "\n" for record in part)
        (given.out / f"{name}.jsonl").write_text(lines)


if __name__ == "__main__":
    main()
