"""What scmctl says at validate and plan about a model and a corpus that can be trained, but not as meant."""
import json
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from mini_cluster import BIN
from test_bad_input import SAMPLES, safetensors

SPECIAL = ["<|im_start|>", "<|im_end|>"]
MODULES = {"self_attn.q_proj": (8, 8), "self_attn.k_proj": (8, 8), "self_attn.v_proj": (8, 8),
           "self_attn.o_proj": (8, 8), "mlp.gate_proj": (16, 8), "mlp.up_proj": (16, 8), "mlp.down_proj": (8, 16)}


def byte_letters():
    """The characters that stand for bytes in byte-level vocabularies."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(b) for b in plain] + [chr(256 + i) for i in range(256 - len(plain))]


class InputWarnings(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="scm-warnings-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.model = self.directory / "model"
        self.model.mkdir()
        self.write_model()
        shutil.copytree(SAMPLES / "corpus", self.directory / "corpus")

    def write_model(self, own_head=False):
        shapes = {f"model.layers.0.{name}.weight": shape for name, shape in MODULES.items()}
        shapes |= {"model.layers.0.input_layernorm.weight": (8,), "model.norm.weight": (8,),
                   "model.layers.0.post_attention_layernorm.weight": (8,), "model.embed_tokens.weight": (258, 8)}
        if own_head:
            shapes["lm_head.weight"] = (258, 8)
        header, data = {}, b""
        for name, shape in shapes.items():
            size = 4 * shape[0] * (shape[1] if len(shape) > 1 else 1)
            header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [len(data), len(data) + size]}
            data += (b"\0\0\x80\x3f" if name == "lm_head.weight" else b"\0\0\0\0") * (size // 4)
        (self.model / "model.safetensors").write_bytes(safetensors(header, data))
        (self.model / "config.json").write_text(json.dumps({
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 8, "intermediate_size": 16,
            "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "vocab_size": 258,
            "max_position_embeddings": 256, "eos_token_id": 257, "tie_word_embeddings": True}))
        (self.model / "tokenizer.json").write_text(json.dumps({
            "version": "1.0", "normalizer": None, "post_processor": None, "decoder": {"type": "ByteLevel"},
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
            "added_tokens": [{"id": 256 + i, "content": t, "special": True} for i, t in enumerate(SPECIAL)],
            "model": {"type": "BPE", "vocab": {c: i for i, c in enumerate(byte_letters())}, "merges": []}}))
        (self.model / "tokenizer_config.json").write_text(json.dumps({"eos_token": SPECIAL[1]}))

    def change_prompts(self, change):
        """The number of items whose prompts were changed."""
        count = 0
        for path in sorted((self.directory / "corpus" / "items").glob("*.jsonl")):
            items = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            for item in items:
                item["prompt"] = change(item["prompt"])
            path.write_text("".join(json.dumps(i, ensure_ascii=False) + "\n" for i in items), encoding="utf-8")
            count += len(items)
        return count

    def warnings(self, **data):
        """{key: messages} of validate, which plan has too."""
        path = self.directory / "experiment.yaml"
        settings = {"corpus": "corpus", "max_length": 256} | data
        path.write_text(
            f"name: warned\nstages: [replicate]\nmodel: {{base: model}}\ndata: {json.dumps(settings)}\n"
            "training: {max_steps: 60, save_steps: 20, eval_steps: 5, warmup_steps: 0}\n"
            "replicate: {seeds: [11]}\nabort: {no_convergence: none, below_random: none}\n")
        done = subprocess.run([BIN / "scmctl", "validate", path, "-o", "json"], capture_output=True, text=True)
        answer = json.loads(done.stdout)
        self.assertEqual(answer["errors"], [], done.stderr)
        planned = subprocess.run([BIN / "scmctl", "plan", path, "-o", "json"], capture_output=True, text=True,
                                 env={"SCM_HOME": str(self.directory / "home"), "PATH": "/usr/bin:/bin"})
        found = {}
        for warning in answer["warnings"]:
            self.assertIn(warning["message"], json.loads(planned.stdout)["warnings"])
            found.setdefault(warning["key"], []).append(warning["message"])
        return {key: [m for m in messages if "corpus" not in m.split()[0]] for key, messages in found.items()}

    def of(self, key, part, **data):
        return [message for message in self.warnings(**data).get(key, []) if part in message]

    def test_a_good_model_and_corpus_give_no_warning_of_this_kind(self):
        self.assertEqual(self.warnings().get("model.base", []), [])
        self.assertEqual(self.of("data.corpus", "special token"), [])

    def test_markup_of_the_models_special_tokens(self):
        count = self.change_prompts(lambda p: f"<|im_start|>user\n{p}<|im_end|>\n<|im_start|>assistant\n")
        told = self.of("data.corpus", "special token")
        self.assertEqual(len(told), 1, told)
        self.assertIn(f"{count} of {count} items", told[0])
        self.assertIn('"<|im_start|>" in items/', told[0])
        self.assertIn("data.special_tokens: parse", told[0])
        self.assertEqual(self.of("data.corpus", "special token", special_tokens="parse"), [])

    def test_a_length_beyond_the_models_positions(self):
        told = self.of("model.base", "data.max_length", max_length=257)
        self.assertEqual(len(told), 1, told)
        self.assertIn("257", told[0])
        self.assertIn("256 positions", told[0])

    def test_files_that_other_programs_read_otherwise(self):
        self.write_model(own_head=True)
        (self.model / "tokenizer_config.json").write_text(json.dumps(
            {"eos_token": SPECIAL[1], "add_bos_token": True, "tokenizer_class": "Qwen2Tokenizer"}))
        told = self.warnings()["model.base"]
        for part in ("tie_word_embeddings", "add_bos_token", "Qwen2Tokenizer"):
            self.assertEqual(len([message for message in told if part in message]), 1, told)

    def test_an_end_token_that_is_missing_or_ends_nothing(self):
        (self.model / "generation_config.json").write_text(json.dumps({"eos_token_id": 5}))
        self.assertEqual(len(self.of("model.base", "generation stops at 5 only")), 1)
        self.assertEqual(self.of("model.base", "generation stops", end_token=False), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
