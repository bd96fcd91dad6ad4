"""What transformers with gptqmodel makes of a folder of GPTQ or AutoAWQ: logits, and the float16 weights that it computes with.

usage: qweight.py FOLDER IDS OUT.json [--weights OUT.safetensors] [--backend NAME] [--loader gptqmodel]
The torch backends (torch_awq, gptq_torch) dequantize by the formula of the format, in float16, and multiply in float16.
"""
import argparse, json
import torch
from transformers import AutoConfig, AutoModelForCausalLM

parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("ids")
parser.add_argument("out")
parser.add_argument("--weights")
parser.add_argument("--backend")
parser.add_argument("--loader", default="transformers")
args = parser.parse_args()
ids = torch.tensor([[int(i) for i in args.ids.split(",")]])
if args.loader == "gptqmodel":
    from gptqmodel import BACKEND, GPTQModel
    model = GPTQModel.load(args.folder, device="cpu", dtype=torch.float16, backend=BACKEND(args.backend or "auto")).model
else:
    config = AutoConfig.from_pretrained(args.folder)
    if args.backend:
        config.quantization_config["backend"] = args.backend
    model = AutoModelForCausalLM.from_pretrained(args.folder, config=config, dtype=torch.float16, device_map="cpu")
kinds, weights = {}, {}
for name, module in model.named_modules():
    if not hasattr(module, "qweight"):
        continue
    kind = type(module).__name__
    kinds[kind] = kinds.get(kind, 0) + 1
    if args.weights and hasattr(module, "dequantize_weight"):
        weight = module.dequantize_weight()
    elif args.weights:
        weight = module._dequantize_weight_for_inference(torch.zeros(1, module.in_features, dtype=torch.float16), dtype=torch.float16)
    else:
        continue
    weights[f"{name}.weight"] = weight.T.contiguous()
with torch.no_grad():
    logits = model(ids).logits[0].float()
json.dump({"modules": kinds, "logits": logits.tolist()}, open(args.out, "w"))
if args.weights:
    from safetensors.torch import save_file
    save_file(weights, args.weights)
