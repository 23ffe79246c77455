"""What docs/use-it.md tells users to type, typed: every Python block of the page, and of the README.md that
`scmctl report` writes, runs on what scm-trainer exported.

Run with the Python of the oracle environment: python tests/parity/test_use_it.py --bin-dir build/bin
"""
import contextlib
import io
import os
import pathlib
import random
import re
import tempfile
import unittest

import torch
import transformers

import support
import test_training as training

ROOT = pathlib.Path(__file__).resolve().parents[2]


def python_blocks(text):
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


class UseIt(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.root = pathlib.Path(cls.folder.name)
        training.write_items(cls.root / "corpus", random.Random(5))
        cls.tokenizer = training.write_model(cls.root / "base")
        order = training.work_order(cls.root, "train", "train", cls.root / "base")
        training.run("scm-trainer", order)
        checkpoint = cls.root / "train" / "checkpoints" / f"step-{training.STEPS}"
        order = training.work_order(cls.root, "export", "export", cls.root / "base")
        order["parameters"]["export"] = {"formats": ["peft", "merged"]}
        order["inputs"] = [{"kind": "checkpoint", "run": "r-1", "seed": 11, "step": training.STEPS,
                            "dir": str(checkpoint)}]
        training.run("scm-trainer", order)
        # As `scmctl report` lays them out.
        (cls.root / "export" / "merged").rename(cls.root / "model")
        (cls.root / "export" / "adapter").rename(cls.root / "adapter")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def setUp(self):
        before = os.getcwd()
        os.chdir(self.root)
        self.addCleanup(os.chdir, before)

    def type_in(self, blocks):
        """Runs the blocks one after the other, as a reader would; returns their names and what they print."""
        names, printed = {}, io.StringIO()
        with contextlib.redirect_stdout(printed):
            for block in blocks:
                exec(compile(block.replace('"BASE"', '"base"'), "a block of the page", "exec"), names)
        return names, printed.getvalue()

    def test_every_block_of_the_page_runs_and_means_what_it_says(self):
        blocks = python_blocks((ROOT / "docs" / "use-it.md").read_text(encoding="utf-8"))
        self.assertGreaterEqual(len(blocks), 3)
        names, printed = self.type_in(blocks)
        self.assertIn(printed.splitlines()[-1], names["choices"])
        # The page's log-likelihood is the evaluator's.
        prompt, choice = "la acción: ", "el Uruguay"
        tokens, start = training.encode(self.tokenizer, prompt.rstrip(), choice)
        with torch.no_grad():
            expected = -training.batch_loss(names["model"], [(tokens, start)]) * (len(tokens) - start)
        self.assertAlmostEqual(names["log_likelihood"](prompt.rstrip(), choice), expected.item(), places=3)
        # merged/ and what peft merges out of adapter/ are one model.
        ours = transformers.AutoModelForCausalLM.from_pretrained("model").state_dict()
        theirs = transformers.AutoModelForCausalLM.from_pretrained("merged-by-peft").state_dict()
        self.assertEqual(ours.keys(), theirs.keys())
        for name, tensor in ours.items():
            self.assertLess((tensor - theirs[name]).abs().max().item(), 1e-5, name)

    def test_every_block_of_the_short_version_runs(self):
        source = (ROOT / "scmctl" / "commands" / "use_it.cc").read_text(encoding="utf-8")
        blocks = python_blocks("".join(re.findall(r'R"md\((.*?)\)md"', source, flags=re.DOTALL)))
        self.assertEqual(len(blocks), 2)
        self.type_in([block.replace('"ADAPTER"', '"adapter"') for block in blocks])


if __name__ == "__main__":
    support.main()
