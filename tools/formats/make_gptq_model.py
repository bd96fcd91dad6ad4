"""A checkpoint of GPTQ whose tensors gptqmodel packs, and what it stands for by gptqmodel's own dequantization.

usage: make_gptq_model.py MODEL OUT IDS '{"bits": 4, "group_size": 64, "desc_act": true, "sym": false, "version": 2}'
Linears of the blocks are rounded to nearest; with desc_act every linear has groups of its own random order (siblings that read
one value the same one), as gptqmodel leaves them. Writes OUT/ (the checkpoint), OUT.safetensors (float16 weights) and OUT.json
(logits of the float32 model with these weights).
"""
import json, os, shutil, sys
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM
from gptqmodel.nn_modules.qlinear.torch import TorchLinear
from gptqmodel.quantization.config import QuantizeConfig
from gptqmodel.utils.model import convert_gptq_v2_to_v1_format_module

source, out, ids, options = sys.argv[1:]
options = json.loads(options)
bits, group, sym, version = options["bits"], options["group_size"], options["sym"], options["version"]
model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
state, weights = dict(model.state_dict()), {}
if model.config.tie_word_embeddings:
    state.pop("lm_head.weight")
orders = {}
for name, linear in model.named_modules():
    if not isinstance(linear, torch.nn.Linear) or "layers" not in name:
        continue
    rows, columns = linear.weight.shape
    block, part = name.rsplit(".", 2)[0], name.rsplit(".", 1)[1]
    site = (block, {"k_proj": "q_proj", "v_proj": "q_proj", "up_proj": "gate_proj"}.get(part, part))
    order = orders.setdefault(site, torch.randperm(columns, generator=torch.Generator().manual_seed(len(orders))))
    g_idx = torch.arange(columns) // group
    if options["desc_act"]:
        g_idx = g_idx[torch.argsort(order)]
    grouped = [linear.weight.data[:, g_idx == g] for g in range(-(-columns // group))]
    low = torch.stack([w.min(1).values.clamp(max=0) for w in grouped], 1)
    high = torch.stack([w.max(1).values.clamp(min=0) for w in grouped], 1)
    top = 2**bits - 1
    if sym:
        scales, zeros = torch.maximum(high, -low) * 2 / top, torch.full_like(low, 2 ** (bits - 1))
    else:
        scales = (high - low) / top
        zeros = torch.round(-low / scales)
    scales = scales.half().float()
    zeros = zeros.clamp(0 if version == 2 else 1, top)
    packed = TorchLinear(bits=bits, group_size=group, sym=sym, desc_act=options["desc_act"], in_features=columns, out_features=rows)
    packed.pack_original(linear, scales, zeros, g_idx.to(torch.int32))
    packed.eval()
    weight = packed.dequantize_weight().T.contiguous()
    weights[f"{name}.weight"] = weight
    exact = (packed.scales.float()[g_idx] * ((weight.T.float() / packed.scales.float()[g_idx]).round())).T
    linear.weight.data = exact.contiguous()
    if version == 1:
        convert_gptq_v2_to_v1_format_module(packed, QuantizeConfig(bits=bits, offload_to_disk=False))
    state.pop(f"{name}.weight")
    for tensor in ["qweight", "qzeros", "scales", "g_idx"]:
        state[f"{name}.{tensor}"] = getattr(packed, tensor)
os.makedirs(out, exist_ok=True)
save_file({name: tensor.contiguous().clone() for name, tensor in state.items()}, f"{out}/model.safetensors", {"format": "pt"})
for file in ["tokenizer.json", "tokenizer_config.json"]:
    if os.path.exists(f"{source}/{file}"):
        shutil.copy(f"{source}/{file}", out)
config = json.load(open(f"{source}/config.json"))
config["quantization_config"] = dict(quant_method="gptq", bits=bits, group_size=group, sym=sym, desc_act=options["desc_act"],
                                     checkpoint_format="gptq" if version == 1 else "gptq_v2")
json.dump(config, open(f"{out}/config.json", "w"))
save_file(weights, f"{out}.safetensors")
with torch.no_grad():
    logits = model(torch.tensor([[int(i) for i in ids.split(",")]])).logits[0]
json.dump({"modules": {"TorchLinear": len(weights)}, "logits": logits.tolist()}, open(f"{out}.json", "w"))
