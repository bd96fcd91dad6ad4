"""onnxruntime-genai: its own greedy search in C++, one token per call. Job on standard input, answer on standard output."""

import json
import resource
import statistics
import sys
import time

import numpy as np
import onnxruntime_genai as genai

job = json.load(sys.stdin)
capacity = max(2048, max(job["contexts"], default=0) + job["generate"] + 2)

start = time.perf_counter()
config = genai.Config(job["model"])
options = {"intra_op_num_threads": job["threads"], "inter_op_num_threads": 1}
config.overlay(json.dumps({"model": {"decoder": {"session_options": options}}}))
model = genai.Model(config)
load_seconds = time.perf_counter() - start


def prefill(length):
    """A generator that has read a prompt of `length` tokens, and the seconds this took."""
    parameters = genai.GeneratorParams(model)
    parameters.set_search_options(max_length=capacity, min_length=capacity, do_sample=False, batch_size=1)
    generator = genai.Generator(model, parameters)
    begin = time.perf_counter()
    generator.append_tokens(np.array(job["prompt"][:length], dtype=np.int32))
    return generator, time.perf_counter() - begin


def decode(length, count):
    """Seconds of `count` tokens; the first one after the prompt only picks from the logits that are there already."""
    generator, _ = prefill(length)
    generator.generate_next_token()
    begin = time.perf_counter()
    for _ in range(count):
        generator.generate_next_token()
    return time.perf_counter() - begin


def repeat(work):
    return statistics.median_high(work() for _ in range(job["repeats"]))


decode(32, 4)
tokens = job["prefill"]
prefill_seconds = repeat(lambda: prefill(tokens)[1])
print(
    json.dumps(
        {
            "decode": [
                {"context": n, "tokensPerSecond": job["generate"] / repeat(lambda: decode(n, job["generate"]))}
                for n in job["contexts"]
            ],
            "prefill": {"tokens": tokens, "tokensPerSecond": tokens / prefill_seconds},
            "loadSeconds": load_seconds,
            "peakRssBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        }
    )
)
