"""AutoAWQ on the CPU in float32: scales, clip and its own rounding.

It finds scales and clips at any number of bits but packs 4 bits alone. Here the weights are rounded by its own function
and stay floats, which is the same at 4 bits and possible at 2 and 3.
"""
import time

import torch
from awq import AutoAWQForCausalLM
from awq.utils.module import get_named_linears
from transformers import AutoTokenizer

from repaired_autoawq import RepairedQuantizer
from shared import parse_arguments, print_result, read_blocks, save_float, versions


options = parse_arguments(__doc__)
torch.set_num_threads(options.threads)
blocks = read_blocks(options)
tokenizer = AutoTokenizer.from_pretrained(options.model)
model = AutoAWQForCausalLM.from_pretrained(options.model, torch_dtype=torch.float32, safetensors=True)

start = time.time()
model.quantize(
    tokenizer,
    quant_config=dict(zero_point=True, q_group_size=options.group_size, w_bit=options.bits, version="GEMM"),
    calib_data=blocks,
    max_calib_samples=len(blocks),
    max_calib_seq_len=len(blocks[0]),
    export_compatible=True,
    quantizer_cls=RepairedQuantizer,
)
with torch.no_grad():
    for layer in model.quantizer.modules:
        for linear in get_named_linears(layer).values():
            linear.weight.copy_(model.quantizer.pseudo_quantize_tensor(linear.weight)[0])
print_result(time.time() - start, versions=versions("autoawq", "torch", "transformers"))
if options.save:
    save_float(options, dict(model.model.named_parameters()))
