"""Families beside Llama against transformers and peft: losses, gradient norms and adapters of a training, scores, the
adapter and the merged model opened by them; and what is refused.

Run with the Python of the oracle environment: python tests/parity/test_families.py --bin-dir build/bin
"""
import json
import subprocess

import peft
import torch
import transformers
from safetensors.torch import load_file

import small
import support
import test_training as training

STEPS = training.STEPS


def names(family):
    return f"{family}Config", f"{family}ForCausalLM"


def make_uneven(model):
    """transformers begins with biases of 0 and norms of 1, with which much that is wrong looks right."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.3)
            elif "norm" in name:
                parameter.normal_(1, 0.3)


class OfFamily:
    """What every family is tested for."""
    family, more = None, {}
    targets = training.TARGETS

    def setUp(self):
        super().setUp()
        # The same model whichever tests run: AdamW blows up an element whose gradient is nothing but rounding, and
        # now and then a random model has such a one.
        torch.manual_seed(1)
        self.tokenizer = training.write_model(self.model_path, family=names(self.family), change=make_uneven,
                                              **self.more)

    def train(self, name, save_steps, **keys):
        spec = training.work_order(self.root, "train", name, self.model_path, **keys)
        spec["save_steps"] = save_steps
        spec["parameters"]["lora"]["target_modules"] = self.targets
        return training.run("scm-trainer", spec), self.root / name / "checkpoints"

    def names_by_peft(self):
        """The matrices of an adapter that peft makes with the same target_modules."""
        made = peft.get_peft_model(self.load(), peft.LoraConfig(task_type="CAUSAL_LM", target_modules=self.targets))
        return set(peft.get_peft_model_state_dict(made))

    def test_losses_agree_with_peft(self):
        reports, checkpoints = self.train("train", 1)
        model, losses, norms, _ = self.oracle(checkpoints, "linear", 1.0)
        ours = training.progress(reports, "train_loss")
        worst_loss = max(abs(x - y) / y for x, y in zip(ours, losses, strict=True))
        our_norms = training.progress(reports, "grad_norm")
        worst_norm = max(abs(x - y) / y for x, y in zip(our_norms, norms, strict=True))
        ours = load_file(checkpoints / f"step-{STEPS}" / "adapter_model.safetensors")
        theirs = peft.get_peft_model_state_dict(model)
        self.assertEqual(set(ours), set(theirs))
        self.assertEqual(set(ours), self.names_by_peft())
        worst = max(((ours[k] - theirs[k]).norm() / theirs[k].norm()).item() for k in ours)
        print(f"{self.family}: {losses[0]:.4f} to {losses[-1]:.4f}; largest relative difference of a loss "
              f"{worst_loss:.2e}, of a gradient norm {worst_norm:.2e}, of a matrix after {STEPS} steps {worst:.2e}")
        self.assertLess(losses[-1], 0.7 * losses[0], "too little was learned for a comparison")
        self.assertLessEqual(worst_loss, 1e-4)
        self.assertLessEqual(worst_norm, 1e-4)
        self.assertLessEqual(worst, 1e-4)

    def test_adapter_and_merged_model_open(self):
        """Scores of ours, of peft with our adapter, and of transformers with the model that we merged."""
        _, checkpoints = self.train("opens", STEPS)
        checkpoint = checkpoints / f"step-{STEPS}"
        base, tuned = self.scores_of(self.model_path, checkpoint, "evaluate")
        test = self.of_split("test")
        plain = self.load()
        self.assert_close(base, training.log_likelihoods(plain, self.tokenizer, test), 1e-4, "base")
        adapted = peft.PeftModel.from_pretrained(plain, checkpoint)
        theirs = training.log_likelihoods(adapted, self.tokenizer, test)
        self.assert_close(tuned, theirs, 1e-4, "adapter")
        self.assertGreater(abs(base[0][0] - tuned[0][0]), 0.01, "the adapter changed nothing")

        export = training.work_order(self.root, "export", "export", self.model_path)
        export["inputs"] = [{"kind": "checkpoint", "run": "r-1", "seed": 11, "step": STEPS, "dir": str(checkpoint)}]
        training.run("scm-trainer", export)
        path = self.root / "export" / "merged"
        merged = transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
        self.assertEqual(type(merged).__name__, names(self.family)[1])
        self.assert_close(training.log_likelihoods(merged, self.tokenizer, test), theirs, 2e-4, "merged")

    test_accumulation_is_token_exact = test_adapter_opens_in_peft = None  # in test_training.py


class Qwen2(OfFamily, training.SmallModel):
    family = "Qwen2"
    more = {"tie_word_embeddings": True, "use_sliding_window": False, "sliding_window": 8}
    targets = "all-linear"


class Qwen3(OfFamily, training.SmallModel):
    family = "Qwen3"
    more = {"head_dim": 24, "rope_theta": 1e6}
    targets = "all-linear"


class Mistral(OfFamily, training.SmallModel):
    family = "Mistral"
    more = {"sliding_window": 128, "head_dim": 20}  # max_length is 128 too


class SmolLM3(OfFamily, training.SmallModel):
    family = "SmolLM3"
    more = {"no_rope_layers": [1, 0, 1], "rope_theta": 5e6, "pad_token_id": None}


class AsReleased(training.Parity):
    """config.json as the models' makers wrote it for transformers 4, with what transformers 5 reads of it."""
    LEGACY = {
        "Qwen2": {"rope_theta": 1000000.0, "sliding_window": 32768, "use_sliding_window": False,
                  "max_window_layers": 2, "tie_word_embeddings": True},
        "Qwen3": {"rope_theta": 1000000, "rope_scaling": None, "head_dim": 24, "attention_bias": False,
                  "sliding_window": None, "use_sliding_window": False, "max_window_layers": 3,
                  "tie_word_embeddings": True},
        "Mistral": {"rope_theta": 1000000.0, "sliding_window": None},
        "SmolLM3": {"rope_theta": 5000000.0, "rope_scaling": None, "no_rope_layer_interval": 2,
                    "sliding_window": None, "use_sliding_window": False, "attention_bias": False,
                    "mlp_bias": False}}

    def test_scores(self):
        for family, keys in self.LEGACY.items():
            with self.subTest(family=family):
                path = self.root / family
                tied = {"tie_word_embeddings": keys.get("tie_word_embeddings", family == "SmolLM3")}
                head = {"head_dim": keys["head_dim"]} if "head_dim" in keys else {}
                tokenizer = training.write_model(path, family=names(family), change=make_uneven, pad_token_id=None,
                                                 **tied, **head)
                gone = ["rope_parameters", "layer_types", "no_rope_layers", "no_rope_layer_interval", "dtype",
                        "use_sliding_window", "sliding_window", "max_window_layers", "tie_word_embeddings"]
                small.change_config(path, **{key: ... for key in gone} | keys)
                spec = training.work_order(self.root, "evaluate", f"evaluate-{family}", path)
                training.run("scm-evaluator", spec)
                scores = json.loads((self.root / f"evaluate-{family}" / "evaluation.json").read_text())["scores"]
                model = transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
                self.assert_close(scores["base"]["place"]["log_likelihood"],
                                  training.log_likelihoods(model, tokenizer, self.of_split("test")), 1e-4, family)


class Refused(training.Parity):
    def refusal(self, model, **data):
        spec = training.work_order(self.root, "train", "refused", model)
        spec["parameters"]["data"] |= data
        path = self.root / "refused.json"
        path.write_text(json.dumps(spec))
        done = subprocess.run([support.BIN_DIR / "scm-trainer", path], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL)
        self.assertNotEqual(done.returncode, 0)
        return done.stderr

    def test_longer_texts_than_a_window(self):
        path = self.root / "model"
        training.write_model(path, family=names("Mistral"), sliding_window=64)
        said = self.refusal(path)
        for part in ("sliding window of 64", "128 tokens", "data.max_length to at most 64"):
            self.assertIn(part, said)

    def test_other_families(self):
        """By the name that transformers gives them, with those that are supported."""
        for family, more in (("Gemma2", {"head_dim": 16}), ("Phi3", {"pad_token_id": None}), ("Olmo2", {}),
                             ("Qwen2Moe", {"num_experts": 2})):
            with self.subTest(family=family):
                path = self.root / family
                training.write_model(path, family=names(family), **more)
                said = self.refusal(path)
                for part in (json.loads((path / "config.json").read_text())["model_type"], "supported are llama",
                             "qwen3", "smollm3"):
                    self.assertIn(part, said)


if __name__ == "__main__":
    support.main()
