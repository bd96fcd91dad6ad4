"""llm-compressor on the CPU in float32: AWQ, GPTQ, or GPTQ's rounding behind AWQ's scales."""
import time

import torch
from compressed_tensors.quantization import forward_quantize
from datasets import Dataset
from llmcompressor import oneshot
from llmcompressor.modifiers.gptq import GPTQModifier
from llmcompressor.modifiers.quantization import QuantizationModifier
from llmcompressor.modifiers.transform.awq import AWQModifier
from llmcompressor.pipelines.cache import IntermediatesCache
from transformers import AutoModelForCausalLM

from shared import parse_arguments, print_result, read_blocks, save_float, versions

if not torch.accelerator.is_available():
    # Version 0.14.0 pins the inputs that AWQ keeps, without asking whether there is an accelerator, and raises "Cannot
    # access accelerator device when none is available". Pinned memory only makes copies to a GPU faster.
    IntermediatesCache.pin_memory = lambda self, batch_index: None

options = parse_arguments(__doc__, ["awq", "gptq", "awq-gptq", "rtn"])
torch.set_num_threads(options.threads)
blocks = read_blocks(options)
data = Dataset.from_list([{"input_ids": block, "attention_mask": [1] * len(block)} for block in blocks])
model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32)
names = [name for name, _ in model.named_parameters()]

weights = dict(num_bits=options.bits, type="int", strategy="group", group_size=options.group_size, symmetric=False)
scheme = dict(config_groups={"group_0": dict(targets=["Linear"], weights=weights)}, ignore=["lm_head"])
# Scales from activations and weights, and columns by activation order: what version 0.14.0 does unless told otherwise.
recipe = {
    "awq": [AWQModifier(), QuantizationModifier(**scheme)],
    "gptq": [GPTQModifier(**scheme)],
    "awq-gptq": [AWQModifier(), GPTQModifier(**scheme)],
    "rtn": [QuantizationModifier(**scheme)],
}[options.method]

start = time.time()
oneshot(
    model=model,
    dataset=data,
    recipe=recipe,
    num_calibration_samples=len(blocks),
    max_seq_length=len(blocks[0]),
    shuffle_calibration_samples=False,
)
print_result(
    time.time() - start, versions=versions("llmcompressor", "compressed-tensors", "torch", "transformers")
)
if options.save:
    with torch.no_grad():
        for module in model.modules():
            scheme = getattr(module, "quantization_scheme", None)
            if scheme is not None and scheme.weights is not None:
                module.weight.copy_(forward_quantize(module, module.weight, "weight", scheme.weights))
    save_float(options, {name: model.get_parameter(name) for name in names})
