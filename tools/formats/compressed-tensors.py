"""Logits of folders by transformers with compressed-tensors. stdin: {"folders", "prompts"}; stdout: a JSON line for each folder."""
import json, os, sys

os.environ["TQDM_DISABLE"] = "1"
import torch
from transformers import AutoModelForCausalLM, logging

logging.set_verbosity_error()
logging.disable_progress_bar()
job = json.load(sys.stdin)
for folder in job["folders"]:
    try:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
        with torch.no_grad():
            logits = [model(torch.tensor([ids])).logits[0, -1].float().tolist() for ids in job["prompts"]]
        print(json.dumps(dict(logits=logits)), flush=True)
    except Exception as error:
        print(json.dumps(dict(error=f"{type(error).__name__}: {error}"[:300])), flush=True)
