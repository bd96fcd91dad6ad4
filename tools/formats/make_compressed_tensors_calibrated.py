"""A whole model quantized by llm-compressor with calibration, and what it stands for by compressed-tensors' own decompression.

usage: make_compressed_tensors_calibrated.py KIND OUT '{"method": "gptq", "dtype": "bfloat16", "groups": {...}, "actorder": null}'
KIND is one of small_models.py, groups maps targets (separated by blanks) to options of QuantizationArgs. Writes OUT/ (what
llm-compressor saves), OUT.safetensors and OUT.json (see small_models.reference); OUT.json has the logits of transformers on OUT/ too.
"""
import json, sys
from pathlib import Path
import torch
from compressed_tensors.compressors.pack_quantized.base import PackedQuantizationCompressor as Packed
from compressed_tensors.quantization import QuantizationArgs, QuantizationConfig, QuantizationScheme
from compressed_tensors.utils.match import match_name
from datasets import Dataset
from llmcompressor import oneshot
from llmcompressor.modifiers.gptq import GPTQModifier
from llmcompressor.modifiers.quantization import QuantizationModifier
from llmcompressor.modifiers.transform.awq import AWQModifier
from llmcompressor.pipelines.cache import IntermediatesCache
from safetensors.torch import load_file
from small_models import PROMPT, blocks, make, reference
from transformers import AutoModelForCausalLM

# Pinning asks for an accelerator; see benchmarks/quantize/peers/llm_compressor.py.
IntermediatesCache.pin_memory = lambda self, batch_index: None
kind, out, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
dtype = getattr(torch, options.get("dtype", "bfloat16"))
source = make(kind, f"{out}-float", dtype)
model = AutoModelForCausalLM.from_pretrained(source, dtype=dtype)
scheme = dict(ignore=["lm_head"], config_groups={
    f"group_{i}": QuantizationScheme(targets=targets.split(), weights=QuantizationArgs(type="int", **args))
    for i, (targets, args) in enumerate(options["groups"].items())})
order = {"actorder": options["actorder"]} if "actorder" in options else {}
recipe = {"gptq": lambda: [GPTQModifier(**scheme, **order)], "awq": lambda: [AWQModifier(), QuantizationModifier(**scheme)],
          "rtn": lambda: [QuantizationModifier(**scheme)]}[options.get("method", "gptq")]()
data = Dataset.from_list([dict(input_ids=ids, attention_mask=[1] * len(ids)) for ids in blocks(16, 64)])
oneshot(model=model, dataset=data, recipe=recipe, num_calibration_samples=len(data), max_seq_length=64,
        shuffle_calibration_samples=False)
model.save_pretrained(out, save_compressed=True)
saved = load_file(Path(out) / "model.safetensors")
config = QuantizationConfig.model_validate(json.loads((Path(out) / "config.json").read_text())["quantization_config"])
weights = {}
modules = {key.removesuffix(".weight_packed") for key in saved if key.endswith(".weight_packed")}
for name in modules:
    state = {k.removeprefix(f"{name}."): v for k, v in saved.items() if k.startswith(f"{name}.")}
    state["weight_scale"] = state["weight_scale"].float()
    schemes = config.config_groups.values()
    named = [s for s in schemes if any(match_name(name, t) for t in s.targets)]
    found = (named or [s for s in schemes if "Linear" in s.targets])[0]
    weights[f"{name}.weight"] = Packed.decompress(state, found)["weight"].float()
    if "bias" in state:
        weights[f"{name}.bias"] = state["bias"].float()
for name, tensor in saved.items():
    if name.rsplit(".", 1)[0] not in modules:
        weights[name] = tensor.float()
reference(source, weights, out)
loaded = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32, attn_implementation="eager").eval()
with torch.no_grad():
    own = loaded(torch.tensor([PROMPT])).logits[0].float()
made = json.loads(Path(f"{out}.json").read_text())
Path(f"{out}.json").write_text(json.dumps({**made, "transformers": own.tolist()}))
