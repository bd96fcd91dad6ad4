"""Small random models that other programs' quantizers and kernels take: rows and columns by 32, heads of 32 or 64.

Weights have columns that stand out, as those of trained models have, so that scales, clips and orders are found which are not
trivial. Calibration tokens come from a walk over the vocabulary that goes to few neighbours.
"""
import json, os
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

VOCABULARY = 320
COMMON = dict(vocab_size=VOCABULARY, num_hidden_layers=2, max_position_embeddings=256, bos_token_id=1, eos_token_id=2)
KINDS = {
    # AutoAWQ's search for clips takes rows by 64
    "llama": dict(model_type="llama", hidden_size=192, intermediate_size=448, num_attention_heads=6, num_key_value_heads=6,
                  tie_word_embeddings=False),
    "llama-tied": dict(model_type="llama", hidden_size=128, intermediate_size=320, num_attention_heads=4,
                       num_key_value_heads=2, tie_word_embeddings=True),
    # five heads, none shared; 352 = 11 * 32, 160 = 5 * 32
    "llama-odd": dict(model_type="llama", hidden_size=160, intermediate_size=352, num_attention_heads=5,
                      num_key_value_heads=5, tie_word_embeddings=False),
    "qwen2": dict(model_type="qwen2", hidden_size=192, intermediate_size=448, num_attention_heads=6, num_key_value_heads=2,
                  tie_word_embeddings=True),
    "qwen3": dict(model_type="qwen3", hidden_size=128, intermediate_size=320, num_attention_heads=4, num_key_value_heads=2,
                  head_dim=64, tie_word_embeddings=False),
    "mistral": dict(model_type="mistral", hidden_size=128, intermediate_size=320, num_attention_heads=4,
                    num_key_value_heads=2, head_dim=32, sliding_window=None, tie_word_embeddings=False),
    "gemma2": dict(model_type="gemma2", hidden_size=128, intermediate_size=256, num_attention_heads=4, num_key_value_heads=2,
                   head_dim=32, query_pre_attn_scalar=32, tie_word_embeddings=True),
    "phi3": dict(model_type="phi3", hidden_size=128, intermediate_size=256, num_attention_heads=4, num_key_value_heads=2,
                 pad_token_id=0, tie_word_embeddings=False),
    "mixtral": dict(model_type="mixtral", hidden_size=128, intermediate_size=192, num_attention_heads=4,
                    num_key_value_heads=2, num_local_experts=4, num_experts_per_tok=2, tie_word_embeddings=False),
    "qwen3-moe": dict(model_type="qwen3_moe", hidden_size=128, intermediate_size=192, moe_intermediate_size=96,
                      num_attention_heads=4, num_key_value_heads=2, head_dim=32, num_experts=4, num_experts_per_tok=2,
                      norm_topk_prob=True, tie_word_embeddings=False),
}


def tokenizer():
    words = {f"w{i}": i for i in range(VOCABULARY)}
    inner = Tokenizer(models.WordLevel(words, unk_token="w0"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="w0", bos_token="w1", eos_token="w2", pad_token="w0")


def make(kind, folder, dtype=torch.float16):
    """Writes a model of a kind; the folder."""
    torch.manual_seed(sorted(KINDS).index(kind) + 1)
    options = {**COMMON, **KINDS[kind]}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(options.pop("model_type"), **options))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                spread = torch.rand(parameter.shape) * (0.5 if name.endswith("bias") else 1)
                parameter.copy_(spread - 0.25 if name.endswith("bias") else spread + 0.5)
            else:
                width = parameter.shape[-1]
                columns = torch.exp(torch.randn(width) * 0.7)
                parameter.copy_(torch.randn(parameter.shape) * columns * (0.8 / width**0.5))
    model.to(dtype).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def blocks(count, length, seed=0):
    """Tokens for a calibration, as lists of ids."""
    state = torch.Generator().manual_seed(seed)
    near = torch.randint(3, VOCABULARY, (VOCABULARY, 6), generator=state)
    found = []
    for _ in range(count):
        ids = [int(torch.randint(3, VOCABULARY, (1,), generator=state))]
        while len(ids) < length:
            ids.append(int(near[ids[-1], int(torch.randint(0, 6, (1,), generator=state))]))
        found.append(ids)
    return found


PROMPT = [1, 50, 282, 37, 123, 99, 40, 17, 300, 5, 211]


def reference(source, weights, out):
    """Logits of the float32 model at `source` with some of its weights replaced, and these weights, as OUT.json and OUT.safetensors."""
    from safetensors.torch import save_file

    model = AutoModelForCausalLM.from_pretrained(source, torch_dtype=torch.float32, attn_implementation="eager").eval()
    missing = model.load_state_dict(weights, strict=False)
    assert not missing.unexpected_keys, missing.unexpected_keys
    with torch.no_grad():
        logits = model(torch.tensor([PROMPT])).logits[0]
    save_file({name: weight.contiguous().clone() for name, weight in weights.items()}, f"{out}.safetensors")
    with open(f"{out}.json", "w") as file:
        json.dump(dict(ids=PROMPT, logits=logits.tolist()), file)
    return logits


if __name__ == "__main__":
    # usage: small_models.py FOLDER KIND [KIND ...]: a model of each kind in FOLDER/KIND
    import sys

    for kind in sys.argv[2:]:
        make(kind, os.path.join(sys.argv[1], kind))
