"""Tokenizers and model files against the reference libraries.

Run: PYTHON tests/parity/test_tokenizer.py --bin-dir build/bin
"""
import json
import pathlib
import tempfile
import unittest

import numpy
import support
from texts import varied_texts

SEED = 20240607
COUNT = 100_000


def our_ids(model, texts, folder, special):
    path = pathlib.Path(folder) / "texts.jsonl"
    path.write_text("".join(json.dumps(t) + "\n" for t in texts), encoding="utf-8")
    flags = ["--special"] if special else []
    lines = support.run("scm-modelinfo", model, "--tokenize", path, "--json-lines", *flags).stdout
    rows = [[int(i) for i in line.split()] for line in lines.split("\n")[:-1]]
    assert len(rows) == len(texts)
    return rows


class Compare(unittest.TestCase):
    def check(self, texts, ours, theirs):
        self.assertGreaterEqual(len(texts), COUNT)
        different = [(t, a, b) for t, a, b in zip(texts, ours, theirs) if a != b]
        self.assertEqual(len(different), 0, f"seed {SEED}, {len(different)} of {len(texts)} differ; "
                                            f"first: {different[:1]!r}")


class SmolLM2(Compare):
    @classmethod
    def setUpClass(cls):
        cls.path = support.smollm2()
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        import gguf
        cls.reader = gguf.GGUFReader(cls.path)
        cls.texts = varied_texts(COUNT, SEED)

    def metadata(self, key):
        return self.reader.fields[key].contents()

    def reference(self):
        """The metadata's vocabulary in Hugging Face's library, with SmolLM2's own pre-tokenizers."""
        from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
        tokens = self.metadata("tokenizer.ggml.tokens")
        merges = [tuple(m.split(" ")) for m in self.metadata("tokenizer.ggml.merges")]
        tokenizer = Tokenizer(models.BPE({t: i for i, t in enumerate(tokens)}, merges))
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
        tokenizer.decoder = decoders.ByteLevel()
        types = self.metadata("tokenizer.ggml.token_type")
        tokenizer.add_special_tokens(
            [AddedToken(t, special=True, normalized=False) for t, kind in zip(tokens, types) if kind == 3])
        return tokenizer

    def test_ids_as_tokenizers(self):
        reference = self.reference()
        for special in (True, False):
            reference.encode_special_tokens = not special
            theirs = [reference.encode(t, add_special_tokens=False).ids for t in self.texts]
            self.check(self.texts, our_ids(self.path, self.texts, self.folder.name, special), theirs)

    def test_ids_as_llama_cpp(self):
        try:
            import llama_cpp
        except ImportError:
            self.skipTest("llama-cpp-python is not installed")
        model = llama_cpp.Llama(str(self.path), vocab_only=True, verbose=False)
        # llama.cpp has its own tables of characters: compare where both follow the same Unicode rules,
        # and leave out texts with characters that the vocabulary cannot spell.
        texts = [t for t in self.texts if t and all(c in "\t\n\r" or ord(c) >= 32 for c in t)
                 and all(ord(c) < 0x2000 and c != "\u180e" and c != "\u017f" for c in t)]
        self.assertGreaterEqual(len(texts), 1000)
        for special in (True, False):
            theirs = [model.tokenize(t.encode(), add_bos=False, special=special) for t in texts]
            ours = our_ids(self.path, texts, self.folder.name, special)
            different = [(t, a, b) for t, a, b in zip(texts, ours, theirs) if a != b]
            self.assertEqual(different[:1], [], f"seed {SEED}: {len(different)} of {len(texts)} differ")

    def test_generated_tokenizer_json(self):
        """The tokenizer.json we write for this model means the same to Hugging Face's library."""
        from tokenizers import Tokenizer
        folder = pathlib.Path(self.folder.name) / "companions"
        support.run("scm-modelinfo", self.path, "--companions", folder)
        written = Tokenizer.from_file(str(folder / "tokenizer.json"))
        theirs = [written.encode(t, add_special_tokens=True).ids for t in self.texts]
        self.check(self.texts, our_ids(self.path, self.texts, self.folder.name, True), theirs)
        from transformers import AutoConfig, AutoTokenizer
        tokenizer = AutoTokenizer.from_pretrained(folder)
        self.assertEqual((tokenizer.bos_token_id, tokenizer.eos_token_id), (1, 2))
        self.assertEqual(tokenizer("Hola, mundo").input_ids,
                         our_ids(self.path, ["Hola, mundo"], self.folder.name, True)[0])
        config = AutoConfig.from_pretrained(folder)
        self.assertEqual((config.hidden_size, config.head_dim, config.num_key_value_heads), (576, 64, 3))
        self.assertEqual(config.rope_parameters["rope_theta"], 100000.0)

    def tensor(self, name):
        out = pathlib.Path(self.folder.name) / "tensor.bin"
        support.run("scm-modelinfo", self.path, "--tensor", name, "--out", out)
        return numpy.fromfile(out, dtype=numpy.float32)

    def test_tensors_as_gguf_py(self):
        """All values of every kind of tensor, bit for bit."""
        from gguf import quants
        names = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}
        kinds = {"attn_norm": "input_layernorm", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
                 "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
                 "ffn_down": "mlp.down_proj"}
        for layer in (0, 13, 29):
            for theirs, ours in kinds.items():
                names[f"blk.{layer}.{theirs}.weight"] = f"model.layers.{layer}.{ours}.weight"
        compared = set()
        for tensor in self.reader.tensors:
            if tensor.name not in names:
                continue
            expected = quants.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32).reshape(-1)
            actual = self.tensor(names[tensor.name])
            self.assertEqual(expected.tobytes(), actual.tobytes(), tensor.name)
            compared.add(tensor.tensor_type.name)
        self.assertEqual(compared, {"F32", "Q8_0", "Q4_1"})

    def test_weights_as_transformers(self):
        """Rows of q and k are put back: the model that transformers makes of the file has ours."""
        import torch
        from transformers import AutoModelForCausalLM
        model = AutoModelForCausalLM.from_pretrained(self.path.parent, gguf_file=self.path.name,
                                                     dtype=torch.float32)
        state = model.state_dict()
        for layer in (0, 7, 29):
            for part in ("q_proj", "k_proj", "v_proj", "o_proj"):
                name = f"model.layers.{layer}.self_attn.{part}.weight"
                self.assertEqual(state[name].numpy().tobytes(), self.tensor(name).tobytes(), name)


def tiny_model(folder, vocabulary, config, dtype="float32"):
    """A directory that OpenModel accepts: random weights of a small shape, written by safetensors."""
    import torch
    from safetensors.torch import save_file
    generator = torch.Generator().manual_seed(1)
    hidden, inner, heads, kv_heads, head_dim = 8, 16, 2, 1, 4
    shapes = {"model.embed_tokens.weight": (vocabulary, hidden), "model.norm.weight": (hidden,)}
    p = "model.layers.0."
    shapes |= {p + "input_layernorm.weight": (hidden,), p + "post_attention_layernorm.weight": (hidden,),
               p + "self_attn.q_proj.weight": (heads * head_dim, hidden),
               p + "self_attn.k_proj.weight": (kv_heads * head_dim, hidden),
               p + "self_attn.v_proj.weight": (kv_heads * head_dim, hidden),
               p + "self_attn.o_proj.weight": (hidden, heads * head_dim),
               p + "mlp.gate_proj.weight": (inner, hidden), p + "mlp.up_proj.weight": (inner, hidden),
               p + "mlp.down_proj.weight": (hidden, inner)}
    tensors = {name: torch.randn(shape, generator=generator).to(getattr(torch, dtype))
               for name, shape in shapes.items()}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    base = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": vocabulary,
            "hidden_size": hidden, "intermediate_size": inner, "num_hidden_layers": 1,
            "num_attention_heads": heads, "num_key_value_heads": kv_heads, "head_dim": head_dim,
            "rms_norm_eps": 1e-5, "tie_word_embeddings": True}
    (folder / "config.json").write_text(json.dumps(base | config))
    return tensors


def llama3_ranks():
    ranks = support.package_file("llama_models", "llama3/tokenizer.model")
    if ranks is None:
        raise AssertionError("llama-models is not installed; run: scripts/setup.sh parity")
    return ranks


def write_llama3(folder):
    """A directory with the tokenizer.json that transformers' converter makes of Llama 3's ranks."""
    from llama_models.llama3.tokenizer import Tokenizer
    from tokenizers import processors
    from transformers.convert_slow_tokenizer import TikTokenConverter
    tiktoken = Tokenizer(llama3_ranks())
    special = [t for t, _ in sorted(tiktoken.special_tokens.items(), key=lambda item: item[1])]
    fast = TikTokenConverter(vocab_file=str(llama3_ranks()), pattern=tiktoken.model._pat_str,
                             extra_special_tokens=special).converted()
    # The same settings as the tokenizer.json that comes with Llama 3.
    fast.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<|begin_of_text|> $A",
                                      special_tokens=[("<|begin_of_text|>", 128000)])])
    text = json.loads(fast.to_str())
    text["model"]["ignore_merges"] = True
    tiny_model(folder, 128256, {"bos_token_id": 128000, "eos_token_id": [128001, 128008, 128009]})
    (folder / "tokenizer.json").write_text(json.dumps(text), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}))
    return folder


class Llama3(Compare):
    """The real Llama-3 vocabulary, as a tokenizer.json that transformers' converter makes of it."""

    @classmethod
    def setUpClass(cls):
        from llama_models.llama3.tokenizer import Tokenizer
        cls.tiktoken = Tokenizer(llama3_ranks())
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.path = write_llama3(pathlib.Path(cls.folder.name) / "llama3")
        cls.texts = varied_texts(COUNT, SEED)

    def test_ids_as_tokenizers(self):
        from tokenizers import Tokenizer
        reference = Tokenizer.from_file(str(self.path / "tokenizer.json"))
        for special in (True, False):
            reference.encode_special_tokens = not special
            theirs = [reference.encode(t, add_special_tokens=False).ids for t in self.texts]
            self.check(self.texts, our_ids(self.path, self.texts, self.folder.name, special), theirs)

    def test_ids_as_tiktoken(self):
        theirs = [self.tiktoken.encode(t, bos=False, eos=False, allowed_special="all") for t in self.texts]
        self.check(self.texts, our_ids(self.path, self.texts, self.folder.name, True), theirs)
        theirs = [self.tiktoken.encode(t, bos=False, eos=False, disallowed_special=()) for t in self.texts]
        self.check(self.texts, our_ids(self.path, self.texts, self.folder.name, False), theirs)


    def test_tiktoken_file_without_tokenizer_json(self):
        """tokenizer.model alone, and what an export writes for it."""
        from tokenizers import Tokenizer
        alone = pathlib.Path(self.folder.name) / "alone"
        tiny_model(alone, 128256, {"bos_token_id": 128000, "eos_token_id": [128001, 128008, 128009]})
        (alone / "tokenizer.model").write_bytes(llama3_ranks().read_bytes())
        for special in (True, False):
            allowed = {"allowed_special": "all"} if special else {"disallowed_special": ()}
            theirs = [self.tiktoken.encode(t, bos=False, eos=False, **allowed) for t in self.texts]
            self.check(self.texts, our_ids(alone, self.texts, self.folder.name, special), theirs)
        written = pathlib.Path(self.folder.name) / "written"
        support.run("scm-modelinfo", alone, "--companions", written)
        theirs = Tokenizer.from_file(str(self.path / "tokenizer.json")).to_str()
        ours = json.loads((written / "tokenizer.json").read_text())
        for key in ("vocab", "merges", "ignore_merges"):
            self.assertEqual(ours["model"][key], json.loads(theirs)["model"][key], key)
        texts = self.texts[:3000]
        start = support.run("scm-modelinfo", alone, "--tokenize", self.write(texts), "--json-lines", "--special",
                            "--start").stdout
        reference = Tokenizer.from_file(str(written / "tokenizer.json"))
        self.assertEqual([[int(i) for i in line.split()] for line in start.split("\n")[:-1]],
                         [reference.encode(t).ids for t in texts])

    def write(self, texts):
        path = pathlib.Path(self.folder.name) / "lines.jsonl"
        path.write_text("".join(json.dumps(t) + "\n" for t in texts), encoding="utf-8")
        return path

    def test_tiktoken_file_with_added_tokens_decoder(self):
        """Other special tokens than Llama 3's, numbered by tokenizer_config.json, as transformers reads them."""
        from transformers import AutoTokenizer
        folder = pathlib.Path(self.folder.name) / "decoder"
        tiny_model(folder, 128256, {"bos_token_id": 128000, "eos_token_id": 128001})
        (folder / "tokenizer.model").write_bytes(llama3_ranks().read_bytes())
        flags = {"special": True, "lstrip": False, "rstrip": False, "normalized": False, "single_word": False}
        decoder = {str(128000 + i): {"content": t} | flags for i, t in enumerate(["<|start|>", "<|end|>", "<|im_start|>"])}
        for add in (None, True, False):
            config = {"tokenizer_class": "PreTrainedTokenizerFast", "added_tokens_decoder": decoder,
                      "bos_token": "<|start|>", "eos_token": "<|end|>"}
            config |= {} if add is None else {"add_bos_token": add}
            (folder / "tokenizer_config.json").write_text(json.dumps(config))
            theirs = AutoTokenizer.from_pretrained(folder)
            texts = self.texts[:2000] + ["<|im_start|>x<|end|>", "<|start|>"]
            out = support.run("scm-modelinfo", folder, "--tokenize", self.write(texts), "--json-lines", "--special",
                              "--start").stdout
            self.assertEqual([[int(i) for i in line.split()] for line in out.split("\n")[:-1]],
                             [theirs.encode(t) for t in texts])


class Qwen(Compare):
    """The real Qwen vocabulary with the steps of Qwen2.5 and Qwen3: form C, and digits one by one."""

    @classmethod
    def setUpClass(cls):
        from tokenizers import normalizers
        from transformers.convert_slow_tokenizer import TikTokenConverter
        from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX
        ranks = support.package_file("dashscope", "resources/qwen.tiktoken")
        if ranks is None:
            raise AssertionError("dashscope is not installed; run: scripts/setup.sh parity")
        fast = TikTokenConverter(vocab_file=str(ranks), pattern=PRETOKENIZE_REGEX,
                                 extra_special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"]).converted()
        fast.normalizer = normalizers.NFC()
        text = json.loads(fast.to_str())
        text["model"]["ignore_merges"] = False
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.path = pathlib.Path(cls.folder.name) / "qwen"
        tiny_model(cls.path, 151936, {"bos_token_id": None, "eos_token_id": 151645})
        (cls.path / "tokenizer.json").write_text(json.dumps(text), encoding="utf-8")
        (cls.path / "tokenizer_config.json").write_text(json.dumps(
            {"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}))
        cls.texts = varied_texts(COUNT, SEED)

    def test_ids_as_tokenizers(self):
        from tokenizers import Tokenizer
        from transformers import AutoTokenizer
        reference = Tokenizer.from_file(str(self.path / "tokenizer.json"))
        for special in (True, False):
            reference.encode_special_tokens = not special
            theirs = [reference.encode(t, add_special_tokens=False).ids for t in self.texts]
            self.check(self.texts, our_ids(self.path, self.texts, self.folder.name, special), theirs)
        texts = self.texts[:2000]
        theirs = AutoTokenizer.from_pretrained(self.path)
        self.assertEqual(our_ids(self.path, texts, self.folder.name, True), [theirs.encode(t) for t in texts])

    def test_form_c(self):
        """Every character alone, every canonical decomposition, and marks in any order."""
        import random
        import unicodedata
        from tokenizers import Tokenizer
        characters = [chr(c) for c in range(0x110000) if not 0xd800 <= c < 0xe000]
        made = [unicodedata.normalize("NFD", c) for c in characters if unicodedata.normalize("NFD", c) != c]
        marks = [c for c in characters if unicodedata.combining(c)]
        rng = random.Random(SEED)
        mixed = ["".join(rng.choices(marks + list("aqeóñ각각") * 40 + made[:900], k=rng.randrange(2, 7)))
                 for _ in range(30000)]
        texts = ["".join(characters[i:i + 64]) for i in range(0, len(characters), 64)] + made + mixed
        reference = Tokenizer.from_file(str(self.path / "tokenizer.json"))
        theirs = [reference.encode(t, add_special_tokens=False).ids for t in texts]
        different = [(t, a, b) for t, a, b in zip(texts, our_ids(self.path, texts, self.folder.name, False), theirs)
                     if a != b]
        self.assertEqual(different[:1], [], f"seed {SEED}: {len(different)} of {len(texts)} differ")


class HuggingFaceFiles(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def summary(self, path):
        return json.loads(support.run("scm-modelinfo", path).stdout)

    def test_values_of_every_type(self):
        for dtype in ("float32", "float16", "bfloat16"):
            path = self.folder / dtype
            tensors = tiny_model(path, 32, {})
            tensors = tiny_model(path, 32, {}, dtype)
            for name, tensor in tensors.items():
                out = self.folder / "tensor.bin"
                support.run("scm-modelinfo", path, "--tensor", name, "--out", out)
                self.assertEqual(out.read_bytes(), tensor.float().numpy().tobytes(), f"{dtype} {name}")

    def test_config_of_transformers_4_and_5(self):
        from transformers import LlamaConfig
        rope = {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                "original_max_position_embeddings": 8192}
        four, five = self.folder / "four", self.folder / "five"
        tiny_model(four, 32, {"rope_theta": 500000.0, "rope_scaling": rope, "torch_dtype": "bfloat16",
                              "max_position_embeddings": 131072})
        tiny_model(five, 32, {})
        LlamaConfig(vocab_size=32, hidden_size=8, intermediate_size=16, num_hidden_layers=1,
                    num_attention_heads=2, num_key_value_heads=1, head_dim=4, rms_norm_eps=1e-5,
                    max_position_embeddings=131072, tie_word_embeddings=True, bos_token_id=None,
                    eos_token_id=None, architectures=["LlamaForCausalLM"],
                    rope_parameters=rope | {"rope_theta": 500000.0}).save_pretrained(five)
        self.assertIn("rope_parameters", json.loads((five / "config.json").read_text()))
        first, second = self.summary(four)["config"], self.summary(five)["config"]
        self.assertEqual(first, second)
        self.assertEqual(first["rope_theta"], 500000.0)
        self.assertEqual(first["rope_scaling"]["factor"], 32.0)


if __name__ == "__main__":
    support.main()
