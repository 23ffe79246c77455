"""scm-trainer, with a learning rate that is too large by far for one seed of its pack: sys.argv[1] is that seed, or
"none", and sys.argv[2] the directory of scm-trainer."""
import json
import os
import sys

with open(os.environ["SCM_SPEC"]) as file:
    spec = json.load(file)
for run in spec.get("runs") or []:
    if str(run["seed"]) == sys.argv[1]:
        run["parameters"]["training"]["learning_rate"] = 1e38
spec_path = os.path.join(spec["work_dir"], "spec.json")
with open(spec_path, "w") as file:
    json.dump(spec, file)
program = os.path.join(sys.argv[2], "scm-trainer")
os.execve(program, [program], dict(os.environ, SCM_SPEC=spec_path))
