"""What AutoAWQ makes of our folders of its format. stdin: {"folders", "ids"}; stdout: a JSON line for each folder.

Each matrix' codes and zero points by AutoAWQ's own unpacking and its float16 weights by its own dequantization go to
FOLDER.safetensors. GEMM folders are loaded and run by AutoAWQ itself too; GEMV runs on CUDA alone, so its matrices are packed again by
AutoAWQ from what was unpacked, which must give the folder's words.
"""
import json, sys, warnings

warnings.simplefilter("ignore")
from pathlib import Path
import awq.models.base
import torch
from awq import AutoAWQForCausalLM
from awq.modules.linear.gemv import WQLinear_GEMV
from awq.utils.packing_utils import dequantize_gemm
from awq.utils.quant_utils import dequantize
from safetensors.torch import load_file, save_file
from unpack_autoawq import unpacked

# On a CPU it insists on ipex, which it does not need: its modules multiply by dequantize_gemm.
awq.models.base.get_best_device = lambda: "cuda:0"
job = json.load(sys.stdin)
for folder in map(Path, job["folders"]):
    config = json.loads((folder / "config.json").read_text())["quantization_config"]
    version, group = config["version"], config["group_size"]
    tensors, found, again = {}, {}, 0
    for file in folder.glob("*.safetensors"):
        tensors.update(load_file(file))
    for name in [name.removesuffix(".qweight") for name in tensors if name.endswith(".qweight")]:
        parts = [tensors[f"{name}.{part}"] for part in ("qweight", "qzeros", "scales")]
        codes, zeros, scales = unpacked(version, *parts, group)
        size = group if group > 0 else codes.shape[1]
        if version == "gemm":
            weight = dequantize_gemm(*parts, 4, size).T.contiguous()
        else:
            weight = dequantize(codes.T, scales.T, zeros.T, size).T.contiguous()
            linear = torch.nn.Linear(codes.shape[1], codes.shape[0], bias=False)
            spread = lambda values: values.float().repeat_interleave(size, 1)
            linear.weight.data = (codes.float() - spread(zeros)) * spread(scales)
            packed = WQLinear_GEMV.from_linear(linear, 4, size, False, scales, zeros)
            again += all(torch.equal(getattr(packed, part), own) for part, own in zip(("qweight", "qzeros", "scales"), parts))
        found |= {f"{name}.codes": codes, f"{name}.zeros": zeros, f"{name}.scales": scales, f"{name}.weight": weight}
    save_file({name: tensor.contiguous() for name, tensor in found.items()}, f"{folder}.safetensors")
    line = dict(matrices=len(found) // 4, again=again)
    model = AutoAWQForCausalLM.from_quantized(str(folder), fuse_layers=False, device_map={"": "cpu"})
    kinds = [type(module).__name__ for module in model.model.modules() if "WQLinear" in type(module).__name__]
    line["loaded"] = {kind: kinds.count(kind) for kind in set(kinds)}
    if version == "gemm":
        with torch.no_grad():
            line["logits"] = model.model(torch.tensor([job["ids"]])).logits[0].float().tolist()
    print("\n" + json.dumps(line), flush=True)
