"""A whole model quantized by gptqmodel with calibration, and what it stands for by gptqmodel's own dequantization.

usage: make_gptq_calibrated.py KIND OUT '{"bits": 4, "group_size": 64, "desc_act": true, "sym": false, "format": "gptq_v2"}'
KIND is one of small_models.py; the options are QuantizeConfig's. Writes OUT/ (what gptqmodel saves), OUT.safetensors and OUT.json
(see small_models.reference).
"""
import json, os, sys

# No compiler is there; on two cores it has one worker, and a pool inside that wants two.
os.environ.update(TORCHDYNAMO_DISABLE="1", GPTQMODEL_DISABLE_PACK_EXT="1", GPTQMODEL_CPU_WORKERS="2")
import torch
from gptqmodel import BACKEND, GPTQModel, QuantizeConfig
from small_models import blocks, make, reference

kind, out, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
source = make(kind, f"{out}-float")
config = QuantizeConfig(**options, device="cpu", offload_to_disk=False)
model = GPTQModel.load(source, config, backend=BACKEND.AUTO)
model.quantize([dict(input_ids=ids, attention_mask=[1] * len(ids)) for ids in blocks(16, 64)], batch_size=1)
model.save(out)
loaded = GPTQModel.load(out, device="cpu", dtype=torch.float16, backend=BACKEND.GPTQ_TORCH).model
weights, packed = {}, set()
for name, module in loaded.named_modules():
    if hasattr(module, "qweight"):
        module.scales = module.scales.float()
        weights[f"{name}.weight"] = module.dequantize_weight().T.float().contiguous()
        packed.add(name)
        if module.bias is not None:
            weights[f"{name}.bias"] = module.bias.float()
for name, tensor in loaded.state_dict().items():
    if name.rsplit(".", 1)[0] not in packed:
        weights[name] = tensor.float()
if loaded.config.tie_word_embeddings:
    del weights["lm_head.weight"]
reference(source, weights, out)
