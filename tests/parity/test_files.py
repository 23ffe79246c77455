"""Model directories in which two places speak of one fact, read by scm and by transformers.

Each is read alike, or refused with both places named.
Run: PYTHON tests/parity/test_files.py --bin-dir build/bin
"""
import json
import pathlib
import shutil
import tempfile
import unicodedata
import unittest

import numpy
import tokenizers
import torch
import transformers

import small
import support

transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()


class Files(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.model = self.root / "model"

    def summary(self, model):
        return json.loads(support.run("scm-modelinfo", model).stdout)["config"]

    def tensor(self, model, name):
        out = self.root / "tensor.bin"
        support.run("scm-modelinfo", model, "--tensor", name, "--out", out)
        return out.read_bytes()

    def tokenize(self, model, texts, *flags, check=True):
        path = self.root / "texts.jsonl"
        path.write_text("".join(json.dumps(t) + "\n" for t in texts), encoding="utf-8")
        done = support.run("scm-modelinfo", model, "--tokenize", path, "--json-lines", *flags, check=check)
        return done, [[int(i) for i in line.split()] for line in done.stdout.split("\n")[:-1]]

    def refused(self, done, *parts):
        self.assertEqual(done.returncode, 2, done.stderr)
        for part in parts:
            self.assertIn(part, done.stderr)


class Weights(Files):
    def own_head(self, tensors):
        torch.manual_seed(5)
        return tensors | {"lm_head.weight": torch.randn_like(tensors["model.embed_tokens.weight"])}

    def test_tied_flag_and_own_head(self):
        small.write_model(self.model, tied=True)
        small.change_weights(self.model, self.own_head)
        theirs = small.load(self.model).state_dict()
        for name in ("lm_head.weight", "model.embed_tokens.weight"):
            self.assertEqual(self.tensor(self.model, name), theirs[name].numpy().tobytes(), name)
        done = support.run("scm-modelinfo", self.model)
        self.assertFalse(json.loads(done.stdout)["config"]["tied_embeddings"])
        for part in ("tie_word_embeddings: true", "model.safetensors holds a lm_head.weight of its own"):
            self.assertIn(part, done.stderr)

    def test_tied_flag_and_the_same_twice(self):
        small.write_model(self.model, tied=True)
        small.change_weights(self.model, lambda t: t | {"lm_head.weight": t["model.embed_tokens.weight"].clone()})
        done = support.run("scm-modelinfo", self.model)
        self.assertEqual(done.stderr, "")
        self.assertTrue(json.loads(done.stdout)["config"]["tied_embeddings"])

    def test_tied_file_that_holds_only_the_head(self):
        small.write_model(self.model, tied=True)
        small.change_weights(self.model, lambda t: {
            "lm_head.weight" if k == "model.embed_tokens.weight" else k: v for k, v in t.items()})
        theirs = small.load(self.model).state_dict()
        self.assertEqual(self.tensor(self.model, "model.embed_tokens.weight"),
                         theirs["model.embed_tokens.weight"].numpy().tobytes())
        self.assertTrue(torch.equal(theirs["lm_head.weight"], theirs["model.embed_tokens.weight"]))

    def test_index_and_a_single_file(self):
        small.write_model(self.model)
        model = small.load(self.model)
        shutil.rmtree(self.model)
        model.save_pretrained(self.model, max_shard_size="20KB")
        small.write_tokenizer(self.model)
        norm = model.state_dict()["model.norm.weight"]
        self.assertEqual(self.tensor(self.model, "model.norm.weight"), norm.numpy().tobytes())
        newer = self.root / "newer"
        with torch.no_grad():
            norm.add_(1)
        model.save_pretrained(newer)
        shutil.copy(newer / "model.safetensors", self.model)
        self.assertTrue(torch.equal(small.load(self.model).state_dict()["model.norm.weight"], norm))
        self.refused(support.run("scm-modelinfo", self.model, check=False), "model.safetensors.index.json",
                     "model.safetensors,", "transformers would read model.safetensors")


class Rope(Files):
    LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
              "original_max_position_embeddings": 64}

    def theirs(self):
        rope = transformers.AutoConfig.from_pretrained(self.model).rope_parameters
        scaling = None if rope["rope_type"] == "default" else {
            "factor": rope["factor"], "low_freq_factor": rope["low_freq_factor"],
            "high_freq_factor": rope["high_freq_factor"],
            "original_max_position": rope["original_max_position_embeddings"]}
        return rope["rope_theta"], scaling

    def test_one_or_both_keys(self):
        small.write_model(self.model)
        gone = dict(rope_parameters=..., rope_theta=..., rope_scaling=...)
        both = self.LLAMA3 | {"rope_theta": 500000.0}
        alike = [dict(rope_theta=500000.0, rope_scaling=self.LLAMA3), dict(rope_parameters=both),
                 dict(rope_parameters=both, rope_scaling=both),
                 dict(rope_parameters=both, rope_theta=500000.0, rope_scaling=self.LLAMA3),
                 dict(rope_parameters=both, rope_scaling={}), dict(rope_theta=20000.0),
                 dict(rope_scaling=self.LLAMA3 | {"original_max_position_embeddings": None}), {}]
        for keys in alike:
            with self.subTest(keys=keys):
                inner = {k: {i: j for i, j in v.items() if j is not None} if isinstance(v, dict) else v
                         for k, v in keys.items()}
                small.change_config(self.model, **gone | inner)
                ours = self.summary(self.model)
                self.assertEqual((ours["rope_theta"], ours["rope_scaling"]), self.theirs())

    def test_keys_that_differ(self):
        small.write_model(self.model)
        small.change_config(self.model, rope_parameters=self.LLAMA3 | {"rope_theta": 500000.0}, rope_theta=500000.0,
                            rope_scaling=self.LLAMA3 | {"factor": 4.0})
        self.assertEqual(self.theirs()[1]["factor"], 4.0)  # the older key wins
        self.refused(support.run("scm-modelinfo", self.model, check=False), "rope_scaling", "rope_parameters",
                     "4.0", "8.0")


class Gguf(Files):
    """Written by gguf, as llama.cpp's converter writes a Llama 3."""

    def write(self, name="model.gguf", factors=None, **keys):
        import gguf
        path = self.root / name
        writer = gguf.GGUFWriter(path, "llama")
        writer.add_context_length(256)
        writer.add_embedding_length(8)
        writer.add_block_count(1)
        writer.add_feed_forward_length(16)
        writer.add_head_count(2)
        writer.add_head_count_kv(2)
        writer.add_layer_norm_rms_eps(1e-5)
        writer.add_rope_freq_base(500000.0)
        writer.add_vocab_size(259)
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("smollm")
        written = small.tokenizer_json(more=["12"])
        texts = [*written["model"]["vocab"], *(token["content"] for token in written["added_tokens"])]
        writer.add_token_list(texts)
        writer.add_token_types([1] * 257 + [3] * 2)
        writer.add_token_merges(["1 2"])
        for key, value in keys.items():
            getattr(writer, key)(value)
        rng = numpy.random.default_rng(2)
        shapes = {"token_embd": (259, 8), "output_norm": (8,), "blk.0.attn_norm": (8,), "blk.0.ffn_norm": (8,),
                  "blk.0.attn_q": (8, 8), "blk.0.attn_k": (8, 8), "blk.0.attn_v": (8, 8),
                  "blk.0.attn_output": (8, 8), "blk.0.ffn_gate": (16, 8), "blk.0.ffn_up": (16, 8),
                  "blk.0.ffn_down": (8, 16)}
        for key, shape in shapes.items():
            writer.add_tensor(f"{key}.weight", rng.standard_normal(shape).astype(numpy.float32))
        if factors is not None:
            writer.add_tensor("rope_freqs.weight", factors)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path

    def test_factors_of_a_llama_3(self):
        rope = Rope.LLAMA3 | {"rope_theta": 500000.0}
        config = transformers.LlamaConfig(hidden_size=8, num_attention_heads=2, max_position_embeddings=256,
                                          rope_parameters=rope)
        scaled = transformers.models.llama.modeling_llama.LlamaRotaryEmbedding(config).inv_freq
        plain = 500000.0 ** (-torch.arange(0, 4, 2, dtype=torch.float32) / 4)
        path = self.write(factors=(plain / scaled).numpy().astype(numpy.float32),
                          add_rope_scaling_orig_ctx_len=64)
        ours = self.summary(path)["rope_scaling"]
        self.assertEqual((ours["factor"], ours["low_freq_factor"], ours["high_freq_factor"],
                          ours["original_max_position"]), (8.0, 1.0, 4.0, 64))

    def test_digits_of_smollm(self):
        """transformers drops this step of the file; llama.cpp and scm cut digits one by one."""
        path = self.write()
        self.assertEqual(self.tokenize(path, ["12"])[1], [[small.BYTES["1"], small.BYTES["2"]]])

    def test_factor_without_a_type(self):
        self.assertEqual(self.summary(self.write())["rope_scaling"], None)
        self.refused(support.run("scm-modelinfo", self.write("f.gguf", add_rope_scaling_factor=4.0), check=False),
                     "llama.rope.scaling.factor is 4", "llama.rope.scaling.type", "linear")
        import gguf
        self.summary(self.write("none.gguf", add_rope_scaling_factor=4.0,
                                add_rope_scaling_type=gguf.RopeScalingType.NONE))

    def test_what_is_no_whole_model(self):
        self.refused(support.run("scm-modelinfo", self.write("adapter.gguf", add_type="adapter"), check=False),
                     "is an adapter")
        self.refused(support.run("scm-modelinfo", self.write("m-00001-of-00002.gguf"), check=False),
                     "part 1 of 2")


class Tokens(Files):
    TEXTS = ["la ley 12", "<|im_start|>hola<|im_end|>", "a<|im_end|>", "", "¿qué? 3.141"]

    def setUp(self):
        super().setUp()
        small.write_model(self.model)

    def assert_alike(self, theirs=None, start=True):
        theirs = theirs or transformers.AutoTokenizer.from_pretrained(self.model)
        done, ours = self.tokenize(self.model, self.TEXTS, "--special", *(["--start"] if start else []))
        for text, ids in zip(self.TEXTS, ours, strict=True):
            self.assertEqual(ids, theirs.encode(text), text)
        return done

    def test_start_flag_and_template(self):
        for template in (False, True):
            for flag in (None, False, True):
                for bos in ("<|im_start|>", None):
                    with self.subTest(template=template, flag=flag, bos=bos):
                        config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": bos}
                        config |= {} if flag is None else {"add_bos_token": flag}
                        start = "<|im_start|>" if template else None
                        small.write_tokenizer(self.model, small.tokenizer_json(start=start), config)
                        done = self.assert_alike()
                        self.assertEqual("add_bos_token" in done.stderr, flag not in (None, template))

    def test_template_of_another_token(self):
        config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|im_end|>"}
        small.write_tokenizer(self.model, small.tokenizer_json(start="<|im_start|>"), config)
        self.refused(self.tokenize(self.model, self.TEXTS, check=False)[0], "<|im_start|>", "<|im_end|>",
                     "post_processor", "bos_token")

    def test_added_token_ids(self):
        wrong = [
            dict(added=[(256, "<x>"), (290, "<y>")]),                      # a gap
            dict(added=[(257, "<x>"), (256, "<y>")]),                      # out of order
            dict(added=[(290, "<x>")]), dict(added=[(290, "<x>")], more=["<x>"]),
            dict(added=[(257, "<x>")], more=[("zz", 290), ("yy", 258)]),   # a hole in the vocabulary
            dict(added=[(299, "<x>")], more=[("zz", 257)])]                # which collides
        right = [dict(added=["<x>", "<y>"]), dict(added=[(257, "<y>"), (256, "<x>")], more=["<x>", "<y>"]),
                 dict(added=["<x>", "<y>"], more=["<z>"])]
        for case in wrong + right:
            with self.subTest(case=case):
                written = small.tokenizer_json(**case)
                small.write_tokenizer(self.model, written, {"tokenizer_class": "PreTrainedTokenizerFast"})
                theirs = transformers.AutoTokenizer.from_pretrained(self.model)
                texts = [token["content"] for token in written["added_tokens"]]
                done, ours = self.tokenize(self.model, texts, "--special", check=False)
                if case in right:
                    self.assertEqual(ours, [theirs.encode(t, add_special_tokens=False) for t in texts])
                    continue
                self.refused(done, "added token")
                differ = next(t for t in written["added_tokens"]
                              if theirs.convert_tokens_to_ids(t["content"]) != t["id"])
                for number in (theirs.convert_tokens_to_ids(differ["content"]),):
                    self.assertIn(str(number), done.stderr)

    def test_flags_of_added_tokens(self):
        """lstrip, rstrip, single_word, normalized, special: random tokens in random texts."""
        seed = 20261130
        rng = numpy.random.default_rng(seed)
        spaces = [" ", "  ", "\n", "\t", "\u00a0", "\u3000", "\u2009\u2009", "\u200b", "\u180e"]
        around = ["a", "_", "9", "-", "é", "\u0301", "\u200d", "ñandú", "½", "，", "\U00016d40", "\U0001e030", "x y",
                  "\u203f", "\u0345", ".", "\U00031350", "Ⅷ", "ª"]
        for trial in range(40):
            words = ["<x>", "ab", "@@", "<x>>", "éa", "  ", " q", "\n", "__", "<|im_start|>"]
            chosen = list(rng.choice(words, 6, replace=False))
            written = small.tokenizer_json(added=chosen)
            for token in written["added_tokens"]:
                for flag in ("lstrip", "rstrip", "single_word", "normalized", "special"):
                    token[flag] = bool(rng.integers(2))
            # A token that begins in white space which another has taken overlaps it, and its text comes twice.
            if any(text != text.strip() for text in chosen):
                for token in written["added_tokens"]:
                    token["rstrip"] = False
            small.write_tokenizer(self.model, written, {"tokenizer_class": "PreTrainedTokenizerFast"})
            theirs = tokenizers.Tokenizer.from_file(str(self.model / "tokenizer.json"))
            pieces = chosen * 3 + spaces + around
            texts = ["".join(rng.choice(pieces, rng.integers(1, 9))) for _ in range(250)]
            for special in (True, False):
                theirs.encode_special_tokens = not special
                _, ours = self.tokenize(self.model, texts, *(["--special"] if special else []))
                expected = [theirs.encode(t, add_special_tokens=False).ids for t in texts]
                different = [(t, a, b) for t, a, b in zip(texts, ours, expected, strict=True) if a != b]
                self.assertEqual(different[:1], [], f"seed {seed}, trial {trial}: {written['added_tokens']}")

    def test_flags_of_the_configuration_hold(self):
        """Where added_tokens_decoder and tokenizer.json give a token other flags, the former has the last word."""
        flags = {"lstrip": False, "rstrip": False, "single_word": False, "normalized": False, "special": True}
        texts = ["a <|im_end|> b", "a<|im_end|>b", "<|im_end|>", "a \n<|im_end|>\u3000\tb"]
        for flag in ("lstrip", "rstrip", "single_word"):
            for in_file in (False, True):
                written = small.tokenizer_json()
                written["added_tokens"][1][flag] = in_file
                decoder = {"257": {"content": "<|im_end|>"} | flags | {flag: not in_file}}
                small.write_tokenizer(self.model, written, {"tokenizer_class": "PreTrainedTokenizerFast",
                                                            "added_tokens_decoder": decoder})
                theirs = transformers.AutoTokenizer.from_pretrained(self.model)
                _, ours = self.tokenize(self.model, texts, "--special")
                self.assertEqual(ours, [theirs.encode(t) for t in texts], f"{flag} {in_file}")

    def test_class_that_replaces_the_steps(self):
        digits = {"type": "Digits", "individual_digits": True}
        more, merges = ["12"], [["1", "2"]]
        small.write_tokenizer(self.model, small.tokenizer_json(more=more, merges=merges, steps=[digits]),
                              {"tokenizer_class": "GPT2Tokenizer", "eos_token": "<|im_end|>"})
        theirs = transformers.AutoTokenizer.from_pretrained(self.model)
        file = tokenizers.Tokenizer.from_file(str(self.model / "tokenizer.json"))
        done, ours = self.tokenize(self.model, ["la ley 12"])
        self.assertEqual(ours, [file.encode("la ley 12").ids])
        self.assertNotEqual(ours, [theirs.encode("la ley 12")])
        for part in ("GPT2Tokenizer", "transformers 5 replaces", "tokenizer.json holds"):
            self.assertIn(part, done.stderr)
        # What an export writes means the same to both.
        written = self.root / "written"
        support.run("scm-modelinfo", self.model, "--companions", written)
        self.assertEqual(json.loads((written / "tokenizer_config.json").read_text())["tokenizer_class"],
                         "PreTrainedTokenizerFast")
        self.assertEqual([transformers.AutoTokenizer.from_pretrained(written).encode("la ley 12")], ours)

    def test_class_that_changes_nothing(self):
        for name in ("GPT2Tokenizer", "LlamaTokenizerFast", "PreTrainedTokenizerFast", None):
            with self.subTest(name=name):
                config = {"eos_token": "<|im_end|>", "bos_token": "<|im_start|>", "unk_token": "<|im_end|>"}
                config |= {"tokenizer_class": name} if name else {}
                small.write_tokenizer(self.model, None, config)
                self.assertEqual(self.assert_alike().stderr, "")

    def test_special_tokens_map_and_config(self):
        cases = [(None, {}, "<|im_end|>", "<|im_end|>"), ("<|im_start|>", {}, None, None),
                 (None, {"added_tokens_decoder": {}}, "<|im_end|>", None),
                 ("<|im_start|>", {"added_tokens_decoder": {}}, "<|im_start|>", "<|im_start|>")]
        for said, more, mapped, eos in cases:
            with self.subTest(said=said, more=more, mapped=mapped):
                small.change_config(self.model, eos_token_id=None)
                small.write_tokenizer(self.model, None, {"tokenizer_class": "PreTrainedTokenizerFast",
                                                         "eos_token": said} | more)
                (self.model / "special_tokens_map.json").write_text(json.dumps({"eos_token": mapped}))
                self.assertEqual(transformers.AutoTokenizer.from_pretrained(self.model).eos_token, eos)
                self.assert_alike()
        (self.model / "special_tokens_map.json").write_text(json.dumps({"eos_token": "<|im_end|>"}))
        self.refused(self.tokenize(self.model, ["x"], check=False)[0], "special_tokens_map.json",
                     "tokenizer_config.json", "<|im_start|>", "<|im_end|>")

    def test_letters_and_digits_of_newer_unicode(self):
        """Every letter and number, and all around them, cut from their neighbours as tokenizers cuts them."""
        known = [chr(c) for c in range(0x80, 0x110000) if not 0xd800 <= c < 0xe000]
        by = {}
        for kind in ("L", "N"):
            split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(rf"\p{{{kind}}}"), "removed")
            by[kind] = {c for c in known if not split.pre_tokenize_str(c)}
        newer = sorted(c for c in by["L"] | by["N"] if unicodedata.category(c) == "Cn")
        self.assertGreaterEqual(len(newer), 9000)
        rng = numpy.random.default_rng(1)
        sample = newer[::40] + [c for c in newer if c in by["N"]] + list(rng.choice(known, 300))
        chars = sorted(set(sample) | {chr(ord(c) + 1) for c in sample if ord(c) < 0x10ffff and ord(c) + 1 != 0xd800})
        to_bytes = {chr(b): b for b in [*range(33, 127), *range(161, 173), *range(174, 256)]}
        spare = iter(range(256, 512))
        mapped = {b: c for c, b in to_bytes.items()}
        mapped |= {b: chr(next(spare)) for b in range(256) if b not in mapped}
        more, merges = {}, {}
        for char in chars:
            for first in ("a", "1"):
                left = first
                for byte in char.encode():
                    merges[(left, mapped[byte])] = None
                    left += mapped[byte]
                    more[left] = None
        texts = [first + char for char in chars for first in ("a", "1")]
        digits = {"type": "Digits", "individual_digits": True}
        for steps in ([], [digits]):
            with self.subTest(steps=steps):
                written = small.tokenizer_json(more=list(more), merges=[list(m) for m in merges], steps=steps)
                small.write_model(self.model, vocab_size=len(written["model"]["vocab"]) + 2, eos_token_id=None)
                small.write_tokenizer(self.model, written)
                theirs = tokenizers.Tokenizer.from_file(str(self.model / "tokenizer.json"))
                _, ours = self.tokenize(self.model, texts)
                different = [t for t, ids in zip(texts, ours, strict=True) if ids != theirs.encode(t).ids]
                self.assertEqual(different, [])


if __name__ == "__main__":
    support.main()
