"""The other side of the training benchmark: the same steps in transformers + peft.

Reads "N" lines on stdin and answers like train_bench.cc.
"""
import argparse
import json
import resource
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM


def read_batches(path):
    with open(path) as file:
        data = json.load(file)
    rows, length = data["rows"], data["length"]
    batches = []
    for one in data["batches"]:
        tokens = torch.tensor(one["tokens"]).view(rows, length)
        mask = (torch.tensor(one["segments"]).view(rows, length) >= 0).long()
        shifted = torch.tensor(one["labels"]).view(rows, length)
        # transformers shifts labels itself: position i predicts labels[i + 1].
        labels = torch.full((rows, length), -100)
        labels[:, 1:] = shifted[:, :-1]
        batches.append((tokens, mask, labels))
    return batches


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--batches", required=True)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--dropout", type=float, default=0.1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    dtype = torch.float32 if args.precision == "fp32" else torch.bfloat16
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=dtype)
    model = get_peft_model(model, LoraConfig(
        task_type="CAUSAL_LM", r=16, lora_alpha=32, lora_dropout=args.dropout,
        target_modules=["q_proj", "v_proj", "o_proj", "gate_proj"]))
    model.config.use_cache = False
    model.train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=args.learning_rate, weight_decay=0.0)
    batches = read_batches(args.batches)
    step = 0
    print("ready", flush=True)
    for line in sys.stdin:
        losses, norms, tokens = [], [], 0
        begin = time.monotonic()
        for _ in range(int(line)):
            ids, mask, labels = batches[step % len(batches)]
            step += 1
            tokens += int(mask.sum())
            optimizer.zero_grad(set_to_none=True)
            loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
            loss.backward()
            norms.append(float(torch.nn.utils.clip_grad_norm_(parameters, 1.0)))
            optimizer.step()
            losses.append(float(loss.detach()))
        seconds = time.monotonic() - begin
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({"seconds": seconds, "tokens": tokens, "losses": losses,
                          "grad_norms": norms, "peak_rss": peak}), flush=True)


if __name__ == "__main__":
    main()
