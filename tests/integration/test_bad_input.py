"""Bad input through the real scmctl: each problem is named with its place, exit 2, nothing stored."""
import json
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest

from mini_cluster import BIN, FAKE, MiniCluster, experiment

SAMPLES = pathlib.Path(__file__).resolve().parents[2] / "samples"


def string(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def gguf(tensors=(), metadata=()) -> bytes:
    """A GGUF file; a tensor is (name, shape, type, bytes), a metadatum (key, type, packed value)."""
    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    for key, kind, value in metadata:
        out += string(key) + struct.pack("<I", kind) + value
    offset = 0
    for name, shape, kind, data in tensors:
        out += string(name) + struct.pack("<I", len(shape))
        out += b"".join(struct.pack("<Q", d) for d in reversed(shape))
        out += struct.pack("<IQ", kind, offset)
        offset += -(-len(data) // 32) * 32
    out += b"\0" * (-len(out) % 32)
    for _, _, _, data in tensors:
        out += data + b"\0" * (-len(data) % 32)
    return out


def safetensors(header: dict, data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = MiniCluster(workers=1)
        cls.before = len(cls.cluster.json("ls")["experiments"])

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="scm-bad-"))
        self.addCleanup(shutil.rmtree, self.directory)

    def refused(self, text: str, *expected: str, verbs=("validate", "plan", "submit")) -> list:
        """Every verb refuses the file, with each text on a line of its own, in this order."""
        path = self.directory / "experiment.yaml"
        path.write_text(text)
        for verb in verbs:
            done = self.cluster.scmctl(verb, path)
            said = done.stderr
            self.assertEqual(done.returncode, 2, f"{verb}: {done.stdout}{said}")
            self.assertEqual(done.stdout, "", verb)
            lines = [line for line in said.splitlines() if line.startswith(str(path))]
            at = 0
            for wanted in expected:
                found = [i for i in range(at, len(lines)) if wanted in lines[i]]
                self.assertTrue(found, f"{verb}: no '{wanted}' from line {at} on in\n{said}")
                at = found[0] + 1
            for sign in ("terminate called", "std::", "Traceback", ".cc:"):
                self.assertNotIn(sign, said)
        self.assertEqual(len(self.cluster.json("ls")["experiments"]), self.before, "stored")
        return lines

    # The file itself.

    def test_every_error_of_the_file_at_once_in_its_order_with_lines_and_suggestions(self):
        text = f"""name: bad
stages: [replicate]
trainer: {{command: [{FAKE}]}}
trianing: {{max_steps: 3}}
training:
  learning_rte: 0.1
  batch_size: eight
  max_steps: 60
  max_steps: 70
  warmup_steps: 900
  save_steps: 20
  eval_steps: 5
replicate: {{seeds: [11]}}
"""
        lines = self.refused(text, ":4: trianing: ", ":6: training.learning_rte: ",
                             ":7: training.batch_size: ", ":9: training.max_steps: ")
        self.assertIn("Did you mean training?", lines[0])
        self.assertIn("Did you mean learning_rate?", lines[1])

    def test_warmup_longer_than_the_training(self):
        self.refused(experiment().replace("warmup_steps: 0", "warmup_steps: 900"),
                     ":5: training.warmup_steps: ")

    def test_rungs_that_are_no_validation_steps_and_a_seed_that_is_not_fresh(self):
        text = experiment(stages="[sweep, replicate]", max_steps=60, extra=(
            "sweep: {search: asha, max_trials: 4, rungs: [7, 60], seed: 11,\n"
            "  space: {training.learning_rate: {log_uniform: [1.0e-4, 1.0e-2]}}}"))
        lines = self.refused(text)
        self.assertTrue(any("rungs" in line and "eval_steps" in line for line in lines), lines)
        self.assertTrue(any("seed" in line and "replicate" in line for line in lines), lines)

    def test_a_file_that_is_not_there_is_a_directory_or_no_yaml(self):
        (self.directory / "quickstart.yaml").write_text("name: x\n")
        for verb in ("validate", "plan", "submit"):
            done = self.cluster.scmctl(verb, self.directory / "quickstrat.yaml")
            self.assertEqual(done.returncode, 2)
            self.assertIn("no such file", done.stderr)
            self.assertIn("Did you mean", done.stderr)
            done = self.cluster.scmctl(verb, self.directory)
            self.assertEqual((done.returncode, "is a directory" in done.stderr), (2, True))
        self.refused("name: [unclosed\n", "experiment.yaml:")
        self.refused("\x00\x01\x02", "experiment.yaml")

    # Models. The corpus is the demonstration's, which is good.

    def with_model(self, model, corpus=None, extra="") -> str:
        return f"""name: model
stages: [replicate]
model: {{base: {model}}}
data: {{corpus: {corpus or SAMPLES / "corpus"}}}
training: {{max_steps: 60, save_steps: 20, eval_steps: 5, warmup_steps: 0}}
replicate: {{seeds: [11]}}
abort: {{no_convergence: none, below_random: none}}
{extra}"""

    def test_a_missing_model_and_a_missing_corpus_are_both_told(self):
        self.refused(self.with_model("nowhere/Llama", "no/corpus"),
                     ":3: model.base: ", ":4: data.corpus: ", verbs=("validate", "submit"))

    def test_a_plan_needs_no_model_yet_but_says_so(self):
        path = self.directory / "experiment.yaml"
        path.write_text(self.with_model("nowhere/Llama"))
        done = self.cluster.scmctl("plan", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("nowhere/Llama does not exist", " ".join(done.stdout.split()))
        path.write_text(self.with_model("nowhere/Llama", "no/corpus"))
        self.assertEqual(self.cluster.scmctl("plan", path).returncode, 2)

    def test_a_gguf_file_that_ends_too_early(self):
        metadata = [("general.architecture", 8, string("llama"))]
        tensor = ("token_embd.weight", (4, 32), 0, bytes(4 * 32 * 4))
        whole = gguf([tensor], metadata)
        for cut, wanted in ((len(whole) - 100, "token_embd.weight"), (40, "model.gguf"),
                            (10, "model.gguf"), (3, "model.gguf")):
            with self.subTest(bytes=cut):
                (self.directory / "model.gguf").write_bytes(whole[:cut])
                lines = self.refused(self.with_model("model.gguf"), ":3: model.base: ")
                self.assertIn(wanted, lines[0])

    def test_a_gguf_tensor_of_a_type_that_is_not_supported_is_named(self):
        metadata = [("general.architecture", 8, string("llama"))]
        data = gguf([("token_embd.weight", (4, 256), 12, bytes(4 * 144))], metadata)
        (self.directory / "model.gguf").write_bytes(data)
        lines = self.refused(self.with_model("model.gguf"), ":3: model.base: ")
        self.assertIn("token_embd.weight", lines[0])
        self.assertIn("Q4_K", lines[0])

    def hugging_face(self, weights: bytes, tokenizer: str = "{}") -> str:
        directory = self.directory / "model"
        directory.mkdir(exist_ok=True)
        (directory / "config.json").write_text(json.dumps({
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 8,
            "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "num_key_value_heads": 2, "vocab_size": 32, "rms_norm_eps": 1e-5,
            "rope_theta": 10000.0, "max_position_embeddings": 64, "tie_word_embeddings": True}))
        (directory / "model.safetensors").write_bytes(weights)
        (directory / "tokenizer.json").write_text(tokenizer)
        return "model"

    def test_a_safetensors_file_that_is_truncated_or_incomplete(self):
        embedding = {"model.embed_tokens.weight":
                     {"dtype": "F32", "shape": [32, 8], "data_offsets": [0, 1024]}}
        lines = self.refused(self.with_model(self.hugging_face(
            safetensors(embedding, bytes(500)))), ":3: model.base: ")
        self.assertIn("model.safetensors", lines[0])
        self.assertIn("model.embed_tokens.weight", lines[0])
        lines = self.refused(self.with_model(self.hugging_face(
            safetensors(embedding, bytes(1024)))), ":3: model.base: ")
        self.assertIn("model.layers.0.", lines[0], "the first tensor that is missing")
        lines = self.refused(self.with_model(self.hugging_face(b"\xff" * 6)), ":3: model.base: ")
        self.assertIn("model.safetensors", lines[0])

    def test_a_tokenizer_that_is_no_json(self):
        names = {"self_attn.q_proj": (8, 8), "self_attn.k_proj": (8, 8), "self_attn.v_proj": (8, 8),
                 "self_attn.o_proj": (8, 8), "mlp.gate_proj": (16, 8), "mlp.up_proj": (16, 8),
                 "mlp.down_proj": (8, 16)}
        shapes = {f"model.layers.0.{name}.weight": shape for name, shape in names.items()}
        shapes.update({"model.layers.0.input_layernorm.weight": (8,),
                       "model.layers.0.post_attention_layernorm.weight": (8,),
                       "model.norm.weight": (8,), "model.embed_tokens.weight": (32, 8)})
        header, offset = {}, 0
        for name, shape in shapes.items():
            size = 4 * shape[0] * (shape[1] if len(shape) > 1 else 1)
            header[name] = {"dtype": "F32", "shape": list(shape),
                            "data_offsets": [offset, offset + size]}
            offset += size
        weights = safetensors(header, bytes(offset))
        for text in ("{\"model\": {", "{}"):
            lines = self.refused(self.with_model(self.hugging_face(weights, text)),
                                 ":3: model.base: ")
            self.assertIn("tokenizer.json", lines[0])

    # Corpora.

    def corpus(self, change) -> str:
        """The demonstration corpus with the lines of its first item file changed."""
        directory = self.directory / "corpus"
        shutil.rmtree(directory, ignore_errors=True)
        shutil.copytree(SAMPLES / "corpus", directory)
        path = sorted((directory / "items").glob("*.jsonl"))[0]
        lines = path.read_text().splitlines()
        path.write_text("\n".join(change(lines)) + "\n")
        self.item_file = f"items/{path.name}"
        return "corpus"

    def with_corpus(self, corpus) -> str:
        # A model that is broken too: both are told, the model first, as the file names it first.
        (self.directory / "model.gguf").write_bytes(b"GGUF")
        return self.with_model("model.gguf", corpus)

    def changed(self, key, value):
        def change(lines):
            item = json.loads(lines[2])
            if value is None:
                del item[key]
            else:
                item[key] = value
            return [*lines[:2], json.dumps(item), *lines[3:]]
        return change

    def test_a_line_that_is_no_json_a_gold_out_of_range_and_a_missing_field(self):
        for change, wanted in ((lambda lines: [*lines[:2], lines[2][:-5], *lines[3:]], "JSON"),
                               (self.changed("gold", 99), "gold"),
                               (self.changed("prompt", None), "prompt"),
                               (self.changed("document", "nobody"), "nobody")):
            with self.subTest(wanted=wanted):
                lines = self.refused(self.with_corpus(self.corpus(change)), ":3: model.base: ",
                                     ":4: data.corpus: ")
                told = [line for line in lines if f"{self.item_file}:3:" in line]
                self.assertTrue(told and wanted in told[0], lines)

    def test_the_same_question_in_train_and_test(self):
        def change(lines):
            item = json.loads(lines[0])
            item["split"] = "test"
            copy = dict(item, id=item["id"] + "-copy", split="train")
            return [json.dumps(item), *lines[1:], json.dumps(copy)]
        text = self.with_model("", self.corpus(change)).replace("model: {base: }\n", "")
        model = next((p for p in [SAMPLES.parent / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf"]
                      if p.exists()), None)
        if model is None:
            print("no model here: leakage is looked for by the unit tests of corpus/ only",
                  flush=True)
            return
        lines = self.refused(self.with_model(model, "corpus"), ":4: data.corpus: ")
        self.assertTrue(any("more than one split" in line or "train" in line for line in lines))
        del text

    # The command line, and no coordinator.

    def test_bad_usage_is_exit_2_and_names_the_word(self):
        for words in (["sumbit", "x"], ["status"], ["ls", "--outptu", "json"], ["ls", "-o", "xml"],
                      ["local", "up", "--workers", "0"], []):
            done = self.cluster.scmctl(*words)
            self.assertEqual(done.returncode, 2, words)
            self.assertTrue(done.stderr.strip(), words)
        done = self.cluster.scmctl("status", "no-such-thing")
        self.assertEqual(done.returncode, 2)
        self.assertIn("no-such-thing", done.stderr)

    def test_what_no_worker_has_is_exit_5(self):
        path = self.directory / "experiment.yaml"
        path.write_text(experiment(extra="resources: {gpus: 64, cpus: 1}"))
        done = self.cluster.scmctl("plan", path)
        self.assertEqual(done.returncode, 5, done.stdout + done.stderr)
        self.assertIn("64 GPUs", done.stdout)

    def test_without_a_coordinator_every_command_says_how_to_start_one(self):
        environment = dict(os.environ, SCM_HOME=str(self.directory / "home"))
        environment.pop("SCM_COORDINATOR", None)
        for words in (["ls"], ["status", "x"], ["why", "r-1"], ["watch", "x"], ["workers", "ls"]):
            done = subprocess.run([BIN / "scmctl", *words], env=environment, text=True,
                                  capture_output=True)
            self.assertEqual(done.returncode, 6, words)
            self.assertIn("scmctl local up", done.stderr)
            self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    unittest.main(verbosity=2)
