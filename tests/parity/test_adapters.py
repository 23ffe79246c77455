"""Adapters of peft in scm-evaluator and scm-trainer's export, and scm's in peft; texts as lm-eval cuts them.

Run: PYTHON tests/parity/test_adapters.py --bin-dir build/bin
"""
import json
import pathlib
import random
import subprocess
import tempfile
import unittest

import peft
import torch
import transformers

import small
import support
import test_training as training

transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()
torch.set_num_threads(1)


class Small(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.model = self.root / "model"
        small.write_model(self.model)
        self.items = training.write_items(self.root / "corpus", random.Random(7))
        self.test_items = [item for item in self.items if item["split"] == "test"]
        self.runs = 0

    def order(self, kind, adapter=None, **data):
        self.runs += 1
        spec = training.work_order(self.root, kind, f"{kind}-{self.runs}", self.model)
        spec["parameters"]["data"] |= {"max_length": 256} | data  # a byte is a token here
        if adapter is not None:
            spec["inputs"] = [{"kind": "checkpoint", "run": "r-1", "seed": 11, "step": 4, "dir": str(adapter)}]
        return spec

    def scores(self, adapter, **data):
        spec = self.order("evaluate", adapter, **data)
        training.run("scm-evaluator", spec)
        scores = json.loads((pathlib.Path(spec["work_dir"]) / "evaluation.json").read_text())["scores"]
        return scores["seed 11"]["place"]["log_likelihood"]

    def merged(self, adapter):
        spec = self.order("export", adapter)
        training.run("scm-trainer", spec)
        return small.load(pathlib.Path(spec["work_dir"]) / "merged")

    def tokenizer(self):
        return transformers.AutoTokenizer.from_pretrained(self.model)

    def assert_close(self, ours, theirs, what):
        worst = max(abs(x - y) for xs, ys in zip(ours, theirs, strict=True) for x, y in zip(xs, ys, strict=True))
        self.assertLessEqual(worst, 2e-4, what)

    def write_items(self, change):
        """The corpus again, with every item changed."""
        for item in self.items:
            change(item)
        path = self.root / "corpus" / "items" / "all.jsonl"
        path.write_text("".join(json.dumps(item, ensure_ascii=False) + "\n" for item in self.items), encoding="utf-8")


class Adapters(Small):
    def write(self, name="adapter", **config):
        """An adapter of peft whose matrices are random, and peft's model with it."""
        torch.manual_seed(11)
        config = {"r": 4, "lora_alpha": 16, "target_modules": ["q_proj", "down_proj"]} | config
        model = peft.get_peft_model(small.load(self.model), peft.LoraConfig(task_type="CAUSAL_LM", **config))
        with torch.no_grad():
            for key, parameter in model.named_parameters():
                if "lora_" in key:
                    parameter.normal_(0, 0.2)
        model.save_pretrained(self.root / name)
        return self.root / name

    def change(self, adapter, **keys):
        path = adapter / "adapter_config.json"
        config = json.loads(path.read_text()) | keys
        path.write_text(json.dumps({k: v for k, v in config.items() if v is not ...}))

    def theirs(self, adapter):
        model = peft.PeftModel.from_pretrained(small.load(self.model), adapter)
        return training.log_likelihoods(model.eval(), self.tokenizer(), self.test_items)

    def assert_alike(self, adapter):
        theirs = self.theirs(adapter)
        self.assert_close(self.scores(adapter), theirs, "scored")
        merged = training.log_likelihoods(self.merged(adapter), self.tokenizer(), self.test_items)
        self.assert_close(merged, theirs, "merged")

    def assert_refused(self, adapter, *parts):
        for kind, program in (("evaluate", "scm-evaluator"), ("export", "scm-trainer")):
            spec = self.order(kind, adapter)
            path = self.root / "spec.json"
            path.write_text(json.dumps(spec))
            done = subprocess.run([support.BIN_DIR / program, path], capture_output=True, text=True,
                                  stdin=subprocess.DEVNULL)
            self.assertNotEqual(done.returncode, 0, program)
            for part in parts:
                self.assertIn(part, done.stderr, program)

    def test_beginnings_that_mean_the_same(self):
        adapter = self.write()
        base = self.theirs(adapter)
        for value in (True, False, None, "gaussian", "orthogonal", ...):
            with self.subTest(value=value):
                self.change(adapter, init_lora_weights=value)
                self.assert_close(self.theirs(adapter), base, "peft")
                self.assert_alike(adapter)

    def test_beginnings_that_change_the_base(self):
        adapter = self.write()
        base = self.theirs(adapter)
        for value in ("pissa", "pissa_niter_4", "olora"):
            with self.subTest(value=value):
                self.change(adapter, init_lora_weights=value)
                self.assertGreater(max(abs(x - y) for xs, ys in zip(self.theirs(adapter), base)
                                       for x, y in zip(xs, ys)), 0.01, "peft reads it alike: accept it")
                self.assert_refused(adapter, "init_lora_weights", "changes the weights of the base")

    def test_alora_is_refused(self):
        self.assert_refused(self.write("alora", alora_invocation_tokens=[5, 6]), "alora_invocation_tokens",
                            "active only behind")

    OWN_NUMBERS = (
        {"use_rslora": True},
        {"rank_pattern": {"q_proj": 2}},
        {"alpha_pattern": {"q_proj": 3, "1.mlp.down_proj": 0.5}},
        {"use_rslora": True, "rank_pattern": {"^model.*0.*q_proj$": 7, "down_proj|q_proj": 5, "mlp.*": 3},
         "alpha_pattern": {r"layers\.1\..*": 2, "q_proj": 40}},
    )

    def test_ranks_and_alphas_of_single_modules(self):
        for config in self.OWN_NUMBERS:
            with self.subTest(config=config):
                self.assert_alike(self.write(**config))

    def test_the_order_of_keys_in_the_file_counts(self):
        """As peft reads them: a file that another program wrote need not be sorted."""
        adapter = self.write(alpha_pattern={"q_proj": 2, "0.self_attn.q_proj": 30})
        sorted_by_peft = self.theirs(adapter)
        self.change(adapter, alpha_pattern={"q_proj": 2, "0.self_attn.q_proj": 30})
        self.assertNotEqual(sorted_by_peft, self.theirs(adapter))
        self.assert_alike(adapter)

    def test_keys_match_as_in_peft(self):
        """Every module's scale, told by peft's layers, for keys at the edges of its expression."""
        for key in ("q_proj", "_proj", "self_attn.q_proj", "0.self_attn.q_proj", "layers.0.*", ".*0.*", "", ".*", "^q_proj",
                    "q_proj$", "q_proj|down_proj", "(q|down)_proj", "(?:mlp)[.]down_proj", "mlp", "Q_PROJ",
                    r"\w+_proj", r"model\.layers\.1\.mlp\.down_proj", "model.layers.1.mlp.down_proj", "a)|(model"):
            with self.subTest(key=key):
                self.assert_alike(self.write(alpha_pattern={key: 50}, rank_pattern={key: 3}))

    def trained(self, name, **lora):
        spec = self.order("train", end_token=False)
        spec["parameters"]["lora"] |= {"r": 4, "alpha": 16, "target_modules": ["q_proj", "down_proj"]} | lora
        spec |= {"max_steps": 4, "stop_at_step": 4, "save_steps": 4, "eval_steps": 4}
        training.run("scm-trainer", spec)
        return pathlib.Path(spec["work_dir"]) / "checkpoints" / "step-4"

    def test_peft_loads_what_was_trained(self):
        for number, config in enumerate(self.OWN_NUMBERS):
            with self.subTest(config=config):
                config = {key: dict(sorted(value.items())) if isinstance(value, dict) else value
                          for key, value in config.items()}
                adapter = self.trained(f"own-{number}", **config)
                self.assert_alike(adapter)
                model = peft.PeftModel.from_pretrained(small.load(self.model), adapter)
                model.save_pretrained(self.root / f"resaved-{number}")
                self.assert_close(self.theirs(self.root / f"resaved-{number}"), self.theirs(adapter), "saved by peft")

    def test_training_goes_on_from_an_adapter_of_peft(self):
        """Loss by loss as peft goes on with its own adapter, and the trained adapter opens in peft again."""
        rows = [training.encode(self.tokenizer(), item["prompt"], item["choices"][item["gold"]])
                for item in self.items if item["split"] == "train"]
        for number, config in enumerate(self.OWN_NUMBERS):
            with self.subTest(config=config):
                adapter = self.write(f"init-{number}", **config)
                stored = json.loads((adapter / "adapter_config.json").read_text())
                spec = self.order("train", end_token=False)
                spec["parameters"]["lora"] |= {"r": 4, "alpha": 16, "target_modules": ["q_proj", "down_proj"],
                                               "init": str(adapter)} | {key: stored[key] for key in config}
                spec |= {"max_steps": 6, "stop_at_step": 6, "save_steps": 6, "eval_steps": 6}
                ours = training.progress(training.run("scm-trainer", spec), "train_loss")

                model = peft.PeftModel.from_pretrained(small.load(self.model), adapter, is_trainable=True)
                parameters = [p for p in model.parameters() if p.requires_grad]
                optimizer = torch.optim.AdamW(parameters, lr=5e-3, weight_decay=0.01)
                scheduler = transformers.get_scheduler("linear", optimizer, num_warmup_steps=1, num_training_steps=6)
                theirs = []
                for _ in range(6):
                    loss = training.batch_loss(model, rows)
                    loss.backward()
                    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
                    theirs.append(loss.item())
                    optimizer.step()
                    scheduler.step()
                    optimizer.zero_grad()
                self.assertLess(theirs[-1], theirs[0])
                worst = max(abs(x - y) / y for x, y in zip(ours, theirs, strict=True))
                print(f"{config}: {theirs[0]:.4f} to {theirs[-1]:.4f}, largest relative difference {worst:.2e}")
                self.assertLessEqual(worst, 1e-4)
                self.assert_alike(pathlib.Path(spec["work_dir"]) / "checkpoints" / "step-6")

    def test_patterns_that_peft_would_store_as_another_are_refused(self):
        for lora, part in (({"rank_pattern": {"q_proj": 2, "0.self_attn.q_proj": 3}}, "peft sorts the keys"),
                           ({"alpha_pattern": {"k_proj": 2}}, "names no module"),
                           ({"alpha_pattern": {"(?i)Q_PROJ": 2}}, "does not mean the same")):
            with self.subTest(lora=lora), self.assertRaises(AssertionError) as caught:
                self.trained("refused", **lora)
            self.assertIn(part, str(caught.exception))

    def test_targets(self):
        every = [f"model.layers.{i}.{m}" for i in (0, 1) for m in ("self_attn.q_proj", "mlp.up_proj")]
        for targets in (["v_proj", "q_proj"], "all-linear", every, every[:3], r".*\.1\.self_attn\.(q|k)_proj",
                        ["self_attn.o_proj", "1.mlp.gate_proj"], None):
            with self.subTest(targets=targets):
                adapter = self.write(target_modules=targets)
                self.change(adapter, target_modules=targets)  # as it was said, not as peft spelt it out
                self.assert_alike(adapter)

    def test_absent_numbers(self):
        adapter = self.write(r=8)
        self.change(adapter, lora_alpha=..., r=...)
        self.assert_alike(adapter)

    def test_missing_and_surplus_tensors(self):
        from safetensors.torch import load_file, save_file
        adapter = self.write()
        path = adapter / "adapter_model.safetensors"
        whole = load_file(path)
        gone = next(name for name in whole if "layers.1" in name and "lora_B" in name)
        save_file({k: v for k, v in whole.items() if k != gone}, path)
        self.assert_refused(adapter, gone, "adapter_config.json", "there is no tensor")
        save_file(whole | {gone.replace("down_proj", "up_proj").replace("q_proj", "k_proj"): whole[gone].clone()}, path)
        self.assert_refused(adapter, "holds the tensor", "adapter_config.json")

    def test_base_with_a_head_of_its_own(self):
        """Tied by its config.json, not by its file: scored and merged as transformers reads it."""
        small.write_model(self.model, tied=True)
        torch.manual_seed(5)
        small.change_weights(self.model, lambda t: t | {
            "lm_head.weight": 0.2 * torch.randn_like(t["model.embed_tokens.weight"])})
        self.assert_alike(self.write())

    def test_exported_adapter_opens_by_itself(self):
        """AutoPeftModel finds the base; the folder holds the adapter and nothing of the optimiser."""
        spec = self.order("train", end_token=True)
        spec |= {"max_steps": 4, "stop_at_step": 4, "save_steps": 4, "eval_steps": 4}
        training.run("scm-trainer", spec)
        checkpoint = pathlib.Path(spec["work_dir"]) / "checkpoints" / "step-4"
        export = self.order("export", checkpoint)
        export["parameters"]["export"] = {"formats": ["peft"]}
        training.run("scm-trainer", export)
        folder = pathlib.Path(export["work_dir"]) / "adapter"
        self.assertEqual(sorted(path.name for path in folder.iterdir()),
                         ["README.md", "adapter_config.json", "adapter_model.safetensors"])
        model = peft.AutoPeftModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        self.assert_close(self.scores(checkpoint),
                          training.log_likelihoods(model.eval(), self.tokenizer(), self.test_items), "auto")


class Texts(Small):
    SPACES = ["\u00a0", "\u202f", "\u3000", "\u2028", "\u0085", "\x1c", "\x1f", " \u2003\n", "\u1680\t"]

    def theirs(self, split_special):
        tokenizer = self.tokenizer()
        return training.log_likelihoods(
            small.load(self.model), lambda text, **kw: tokenizer(text, split_special_tokens=split_special, **kw),
            self.test_items)

    def base(self, **data):
        spec = self.order("evaluate", **data)
        training.run("scm-evaluator", spec)
        scores = json.loads((pathlib.Path(spec["work_dir"]) / "evaluation.json").read_text())["scores"]
        return scores["base"]["place"]["log_likelihood"]

    def test_white_space_at_the_prompts_end(self):
        spaces = iter(self.SPACES * 9)
        self.write_items(lambda item: item.update(prompt=item["prompt"] + next(spaces)))
        self.assert_close(self.base(), self.theirs(True), "white space")

    def test_markup_of_special_tokens(self):
        self.write_items(lambda item: item.update(
            prompt=f"<|im_start|>user\n{item['prompt']}<|im_end|>\n<|im_start|>assistant\n"))
        text, parsed = self.base(), self.base(special_tokens="parse")
        self.assert_close(text, self.theirs(True), "text")
        self.assert_close(parsed, self.theirs(False), "parse")
        self.assertGreater(abs(text[0][0] - parsed[0][0]), 0.01)

    def test_end_token_is_trained_and_not_scored(self):
        """Losses of a training with end tokens against torch, from our first adapter, and unchanged scores."""
        spec = self.order("train", end_token=True)
        spec |= {"max_steps": 8, "stop_at_step": 8, "save_steps": 1, "eval_steps": 8}
        reports = training.run("scm-trainer", spec)
        first = pathlib.Path(spec["work_dir"]) / "checkpoints" / "step-1"
        model = peft.PeftModel.from_pretrained(small.load(self.model), first, is_trainable=True)
        tokenizer = self.tokenizer()
        rows = [training.encode(tokenizer, i["prompt"], i["choices"][i["gold"]])
                for i in self.items if i["split"] == "train"]
        rows = [(tokens + [tokenizer.eos_token_id], start) for tokens, start in rows]
        parameters = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(parameters, lr=5e-3, weight_decay=0.01)
        scheduler = transformers.get_scheduler("linear", optimizer, num_warmup_steps=1, num_training_steps=8)
        for ours in training.progress(reports, "train_loss"):
            loss = training.batch_loss(model, rows)
            self.assertAlmostEqual(ours, loss.item(), delta=1e-4 * loss.item())
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
        self.assert_close(self.base(end_token=True), self.base(end_token=False), "scores")


if __name__ == "__main__":
    support.main()
