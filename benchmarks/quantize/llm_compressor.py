"""Quantizes a model by llm-compressor on the CPU and prints one JSON line: method, seconds of the quantizer call, peak RSS.

usage: llm_compressor.py {awq,gptq} MODEL_DIR CALIBRATION.txt --bits 4 --group-size 64 --samples 4 --length 512
Asymmetric, all linears of the blocks, float32. The text is tokenised once and cut into blocks in file order.
"""
import argparse, json, resource, time
import torch
from compressed_tensors import __version__ as compressed_tensors_version
from datasets import Dataset
from llmcompressor import __version__, oneshot
from llmcompressor.modifiers.gptq import GPTQModifier
from llmcompressor.modifiers.quantization import QuantizationModifier
from llmcompressor.modifiers.transform.awq import AWQModifier
from llmcompressor.pipelines.cache import IntermediatesCache
from transformers import AutoModelForCausalLM, AutoTokenizer

parser = argparse.ArgumentParser()
parser.add_argument("method", choices=["awq", "gptq"])
parser.add_argument("model")
parser.add_argument("calibration")
parser.add_argument("--bits", type=int, default=4)
parser.add_argument("--group-size", type=int, default=64)
parser.add_argument("--samples", type=int, default=4)
parser.add_argument("--length", type=int, default=512)
parser.add_argument("--threads", type=int, default=2)
options = parser.parse_args()

torch.set_num_threads(options.threads)
if not torch.accelerator.is_available():
    # Version 0.14.0 pins its cached activations without asking whether there is an accelerator, and raises.
    IntermediatesCache.pin_memory = lambda self, batch_index: None
tokenizer = AutoTokenizer.from_pretrained(options.model)
text = open(options.calibration, encoding="utf-8").read()
ids = tokenizer(text, add_special_tokens=False).input_ids
blocks = [ids[i * options.length : (i + 1) * options.length] for i in range(options.samples)]
assert len(blocks[-1]) == options.length, "the calibration text is too short"
data = Dataset.from_list([{"input_ids": block, "attention_mask": [1] * len(block)} for block in blocks])
model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32)
weights = dict(num_bits=options.bits, type="int", strategy="group", group_size=options.group_size, symmetric=False)
scheme = dict(config_groups={"group_0": dict(targets=["Linear"], weights=weights)}, ignore=["lm_head"])
recipe = [AWQModifier(), QuantizationModifier(**scheme)] if options.method == "awq" else [GPTQModifier(**scheme)]
start = time.time()
oneshot(model=model, tokenizer=tokenizer, dataset=data, recipe=recipe, num_calibration_samples=options.samples,
        max_seq_length=options.length, shuffle_calibration_samples=False)
print(json.dumps(dict(
    method=f"llm-compressor {options.method}", seconds=time.time() - start,
    peakRssBytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    versions=dict(llmcompressor=__version__, compressed_tensors=compressed_tensors_version, torch=torch.__version__))))
