"""Quantizes a model with gptqmodel, for proofs that its files are read.

usage: make_gptq_model.py MODEL OUT TEXT '{"bits": 4, "group_size": 64, "desc_act": true, "sym": false, "format": "gptq_v2"}'
"""
import json, sys
from gptqmodel import BACKEND, GPTQModel, QuantizeConfig

source, out, text, options = sys.argv[1:]
lines = [line for line in open(text, encoding="utf-8").read().split("\n") if len(line) > 200][:32]
model = GPTQModel.load(source, QuantizeConfig(**json.loads(options), device="cpu", offload_to_disk=False), backend=BACKEND.AUTO)
model.quantize([line[:1500] for line in lines], batch_size=4)
model.save(out)
