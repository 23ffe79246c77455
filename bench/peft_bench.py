"""The other side of the training benchmark: the same steps in transformers + peft.

Reads "N" and "case K" lines on stdin and answers like train_bench.cc; of seeds that are trained together it
trains one.
"""
import argparse
import json
import resource
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM


def read_batches(path, device):
    with open(path) as file:
        data = json.load(file)
    rows, length = data["rows"], data["length"]
    batches = []
    for one in data["batches"]:
        tokens = torch.tensor(one["tokens"]).view(rows, length)
        segments = torch.tensor(one["segments"]).view(rows, length)
        shifted = torch.tensor(one["labels"]).view(rows, length)
        # transformers shifts labels itself: position i predicts labels[i + 1].
        labels = torch.full((rows, length), -100)
        labels[:, 1:] = shifted[:, :-1]
        inputs = {"input_ids": tokens, "labels": labels}
        if int(segments.max()) > 0:
            # Documents that follow each other are told by positions that begin anew; there is no padding.
            places = torch.arange(length).expand(rows, length)
            begins = torch.cat([torch.ones(rows, 1, dtype=torch.bool), segments[:, 1:] != segments[:, :-1]], 1)
            inputs["position_ids"] = places - torch.where(begins, places, 0).cummax(1).values
        else:
            inputs["attention_mask"] = (segments >= 0).long()
        batches.append(({name: value.to(device) for name, value in inputs.items()}, int((segments >= 0).sum())))
    return batches


class Device:
    def __init__(self, name):
        self.name = name
        self.cuda = name.startswith("cuda")

    def wait(self):
        if self.cuda:
            torch.cuda.synchronize()

    def peak_bytes(self):
        if self.cuda:
            return torch.cuda.max_memory_reserved()
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    def forget_peak(self):
        if self.cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--batches", required=True, action="append")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--dropout", type=float, default=0.1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    dtype = torch.float32 if args.precision == "fp32" else torch.bfloat16
    device = Device(args.device)
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=dtype).to(args.device)
    model = get_peft_model(model, LoraConfig(
        task_type="CAUSAL_LM", r=16, lora_alpha=32, lora_dropout=args.dropout,
        target_modules=["q_proj", "v_proj", "o_proj", "gate_proj"]))
    model.config.use_cache = False
    model.train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=args.learning_rate, weight_decay=0.0)
    cases = [read_batches(path, args.device) for path in args.batches]
    batches, step = cases[0], 0
    print("ready", flush=True)
    for line in sys.stdin:
        if line.startswith("case "):
            batches = cases[int(line[5:])]
            device.forget_peak()
            print(json.dumps({"case": int(line[5:])}), flush=True)
            continue
        losses, norms, tokens = [], [], 0
        begin = time.monotonic()
        for _ in range(int(line)):
            inputs, real = batches[step % len(batches)]
            step += 1
            tokens += real
            optimizer.zero_grad(set_to_none=True)
            loss = model(**inputs).loss
            loss.backward()
            norms.append(float(torch.nn.utils.clip_grad_norm_(parameters, 1.0)))
            optimizer.step()
            losses.append(float(loss.detach()))
        device.wait()
        seconds = time.monotonic() - begin
        print(json.dumps({"seconds": seconds, "tokens": tokens, "losses": losses,
                          "grad_norms": norms, "peak_bytes": device.peak_bytes()}), flush=True)


if __name__ == "__main__":
    main()
