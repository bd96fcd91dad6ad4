"""What transformers makes of images and prompts with folders of models that see. stdin: {"golden": vision.json's path, "folders", "backend"};
stdout: a JSON line for each folder: the logits behind each prompt with images, and names of tensors that were missing or not used."""
import base64, json, os, sys

os.environ["TQDM_DISABLE"] = "1"
import torch
from transformers import AutoConfig, AutoModelForImageTextToText, logging

logging.set_verbosity_error()
logging.disable_progress_bar()
job = json.load(sys.stdin)
golden = json.load(open(job["golden"]))
floats = lambda one: torch.frombuffer(bytearray(base64.b64decode(one["data"])), dtype=torch.float32).reshape(one["shape"])


def inputs_of(sequence: dict, kind: str) -> dict:
    ids = torch.tensor([sequence["ids"]])
    used = [golden["images"][at] for at in sequence["images"]]
    pixels = torch.cat([floats(one["pixelValues"]) for one in used])
    inputs = dict(input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=pixels)
    types = (ids == golden["imageToken"]).int()
    if kind.startswith("qwen"):
        inputs |= dict(image_grid_thw=torch.tensor([[1, *one["grid"]] for one in used]), mm_token_type_ids=types)
    if kind in ("idefics3", "smolvlm"):
        inputs["pixel_values"] = pixels[None]
    if kind == "gemma3":
        inputs["token_type_ids"] = types
    if kind == "paligemma":
        inputs["token_type_ids"] = torch.zeros_like(ids)
    if kind == "llava_next":
        inputs |= dict(pixel_values=floats(used[0]["pixelValues"])[None], image_sizes=torch.tensor([used[0]["size"]]))
    return inputs


for folder in job["folders"]:
    try:
        config = AutoConfig.from_pretrained(folder)
        if job.get("backend") and getattr(config, "quantization_config", None):
            config.quantization_config["backend"] = job["backend"]
        model, info = AutoModelForImageTextToText.from_pretrained(
            folder, config=config, dtype=getattr(torch, job.get("dtype", "float32")), attn_implementation="eager", output_loading_info=True)
        # What both stand for, in float32.
        model = torch.nn.Module.float(model)
        kind = model.config.model_type
        logits = []
        with torch.no_grad():
            for sequence in golden["sequences"]:
                if len(sequence["images"]) != 1 or (kind == "idefics3" and sequence["images"][0] == 2):
                    continue
                if hasattr(model.model, "rope_deltas"):
                    model.model.rope_deltas = None
                inputs = inputs_of(sequence, kind)
                inputs["pixel_values"] = inputs["pixel_values"].to(model.dtype)
                logits.append(model(**inputs, use_cache=False).logits[0, -1].float().tolist())
        lists = {key: sorted(info[key])[:3] for key in ("missing_keys", "unexpected_keys", "mismatched_keys")}
        print(json.dumps(dict(logits=logits, **lists)), flush=True)
    except Exception as error:
        print(json.dumps(dict(error=f"{type(error).__name__}: {error}"[:400])), flush=True)
