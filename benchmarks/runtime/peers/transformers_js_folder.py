"""Lays the model that genai's builder made out as transformers.js wants it: python transformers_js_folder.py GENAI MODEL OUT

transformers.js sizes its empty cache by the graph's input shapes and takes every symbolic dimension as 0; the builder
leaves the head size symbolic, so it is written in here.
"""

import json
import os
import shutil
import sys

import onnx

source, model_folder, output = sys.argv[1:4]
name = "model_q4.onnx"
with open(os.path.join(model_folder, "config.json")) as file:
    config = json.load(file)
head_size = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]

model = onnx.load(os.path.join(source, "model.onnx"), load_external_data=False)
for tensor in model.graph.initializer:
    for entry in tensor.external_data:
        if entry.key == "location":
            entry.value = name + "_data"
for value in (*model.graph.input, *model.graph.output):
    cache = value.name.startswith(("past_key_values.", "present."))
    shape = value.type.tensor_type.shape.dim
    if cache and shape[3].dim_value == 0:
        shape[3].dim_value = head_size

os.makedirs(os.path.join(output, "onnx"))
onnx.save(model, os.path.join(output, "onnx", name))
shutil.copyfile(os.path.join(source, "model.onnx.data"), os.path.join(output, "onnx", name + "_data"))
for file in ("config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json"):
    if os.path.exists(os.path.join(model_folder, file)):
        shutil.copyfile(os.path.join(model_folder, file), os.path.join(output, file))
