"""The other side of the scoring benchmark: the same choices by lm-evaluation-harness over transformers.

Answers lines on stdin like score_bench.cc. The harness is asked below its tokenizer, with token ids, so that
both sides score the same.
"""
import argparse
import json
import logging
import resource
import sys
import time

import torch
from lm_eval.models.huggingface import HFLM
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--items", required=True)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=16)
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    torch.set_num_threads(args.threads)
    dtype = torch.float32 if args.precision == "fp32" else torch.bfloat16
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=dtype).eval()
    words = WordLevel({"<pad>": 0, "word": 1}, unk_token="<pad>")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(words), pad_token="<pad>", eos_token="<pad>")
    harness = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=args.batch_size, device="cpu")
    with open(args.items) as file:
        items = json.load(file)["items"]
    requests = [((str(i), str(j)), item["prompt"], choice)
                for i, item in enumerate(items) for j, choice in enumerate(item["choices"])]
    print("ready", flush=True)
    for _ in sys.stdin:
        begin = time.monotonic()
        scores = harness._loglikelihood_tokens(requests, disable_tqdm=True)
        seconds = time.monotonic() - begin
        print(json.dumps({"seconds": seconds, "log_likelihoods": [score for score, _ in scores],
                          "peak_rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}), flush=True)


if __name__ == "__main__":
    main()
