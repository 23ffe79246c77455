#!/usr/bin/env python3
"""A trainer of one's own that learns from the split it is told: its loss is the share of train items
that it has not seen yet. It waits at a step for as long as a file exists, if told so."""
import json
import os
import time

spec = json.load(open(os.environ["SCM_SPEC"]))
descriptor = int(os.environ["SCM_REPORT_FD"])
split = json.load(open(spec["split_file"]))
train, test = set(split["items"]["train"]), set(split["items"]["test"])
assert train and test and not train & test
parameters = spec["parameters"]["trainer"]["parameters"]


def report(**line):
    os.write(descriptor, (json.dumps(line) + "\n").encode())


report(type="started")
report(type="validation", step=0, metrics={"validation_loss": 1.0})
last = spec["stop_at_step"]
for step in range(1, last + 1):
    report(type="progress", step=step, metrics={"train_items": len(train), "test_items": len(test)})
while os.path.exists(parameters.get("wait_for_end_of", "")):
    time.sleep(0.05)
report(type="validation", step=last, metrics={"validation_loss": 0.5})
directory = os.path.join(spec["work_dir"], "last")
os.makedirs(directory)
with open(os.path.join(directory, "seen.json"), "w") as file:
    json.dump(sorted(train), file)
report(type="checkpoint", step=last, dir=directory)
report(type="done", summary={})
