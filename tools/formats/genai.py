"""Generates with onnxruntime-genai. Reads a job from stdin and prints what transformersjs.mjs prints."""

import json
import sys
import time

import numpy as np
import onnxruntime_genai as og

job = json.load(sys.stdin)
model = og.Model(job["folder"])
tokenizer = og.Tokenizer(model) if "texts" in job else None
prompts = [[int(i) for i in tokenizer.encode(t)] for t in job["texts"]] if tokenizer else job["prompts"]
pad = json.load(open(job["folder"] + "/genai_config.json"))["model"]["pad_token_id"]


def generate(rows):
    width = max(len(row) for row in rows)
    params = og.GeneratorParams(model)
    params.set_search_options(
        max_length=width + job["tokens"], do_sample=False, batch_size=len(rows)
    )
    generator = og.Generator(model, params)
    generator.append_tokens(np.array([row + [pad] * (width - len(row)) for row in rows], dtype=np.int32))
    while not generator.is_done():
        generator.generate_next_token()
    return [[int(i) for i in generator.get_sequence(n)][width:] for n in range(len(rows))]


started = time.time()
ids = generate(prompts) if job.get("batch") else [row for prompt in prompts for row in generate([prompt])]
seconds = time.time() - started
texts = [tokenizer.decode(row) for row in ids] if tokenizer else None
print(json.dumps({"prompts": prompts, "ids": ids, "texts": texts, "seconds": seconds}))
