#!/usr/bin/env python3
"""A whole trainer for scm in the standard library: it fits a line to points (docs/trainer-protocol.md).

It shows what any trainer must do: read the file SCM_SPEC, write JSON lines to the descriptor
SCM_REPORT_FD, obey JSON lines on standard input, and resume exactly. Nothing of it is a language model.
"""
import json, math, os, queue, random, sys, threading

with open(os.environ["SCM_SPEC"]) as file:
    spec = json.load(file)
reports = os.fdopen(int(os.environ["SCM_REPORT_FD"]), "w", buffering=1)
commands = queue.Queue()
threading.Thread(target=lambda: [commands.put(json.loads(line)) for line in sys.stdin],
                 daemon=True).start()
training, seed = spec["parameters"]["training"], spec["run"]["seed"]
VALIDATION = [i / 10 - 1 for i in range(21)]


def report(word, /, **fields):
    reports.write(json.dumps({"type": word, **fields}) + "\n")


def loss(w, b, xs):
    errors = [w * x + b - (3 * x + 1) for x in xs]
    return sum(e * e for e in errors) / len(xs)  # e ** 2 raises where e * e is infinite


def validate(step, w, b):
    report("validation", step=step, metrics={"validation_loss": loss(w, b, VALIDATION)})


def save(step, w, b):
    directory = os.path.join(spec["work_dir"], f"step-{step}")
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "line.json"), "w") as out:
        json.dump({"step": step, "w": w, "b": b}, out)
    report("checkpoint", step=step, dir=directory)  # complete from here on


def main():
    step, w, b, saved = 0, 0.0, 0.0, 0
    if spec["resume_from"]:
        with open(os.path.join(spec["resume_from"]["dir"], "line.json")) as state:
            saved = json.load(state)
        step, w, b, saved = saved["step"], saved["w"], saved["b"], saved["step"]
    report("started")
    if step == 0:
        validate(0, w, b)  # what the abort rules compare with
    while step < spec["stop_at_step"]:
        step += 1
        rng = random.Random(f"{seed}/{step}")  # a function of seed and step: resuming changes nothing
        xs = [rng.uniform(-1, 1) for _ in range(training["batch_size"])]
        train_loss = loss(w, b, xs)
        errors = [w * x + b - (3 * x + 1) for x in xs]
        w -= training["learning_rate"] * 2 * sum(e * x for e, x in zip(errors, xs)) / len(xs)
        b -= training["learning_rate"] * 2 * sum(errors) / len(xs)
        report("progress", step=step, metrics={"train_loss": train_loss})
        if not math.isfinite(train_loss):
            report("failed", kind="diverged", message=f"the loss is {train_loss} at step {step}")
            return 1
        last = step == spec["stop_at_step"]
        save_due = last or step % spec["save_steps"] == 0
        if save_due or step % spec["eval_steps"] == 0:
            validate(step, w, b)
        stop = None
        while not commands.empty():
            command = commands.get()
            stop = command if command["cmd"] == "stop" else stop
            save_due = save_due or command["cmd"] == "checkpoint" or command.get("checkpoint", False)
        if save_due and saved != step:
            save(step, w, b)
        if stop:
            report("stopped", step=step)
            return 0
    report("done", summary={"final_step": step, "stopped_early": False})
    return 0


if __name__ == "__main__":
    sys.exit(main())
