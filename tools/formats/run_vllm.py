"""Greedy tokens and their log probabilities by vLLM on a CPU. stdin: {"folder", "prompts", "tokens"}; stdout: a JSON line."""
import json, os, sys

os.environ.update(VLLM_LOGGING_LEVEL="ERROR", HF_HUB_OFFLINE="1", VLLM_NO_USAGE_STATS="1", DO_NOT_TRACK="1",
                  VLLM_CPU_KVCACHE_SPACE="1", VLLM_ENABLE_V1_MULTIPROCESSING="0", VLLM_CPU_OMP_THREADS_BIND="nobind")
job = json.load(sys.stdin)
try:
    from vllm import LLM, SamplingParams

    model = LLM(job["folder"], dtype=job.get("dtype", "bfloat16"), enforce_eager=True, max_model_len=128,
                skip_tokenizer_init=True, disable_log_stats=True, max_num_seqs=4)
    options = SamplingParams(temperature=0, max_tokens=job["tokens"], logprobs=1, ignore_eos=True, detokenize=False)
    outputs = model.generate([dict(prompt_token_ids=ids) for ids in job["prompts"]], options, use_tqdm=False)
    kinds = {}

    def count(root):
        for module in root.modules():
            method = getattr(module, "quant_method", None) or getattr(module, "scheme", None)
            kernel = getattr(getattr(module, "scheme", method), "kernel", None)
            if method is not None:
                name = type(method).__name__ + (f" ({type(kernel).__name__})" if kernel else "")
                kinds[name] = kinds.get(name, 0) + 1

    model.apply_model(count)
    made = [dict(ids=list(o.outputs[0].token_ids), logprobs=[p[i].logprob for i, p in zip(o.outputs[0].token_ids, o.outputs[0].logprobs)])
            for o in outputs]
    print("\n" + json.dumps(dict(made=made, kinds=kinds)), flush=True)
except Exception as error:
    print("\n" + json.dumps(dict(error=f"{type(error).__name__}: {error}"[:1500])), flush=True)
