"""What the scripts of both peers share: their arguments, the calibration tokens, the line that they print, the result."""
import argparse
import importlib.metadata
import json
import os
import resource
import shutil

import torch
from safetensors.torch import save_file
from transformers import AutoTokenizer


def parse_arguments(description, methods=None):
    """The arguments of a peer's script, given the name of its methods if it has several."""
    parser = argparse.ArgumentParser(description=description)
    if methods:
        parser.add_argument("method", choices=methods)
    parser.add_argument("model", help="folder with config.json, tokenizer and float weights")
    parser.add_argument("tokens", help='JSON: {"blocks": [[ids of one sample], ...]}')
    parser.add_argument("--text", help="the file that the tokens come from: the tokenizer here has to give the same ids")
    parser.add_argument("--bits", type=int, default=4)
    parser.add_argument("--group-size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--save", help="folder for the model with its rounded weights as float32")
    return parser.parse_args()


def read_blocks(options):
    """Calibration samples as lists of ids. Fails when the peer would have read others from the same text."""
    with open(options.tokens, encoding="utf-8") as file:
        blocks = json.load(file)["blocks"]
    if options.text:
        ids = [id for block in blocks for id in block]
        with open(options.text, encoding="utf-8", newline="") as file:
            # More than enough characters; a cut changes the last ids alone, and is made far behind those that count.
            text = file.read(16 * len(ids) + 4096)
        own = AutoTokenizer.from_pretrained(options.model)(text, add_special_tokens=False).input_ids
        assert own[: len(ids)] == ids, "the peer's tokenizer gives other ids for this text"
    return blocks


def versions(*packages):
    return {name: importlib.metadata.version(name) for name in packages}


def print_result(seconds, **rest):
    """One JSON line: seconds of the quantizer's call, and the most memory that the process has used until now."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(dict(seconds=seconds, peakRssBytes=peak, **rest)), flush=True)


def save_float(options, tensors):
    """A folder like the model's own, with `tensors` (name to values) as its weights, all of them float32."""
    os.makedirs(options.save, exist_ok=True)
    for name, tensor in tensors.items():
        assert torch.isfinite(tensor).all(), f"{name} is not finite"
    weights = {name: tensor.detach().to(torch.float32).contiguous() for name, tensor in tensors.items()}
    save_file(weights, os.path.join(options.save, "model.safetensors"), metadata={"format": "pt"})
    for name in os.listdir(options.model):
        if name.startswith(("tokenizer", "special_tokens", "vocab", "merges", "generation_config")):
            shutil.copy(os.path.join(options.model, name), options.save)
    with open(os.path.join(options.model, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    with open(os.path.join(options.save, "config.json"), "w", encoding="utf-8") as file:
        json.dump({**config, "torch_dtype": "float32"}, file, indent=2)
