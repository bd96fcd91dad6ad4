"""A whole model quantized by AutoAWQ (scales, clips and rounding found by calibration), and what it stands for.

usage: make_autoawq_model.py KIND OUT '{"group": 32, "version": "GEMM"}'      (autoawq 0.2.9, torch 2.13.0, transformers 4.51.3)
KIND is one of small_models.py. Writes OUT/ (what AutoAWQ saves), OUT.safetensors (the weights by AutoAWQ's own unpacking of the
saved words; GEMV_FAST, which has none, by its packing's arguments) and OUT.json (logits of transformers with these weights).
"""
import json, sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks/quantize/peers"))
import torch
from awq import AutoAWQForCausalLM
from awq.modules.linear.gemv_fast import WQLinear_GEMVFast
from repaired_autoawq import RepairedQuantizer
from safetensors.torch import load_file
from small_models import blocks, make, reference, tokenizer
from unpack_autoawq import unpacked

kind, out, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
group, version = options["group"], options["version"]
source = make(kind, f"{out}-float")
given = {}
from_linear = WQLinear_GEMVFast.from_linear.__func__


def kept(cls, linear, w_bit, group_size, init_only=False, scales=None, zeros=None):
    """Also notes what is packed, by its words."""
    packed = from_linear(cls, linear, w_bit, group_size, init_only, scales, zeros)
    steps, points = (t.repeat_interleave(group_size, 1).float() for t in (scales.half(), zeros))
    codes = torch.round((linear.weight.float() + points * steps) / steps)
    given[packed.qweight.numpy().tobytes()] = (codes - points) * steps
    return packed


WQLinear_GEMVFast.from_linear = classmethod(kept)
model = AutoAWQForCausalLM.from_pretrained(source, torch_dtype=torch.float32, safetensors=True, device_map="cpu")
data = blocks(16, 64)
model.quantize(tokenizer(), quant_config=dict(zero_point=True, q_group_size=group, w_bit=4, version=version), calib_data=data,
               max_calib_samples=len(data), max_calib_seq_len=len(data[0]), apply_clip=options.get("clip", True),
               quantizer_cls=RepairedQuantizer)
model.save_quantized(out)
tokenizer().save_pretrained(out)
saved = {}
for file in Path(out).glob("*.safetensors"):
    saved.update(load_file(file))
weights = {}
for name, tensor in saved.items():
    if not name.endswith((".qweight", ".qzeros", ".scales")):
        weights[name] = tensor.float()
for name in [name.removesuffix(".qweight") for name in saved if name.endswith(".qweight")]:
    parts = [saved[f"{name}.{part}"] for part in ("qweight", "qzeros", "scales")]
    if version == "GEMV_fast":
        weights[f"{name}.weight"] = given[parts[0].numpy().tobytes()]
    else:
        codes, zeros, scales = unpacked(version.lower(), *parts, group)
        spread = lambda values: values.float().repeat_interleave(group, 1)
        weights[f"{name}.weight"] = (codes.float() - spread(zeros)) * spread(scales)
reference(source, weights, out)
