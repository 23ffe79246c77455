"""scm-trainer and scm-evaluator against transformers and peft: losses, adapters, scores, merged models.

Run with the Python of the oracle environment: python tests/parity/test_training.py --bin-dir build/bin
"""
import json
import os
import pathlib
import random
import subprocess
import tempfile
import unittest
import warnings

import peft
import tokenizers
import torch
import transformers

import support

transformers.utils.logging.disable_progress_bar()
warnings.filterwarnings("ignore", category=FutureWarning)
torch.manual_seed(0)
torch.set_num_threads(1)

TARGETS = ["q_proj", "v_proj", "o_proj", "gate_proj"]
STEPS = 20


def write_items(corpus, rng):
    """A small corpus with explicit splits: 12 training, 6 validation and 8 test items."""
    (corpus / "documents").mkdir(parents=True)
    (corpus / "items").mkdir()
    words = "ley pacto síndico acción norma 4.º plazo socio ¿quién? voto acta órgano".split()
    documents, items = [], []
    for number in range(26):
        split = "train" if number < 12 else "validation" if number < 18 else "test"
        document = f"d-{number}"
        documents.append({"id": document, "text": " ".join(rng.choices(words, k=9)), "jurisdiction": "AR",
                          "domain": "risk_management", "language": "es", "source": "made for a test",
                          "as_of": "2026-01-01"})
        choices = ["Argentina", "Chile", "el Uruguay", "España misma"]
        items.append({"id": f"i-{number}", "task": "place", "document": document,
                      "prompt": " ".join(rng.choices(words, k=rng.randrange(4, 12))) + ":",
                      "choices": choices, "gold": number % 4, "cluster_id": document, "split": split})
    for name, lines in (("documents", documents), ("items", items)):
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (corpus / name / "all.jsonl").write_text(text, encoding="utf-8")
    return items


def write_model(folder, intermediate=160, family=("LlamaConfig", "LlamaForCausalLM"), change=None, **more):
    """A small random Llama, or model of another family, with a byte-level tokenizer trained on a little Spanish.
    `change` gets the model before it is saved."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(["la ley del pacto social", "el síndico y la acción", "Argentina Chile"], trainer)
    settings = dict(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=64, intermediate_size=intermediate, num_hidden_layers=3,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256, rms_norm_eps=1e-5,
        tie_word_embeddings=False, bos_token_id=None, eos_token_id=None, initializer_range=0.1)
    config, kind = (getattr(transformers, name) for name in family)
    model = kind(config(**settings | more))
    if change is not None:
        change(model)
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def work_order(root, kind, name, model, **training):
    """SCM_SPEC in fp32 without dropout; the whole training split is one batch."""
    return {
        "protocol": 1, "experiment": {"id": "e-1", "name": "parity"}, "task": {"id": "k-1", "kind": kind},
        "run": {"id": "r-1", "trial": "t-1", "seed": 11}, "attempt": 1,
        "parameters": {
            "model": {"base": str(model)},
            "data": {"corpus": str(root / "corpus"), "max_length": 128, "packing": False},
            "lora": {"r": 8, "alpha": 16, "dropout": 0.0, "target_modules": TARGETS},
            "training": {"learning_rate": 5e-3, "schedule": "linear", "warmup_steps": 1, "batch_size": 12,
                         "weight_decay": 0.01, "early_stopping": None, "precision": "fp32", **training},
            "evaluation": {"tasks": ["place"]}, "export": {"formats": ["merged"]}},
        "max_steps": STEPS, "stop_at_step": STEPS, "save_steps": STEPS, "eval_steps": STEPS,
        "resume_from": None, "inputs": [], "work_dir": str(root / name), "resources": {"cpus": 1, "gpus": []}}


def run(program, spec):
    """The reports of one attempt."""
    path = pathlib.Path(spec["work_dir"] + ".spec.json")
    path.write_text(json.dumps(spec), encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SCM_")}
    done = subprocess.run([str(support.BIN_DIR / program), str(path)], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, env=environment)
    if done.returncode != 0:
        raise AssertionError(f"{program} ended with {done.returncode}: {done.stderr[-3000:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def progress(reports, name):
    return [report["metrics"][name] for report in reports if report["type"] == "progress"]


def encode(tokenizer, prompt, choice):
    """Tokens and where the answer starts, as lm-evaluation-harness defines it."""
    plain = dict(add_special_tokens=False)
    joint = tokenizer(prompt + " " + choice, **plain)["input_ids"]
    return joint, len(tokenizer(prompt.rstrip(), **plain)["input_ids"])


def batch_loss(model, rows):
    """Summed negative log-likelihood of the answers divided by the number of their tokens."""
    total, labels = 0.0, 0
    for tokens, start in rows:
        logits = model(input_ids=torch.tensor([tokens])).logits[0].float()
        part = torch.nn.functional.cross_entropy(
            logits[start - 1:-1], torch.tensor(tokens[start:]), reduction="sum")
        total, labels = total + part, labels + len(tokens) - start
    return total / labels


def log_likelihoods(model, tokenizer, items):
    with torch.no_grad():
        scores = []
        for item in items:
            row = []
            for choice in item["choices"]:
                tokens, start = encode(tokenizer, item["prompt"], choice)
                row.append(-batch_loss(model, [(tokens, start)]).item() * (len(tokens) - start))
            scores.append(row)
    return scores


class Parity(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.items = write_items(self.root / "corpus", random.Random(7))

    def of_split(self, split):
        return [item for item in self.items if item["split"] == split]

    def scores_of(self, model_path, checkpoint, name):
        """Our log-likelihoods of base and seed on the test items."""
        spec = work_order(self.root, "evaluate", name, model_path)
        spec["inputs"] = [{"kind": "checkpoint", "run": "r-1", "seed": 11, "step": STEPS, "dir": str(checkpoint)}]
        run("scm-evaluator", spec)
        scores = json.loads((self.root / name / "evaluation.json").read_text())["scores"]
        return [scores[model]["place"]["log_likelihood"] for model in ("base", "seed 11")]

    def assert_close(self, ours, theirs, tolerance, what):
        worst = max(abs(x - y) for xs, ys in zip(ours, theirs, strict=True) for x, y in zip(xs, ys, strict=True))
        print(f"{what}: largest difference of a log-likelihood {worst:.2e}")
        self.assertLessEqual(worst, tolerance, what)


class SmallModel(Parity):
    def setUp(self):
        super().setUp()
        self.model_path = self.root / "model"
        self.tokenizer = write_model(self.model_path)

    def load(self):
        return transformers.AutoModelForCausalLM.from_pretrained(self.model_path, dtype=torch.float32)

    def train(self, name, save_steps, **training):
        spec = work_order(self.root, "train", name, self.model_path, **training)
        spec["save_steps"] = save_steps
        return run("scm-trainer", spec), self.root / name / "checkpoints"

    def oracle(self, checkpoints, schedule, max_grad_norm):
        """The same training by peft, from our initial adapter: the first update has rate 0."""
        model = peft.PeftModel.from_pretrained(self.load(), checkpoints / "step-1", is_trainable=True)
        model.train()  # the adapter has no dropout; in inference bitsandbytes would go over to bf16
        parameters = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(parameters, lr=5e-3, weight_decay=0.01)
        scheduler = transformers.get_scheduler(schedule, optimizer, num_warmup_steps=1, num_training_steps=STEPS)
        rows = [encode(self.tokenizer, i["prompt"], i["choices"][i["gold"]]) for i in self.of_split("train")]
        losses, norms, rates = [], [], []
        for _ in range(STEPS):
            loss = batch_loss(model, rows)
            loss.backward()
            norms.append(torch.nn.utils.clip_grad_norm_(parameters, max_grad_norm).item())
            rates.append(scheduler.get_last_lr()[0])
            losses.append(loss.item())
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
        return model, losses, norms, rates

    def test_losses_agree_with_peft(self):
        for schedule, max_grad_norm in (("linear", 1.0), ("cosine", 1e300)):  # 1e300: nothing is clipped
            with self.subTest(schedule=schedule):
                reports, checkpoints = self.train(f"train-{schedule}", 1, schedule=schedule,
                                                  max_grad_norm=max_grad_norm)
                _, losses, norms, rates = self.oracle(checkpoints, schedule, max_grad_norm)
                ours = progress(reports, "train_loss")
                worst = max(abs(x - y) / y for x, y in zip(ours, losses, strict=True))
                print(f"{schedule}: {losses[0]:.4f} to {losses[-1]:.4f}, largest relative difference {worst:.2e}")
                self.assertLess(losses[-1], 0.7 * losses[0], "too little was learned for a comparison")
                self.assertLessEqual(worst, 1e-4)
                for x, y in zip(progress(reports, "grad_norm"), norms, strict=True):
                    self.assertAlmostEqual(x, y, delta=1e-3 * y)
                for x, y in zip(progress(reports, "learning_rate"), rates, strict=True):
                    self.assertAlmostEqual(x, y, delta=1e-12)

    def test_accumulation_is_token_exact(self):
        whole = progress(self.train("whole", STEPS)[0], "train_loss")
        parts = progress(self.train("parts", STEPS, batch_size=1, gradient_accumulation=12)[0], "train_loss")
        for x, y in zip(whole, parts, strict=True):
            self.assertAlmostEqual(x, y, delta=1e-5 * x)

    def test_adapter_opens_in_peft(self):
        _, checkpoints = self.train("opens", STEPS)
        ours = self.scores_of(self.model_path, checkpoints / f"step-{STEPS}", "evaluate")
        test = self.of_split("test")
        base = self.load()
        self.assert_close(ours[0], log_likelihoods(base, self.tokenizer, test), 1e-4, "base")
        tuned = peft.PeftModel.from_pretrained(base, checkpoints / f"step-{STEPS}")
        self.assert_close(ours[1], log_likelihoods(tuned, self.tokenizer, test), 1e-4, "adapter")
        self.assertGreater(abs(ours[0][0][0] - ours[1][0][0]), 0.01, "the adapter changed nothing")


class QuantizedBase(SmallModel):
    """QLoRA: peft over bitsandbytes' NF4 in fp32 compute. Rows are whole blocks of 64, because the AVX-512 code of
    bitsandbytes 0.50.2 restores others wrongly (test_quantize.py)."""

    def setUp(self):
        super().setUp()
        self.double_quant = True
        self.tokenizer = write_model(self.model_path, intermediate=192)

    def load(self):
        settings = transformers.BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=self.double_quant,
            bnb_4bit_compute_dtype=torch.float32)
        return transformers.AutoModelForCausalLM.from_pretrained(
            self.model_path, dtype=torch.float32, quantization_config=settings, device_map="cpu")

    def train(self, name, save_steps, **training):
        spec = work_order(self.root, "train", name, self.model_path, **training)
        spec["save_steps"] = save_steps
        spec["parameters"]["lora"] |= {"quantize_base": "nf4", "double_quant": self.double_quant}
        return run("scm-trainer", spec), self.root / name / "checkpoints"

    def test_losses_agree_with_peft(self):
        for self.double_quant in (True, False):
            with self.subTest(double_quant=self.double_quant):
                reports, checkpoints = self.train(f"train-{self.double_quant}", 1)
                _, losses, norms, _ = self.oracle(checkpoints, "linear", 1.0)
                ours = progress(reports, "train_loss")
                worst = max(abs(x - y) for x, y in zip(ours, losses, strict=True))
                base = reports[-1]["summary"]["quantized_base"]
                print(f"nf4, double_quant {self.double_quant}: {losses[0]:.4f} to {losses[-1]:.4f}, largest "
                      f"difference {worst:.2e}; {base['bits_per_parameter']:.3f} bits a parameter")
                self.assertLess(losses[-1], 0.7 * losses[0], "too little was learned for a comparison")
                self.assertLessEqual(worst, 1e-3)
                for x, y in zip(progress(reports, "grad_norm"), norms, strict=True):
                    self.assertAlmostEqual(x, y, delta=1e-3 * y)

    def test_adapter_is_scored_over_the_base_it_was_trained_on(self):
        _, checkpoints = self.train("scored", STEPS)
        spec = work_order(self.root, "evaluate", "evaluate", self.model_path)
        spec["parameters"]["lora"] |= {"quantize_base": "nf4"}
        spec["inputs"] = [{"kind": "checkpoint", "run": "r-1", "seed": 11, "step": STEPS,
                           "dir": str(checkpoints / f"step-{STEPS}")}]
        run("scm-evaluator", spec)
        scores = json.loads((self.root / "evaluate" / "evaluation.json").read_text())["scores"]
        ours = [scores[model]["place"]["log_likelihood"] for model in ("base", "seed 11")]
        test = self.of_split("test")
        plain = transformers.AutoModelForCausalLM.from_pretrained(self.model_path, dtype=torch.float32)
        self.assert_close(ours[0], log_likelihoods(plain, self.tokenizer, test), 1e-4, "base as it is")
        tuned = peft.PeftModel.from_pretrained(self.load(), checkpoints / f"step-{STEPS}")
        tuned.train()  # in inference bitsandbytes would go over to bf16
        self.assert_close(ours[1], log_likelihoods(tuned, self.tokenizer, test), 1e-4, "adapter over nf4")
        other = peft.PeftModel.from_pretrained(plain, checkpoints / f"step-{STEPS}")
        elsewhere = log_likelihoods(other, self.tokenizer, test)
        self.assertGreater(max(abs(x - y) for xs, ys in zip(ours[1], elsewhere) for x, y in zip(xs, ys)), 1e-3,
                           "both bases give the same, so the comparison above says nothing")

    def test_merged_model_says_what_it_was_merged_into(self):
        _, checkpoints = self.train("train", STEPS)
        spec = work_order(self.root, "export", "export", self.model_path)
        spec["parameters"]["lora"] |= {"quantize_base": "nf4"}
        spec["inputs"] = [{"kind": "checkpoint", "run": "r-1", "seed": 11, "step": STEPS,
                           "dir": str(checkpoints / f"step-{STEPS}")}]
        said = run("scm-trainer", spec)[-1]["summary"]["merged_into"]
        self.assertEqual((said["base"], said["trained_over"]), (str(self.model_path), "nf4"))
        state = json.loads((checkpoints / f"step-{STEPS}" / "training_state.json").read_text())
        self.assertEqual(said["validation_loss_trained"], state["validation"]["loss"])
        merged = transformers.AutoModelForCausalLM.from_pretrained(self.root / "export" / "merged", dtype=torch.float32)
        rows = [encode(self.tokenizer, i["prompt"], i["choices"][i["gold"]]) for i in self.of_split("validation")]
        with torch.no_grad():
            theirs = batch_loss(merged, rows).item()
        print(f"merged: {said['validation_loss_merged']:.6f} here, {theirs:.6f} in transformers; "
              f"over nf4 {said['validation_loss_trained']:.6f}")
        self.assertAlmostEqual(said["validation_loss_merged"], theirs, delta=1e-4)
        self.assertNotEqual(said["validation_loss_merged"], said["validation_loss_trained"])
        readme = (self.root / "export" / "merged" / "README.md").read_text()
        self.assertIn(f"{said['validation_loss_merged']:.4f}", readme)

    test_accumulation_is_token_exact = test_adapter_opens_in_peft = None


class SmolLM2(Parity):
    """The real model from its quantised file; transformers dequantises the same file."""

    def setUp(self):
        super().setUp()
        self.gguf = support.smollm2()
        source = dict(gguf_file=self.gguf.name)
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(self.gguf.parent, **source)
        self.base = transformers.AutoModelForCausalLM.from_pretrained(self.gguf.parent, dtype=torch.float32, **source)

    def test_adapter_and_merged_model_open_in_transformers(self):
        spec = work_order(self.root, "train", "train", self.gguf, batch_size=4, learning_rate=1e-3)
        spec["stop_at_step"] = spec["save_steps"] = spec["eval_steps"] = 4
        reports = run("scm-trainer", spec)
        self.assertLess(progress(reports, "train_loss")[-1], progress(reports, "train_loss")[0])
        checkpoint = self.root / "train" / "checkpoints" / "step-4"
        ours = self.scores_of(self.gguf, checkpoint, "evaluate")
        test = self.of_split("test")
        self.assert_close(ours[0], log_likelihoods(self.base, self.tokenizer, test), 2e-3, "SmolLM2 base")
        tuned = peft.PeftModel.from_pretrained(self.base, checkpoint)
        theirs = log_likelihoods(tuned, self.tokenizer, test)
        self.assert_close(ours[1], theirs, 2e-3, "SmolLM2 adapter")

        export = work_order(self.root, "export", "export", self.gguf)
        export["inputs"] = [{"kind": "checkpoint", "run": "r-1", "seed": 11, "step": 4, "dir": str(checkpoint)}]
        run("scm-trainer", export)
        merged_path = self.root / "export" / "merged"
        merged = transformers.AutoModelForCausalLM.from_pretrained(merged_path, dtype=torch.float32)
        tokenizer = transformers.AutoTokenizer.from_pretrained(merged_path)
        # Stored in bf16: as close as eight bits of mantissa allow.
        self.assert_close(log_likelihoods(merged, tokenizer, test), theirs, 0.5, "SmolLM2 merged in bf16")


if __name__ == "__main__":
    support.main()
