"""Codes [out, in], zero points and scales [out, groups] of a matrix of AutoAWQ, by AutoAWQ's own functions."""
import torch
from awq.modules.linear.gemv import calculate_zeros_width
from awq.utils.packing_utils import reverse_awq_order, unpack_awq
from awq.utils.quant_utils import unpack


def unpacked(version, qweight, qzeros, scales, group):
    if version == "gemm":
        codes, zeros = reverse_awq_order(*unpack_awq(qweight, qzeros, 4), 4)
        return (codes & 15).T.contiguous(), (zeros & 15).T.contiguous(), scales.T.contiguous()
    # GEMV's forward is CUDA's alone; its words are those of quant_utils along the columns, groups padded.
    codes = unpack(qweight, "column")
    groups = codes.shape[1] // group
    assert qzeros.shape[1] == calculate_zeros_width(codes.shape[1], group), qzeros.shape
    return codes, unpack(qzeros, "column")[:, :groups].contiguous(), scales[:, :groups].contiguous()
