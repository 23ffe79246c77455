"""`training.epochs` of the built-in trainer: what is submitted, planned and trained is as many steps as the examples of
the corpus make, of questions and of conversations."""
import json
import math
import pathlib
import sys
import unittest

from mini_cluster import BIN, MiniCluster, run_tests

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fakes"))
import tiny_model  # noqa: E402

DOCUMENTS, BATCH = 10, 3
CHATML = ("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + "
          "'\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")


def write_model(directory):
    """The tiny model, with ChatML's template and the two tokens of it."""
    tiny_model.VOCABULARY = 258
    tiny_model.write(directory, seed=5)
    tokenizer = json.loads((directory / "tokenizer.json").read_text())
    tokenizer["added_tokens"] = [
        {"id": 256 + i, "content": f"<|im_{word}|>", "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False, "special": True} for i, word in enumerate(("start", "end"))]
    (directory / "tokenizer.json").write_text(json.dumps(tokenizer))
    (directory / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>", "chat_template": CHATML}))
    return directory


def write_corpus(directory, item):
    """Documents of which the first seven train, an item each."""
    for part in ("documents", "items"):
        (directory / part).mkdir(parents=True)
    (directory / "corpus.json").write_text(json.dumps({"name": "epochs", "as_of": "2026-01-01"}))
    with open(directory / "documents/all.jsonl", "w") as documents, open(directory / "items/all.jsonl", "w") as items:
        for i in range(DOCUMENTS):
            split = "train" if i < 7 else "validation" if i < 9 else "test"
            documents.write(json.dumps({"id": f"d-{i}", "jurisdiction": "es", "domain": "companies", "language": "en",
                                        "licence": "CC0-1.0", "source": "made for this test",
                                        "text": f"Rule {i}: {'x' * i} months."}) + "\n")
            items.write(json.dumps({"id": f"i-{i}", "document": f"d-{i}", "split": split} | item(i)) + "\n")
    return directory


def question(i):
    return {"task": "questions", "prompt": f"How many months are rule {i}?", "choices": [f"{i}", "none"], "gold": 0}


def conversation(i):
    return {"task": "talks", "messages": [{"role": "user", "content": f"How many months are rule {i}?"},
                                          {"role": "assistant", "content": f"{i}."}]}


def experiment(model, corpus, epochs):
    return f"""
name: epochs
stages: [replicate]
model: {{base: {model}}}
data: {{corpus: {corpus}, max_length: 96, packing: false}}
lora: {{r: 2, alpha: 4, dropout: 0, target_modules: [q_proj]}}
trainer: {{command: [scm-trainer]}}
training: {{learning_rate: 1.0e-3, batch_size: {BATCH}, epochs: {epochs}, early_stopping: none, precision: fp32}}
replicate: {{seeds: [11]}}
abort: {{no_convergence: none, below_random: none, non_finite: true, stalled: none}}
"""


@unittest.skipUnless((BIN / "scm-trainer").exists(), "built without libtorch")
class Epochs(unittest.TestCase):
    def test_questions_and_conversations_are_counted_as_they_are_trained(self):
        cluster = MiniCluster(workers=1)
        self.addCleanup(cluster.close)
        home = pathlib.Path(cluster.home)
        model = write_model(home / "model")
        for name, item in {"questions": question, "talks": conversation}.items():
            corpus = write_corpus(home / name, item)
            for epochs in (1, 2.5):
                with self.subTest(corpus=name, epochs=epochs):
                    text = experiment(model, corpus, epochs)
                    path = home / "plan.yaml"
                    path.write_text(text)
                    plan = cluster.json("plan", path)["training"]
                    steps = math.ceil(epochs * 7 / BATCH)
                    self.assertEqual((plan["examples"], plan["steps"]), (7, steps))
                    self.assertGreaterEqual(plan["epochs"], epochs)
                    identifier = cluster.submit(text)
                    self.assertEqual(cluster.wait(identifier), 0,
                                     f"{cluster.scmctl('status', identifier).stdout}\n{cluster.logs()}")
                    run, = cluster.json("runs", identifier)["runs"]
                    print(f"{name}, {epochs} epochs: {run['step']} steps, plan {plan}")
                    self.assertEqual((run["step"], run["max_steps"]), (steps, steps))
                    self.assertEqual("validation_accuracy" in run["latest"], name == "questions")
                    self.assertIn("validation_loss", run["latest"])


if __name__ == "__main__":
    run_tests()
