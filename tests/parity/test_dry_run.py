"""scm-trainer --dry-run: the exact shapes of Llama 3.2 as transformers builds them, with weights that are empty, and what
it says of SmolLM2 against what SmolLM2 then takes.

Run with the Python of the oracle environment: python tests/parity/test_dry_run.py --bin-dir build/bin
"""
import json
import os
import pathlib
import random
import re
import subprocess
import tempfile
import unittest

import torch
import transformers

import support
import test_training as training

ROPE = {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192, "rope_theta": 500000.0}
LLAMA = dict(vocab_size=128256, intermediate_size=8192, num_key_value_heads=8, max_position_embeddings=131072,
             rms_norm_eps=1e-5, rope_parameters=ROPE, bos_token_id=128000, eos_token_id=128001)
ONE_B = dict(LLAMA, hidden_size=2048, num_hidden_layers=16, num_attention_heads=32, head_dim=64)
THREE_B = dict(LLAMA, hidden_size=3072, num_hidden_layers=28, num_attention_heads=24, head_dim=128)


def shapes_of(config):
    """Names and shapes of a model's tensors as save_pretrained writes them."""
    with torch.device("meta"):
        model = transformers.LlamaForCausalLM(config)
    shapes = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    if config.tie_word_embeddings:
        del shapes["lm_head.weight"]
    return shapes


def write_empty(folder, config, shapes, shards):
    """config.json and shards of bf16 tensors whose data is a hole in the file, so that no disk is taken."""
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(folder)
    names, index = sorted(shapes), {}
    for number in range(shards):
        header, end = {}, 0
        file = f"model-{number + 1:05d}-of-{shards:05d}.safetensors"
        for name in names[number::shards]:
            size = 2
            for dimension in shapes[name]:
                size *= dimension
            header[name] = {"dtype": "BF16", "shape": shapes[name], "data_offsets": [end, end + size]}
            index[name], end = file, end + size
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with open(folder / file, "wb") as out:
            out.write(len(text).to_bytes(8, "little") + text)
            out.truncate(8 + len(text) + end)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))


class DryRun(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def spec(self, name, model, data=None, **training_keys):
        spec = training.work_order(self.root, "train", name, model, batch_size=4, **training_keys)
        spec["parameters"]["data"] |= {"max_length": 512, "packing": True} | (data or {})
        spec["parameters"]["lora"] |= {"r": 16, "target_modules": training.TARGETS}
        spec |= {"stop_at_step": 1, "save_steps": 1, "eval_steps": 1}
        path = self.root / f"{name}.spec.json"
        path.write_text(json.dumps(spec))
        return path

    def dry(self, *arguments, **keys):
        done = subprocess.run([support.BIN_DIR / "scm-trainer", "--dry-run", self.spec(*arguments, **keys)],
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr

    def bytes_of(self, text):
        return {kind: int(count) for kind, count in re.findall(r"^  (\w+) .* (\d+) bytes", text, re.MULTILINE)}

    def test_llama_of_exact_shape(self):
        for name, keys, tied, shards in (("1B", ONE_B, True, 1), ("1B untied", ONE_B, False, 2),
                                         ("3B", THREE_B, True, 2)):
            with self.subTest(name=name):
                config = transformers.LlamaConfig(**keys, tie_word_embeddings=tied)
                shapes = shapes_of(config)
                folder = self.root / name
                write_empty(folder, config, shapes, shards)
                code, said, error = self.dry("dry", folder, precision="bf16")
                self.assertEqual(code, 0, error)
                parameters = sum(torch.Size(shape).numel() for shape in shapes.values())
                self.assertIn(f"llama, {parameters} parameters; {len(shapes)} tensors are there", said)
                kinds = self.bytes_of(said)
                self.assertEqual(list(kinds), ["weights", "adapters", "optimiser", "activations", "logits", "program",
                                               "together"])
                self.assertEqual(sum(kinds.values()), 2 * kinds["together"])
                self.assertGreaterEqual(kinds["weights"], 2 * parameters)
                print(f"{name}: {said}")
                os.remove(folder / "model.safetensors.index.json")
                for shard in folder.glob("*.safetensors"):
                    os.remove(shard)
                code, alone, error = self.dry("dry", folder, precision="bf16")
                self.assertEqual(code, 0, error)
                self.assertIn(f"{parameters} parameters; no weights are there", alone)
                self.assertEqual(self.bytes_of(alone)["weights"], kinds["weights"])

    def test_wrong_names_and_shapes(self):
        config = transformers.LlamaConfig(**ONE_B, tie_word_embeddings=True)
        good, key = shapes_of(config), "model.layers.3.self_attn.k_proj.weight"
        other = "model.layers.3.self_attn.k_proj.bias"
        for number, (shapes, said) in enumerate((
                (good | {key: [2048, 2048]}, f"tensor {key} has shape [2048, 2048]"),
                ({name: shape for name, shape in good.items() if name != key}, f"tensor {key} is missing"),
                (good | {other: [512]}, f"tensor {other} is no part of a llama model"))):
            with self.subTest(said=said):
                write_empty(self.root / str(number), config, shapes, 1)
                code, text, error = self.dry("dry", self.root / str(number))
                self.assertEqual((code, text), (1, ""))
                self.assertIn(said, error)

    def test_within_five_per_cent_of_smollm2(self):
        training.write_items(self.root / "corpus", random.Random(7))
        path = self.root / "corpus" / "documents" / "all.jsonl"
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for line in lines:
            line["text"] = " ".join(f"{line['text']} {number}" for number in range(200))
        path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
        for precision in ("fp32", "bf16"):
            with self.subTest(precision=precision):
                keys = dict(precision=precision, loss_on="all")
                code, said, error = self.dry("dry", support.smollm2(), **keys)
                self.assertEqual(code, 0, error)
                kinds = self.bytes_of(said)
                spec = self.spec("real", support.smollm2(), **keys)
                with subprocess.Popen([support.BIN_DIR / "scm-trainer", spec], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                    _, status, usage = os.wait4(process.pid, 0)
                    process.returncode = os.waitstatus_to_exitcode(status)
                self.assertEqual(process.returncode, 0)
                ratio = kinds["together"] / (1024 * usage.ru_maxrss)
                print(f"SmolLM2 in {precision}: said {kinds['together']}, took {1024 * usage.ru_maxrss} bytes, "
                      f"ratio {ratio:.3f}\n{said}")
                self.assertLessEqual(abs(ratio - 1), 0.05)


if __name__ == "__main__":
    support.main()
