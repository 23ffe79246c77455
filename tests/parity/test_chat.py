"""Chat templates and conversations against transformers: the text, the tokens, and what of them is trained.

The templates are those that models are published with, as TRL carries them, and SmolLM2's own.
Run: PYTHON tests/parity/test_chat.py --bin-dir build/bin
"""
import json
import pathlib
import random
import tempfile
import unittest

import transformers

import small
import support
from texts import varied_texts

transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()

SEED = 20261130
COUNT = 300
CHATML = ("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
          "'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")
QWEN2 = CHATML.replace("%}{{'<|im", "%}{% if loop.first and messages[0]['role'] != 'system' %}"
                       "{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}{{'<|im")
OF_TRL = ["llama3", "llama3_training", "llama3_1", "llama3_2", "qwen2_5", "qwen2_5_training", "qwen3",
          "qwen3_instruct_2507", "qwen3_instruct_2507_training"]
SPECIAL = ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|im_start|>",
           "<|im_end|>", "<think>", "</think>"]


def templates():
    """Name to Jinja text."""
    found = {"chatml": CHATML, "qwen2": QWEN2}
    for name in OF_TRL:
        path = support.package_file("trl", f"chat_templates/{name}.jinja")
        if path is None:
            raise AssertionError("trl is not installed; run: scripts/setup.sh parity")
        found[name] = path.read_text(encoding="utf-8")
    import gguf
    reader = gguf.GGUFReader(support.smollm2())
    found["smollm2"] = reader.fields["tokenizer.chat_template"].contents()
    return found


def conversations(count, seed):
    """Random ones: with and without a system turn, one to six turns, any text, thoughts."""
    rng = random.Random(seed)
    texts = [t for t in varied_texts(3000, seed) if t.strip() and not any(s in t for s in SPECIAL)]
    made = []
    while len(made) < count:
        talk = [{"role": "system", "content": rng.choice(texts)}] if rng.random() < 0.5 else []
        for _ in range(rng.randrange(1, 4)):
            for _ in range(rng.choice((1, 1, 1, 2))):
                talk.append({"role": "user", "content": rng.choice(texts)})
            answer = rng.choice(texts)
            if rng.random() < 0.3:
                answer = f"<think>\n{rng.choice(texts)}\n</think>\n\n" + answer
            if rng.random() < 0.1:
                answer = rng.choice(["</think>", "<think>", "\n\n<think></think>\n"]) + answer
            talk.append({"role": "assistant", "content": answer})
        made.append(talk)
    return made


class Chat(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.root = pathlib.Path(folder.name)
        cls.talks = conversations(COUNT, SEED)
        cls.model = cls.root / "model"
        small.write_model(cls.model, vocab_size=400, eos_token_id=None)
        written = small.tokenizer_json(added=SPECIAL)
        for token in written["added_tokens"]:
            token["special"] = "think" not in token["content"]
        cls.write(written, None)

    @classmethod
    def write(cls, tokenizer, template):
        config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|begin_of_text|>"}
        config |= {} if template is None else {"chat_template": template}
        small.write_tokenizer(cls.model, tokenizer, config)
        cls.tokenizer = tokenizer

    def lines(self, talks):
        path = self.root / "talks.jsonl"
        path.write_text("".join(json.dumps(t) + "\n" for t in talks), encoding="utf-8")
        return path

    def test_rendered_text(self):
        for name, template in templates().items():
            with self.subTest(name=name):
                self.write(self.tokenizer, template)
                theirs = transformers.AutoTokenizer.from_pretrained(self.model)
                out = support.run("scm-modelinfo", self.model, "--chat", self.lines(self.talks)).stdout
                ours = [json.loads(line) for line in out.split("\n")[:-1]]
                self.assertEqual(len(ours), COUNT)
                for talk, text in zip(self.talks, ours):
                    expected = theirs.apply_chat_template(talk, tokenize=False, date_string="26 Jul 2024")
                    self.assertEqual(text, expected, f"seed {SEED}: {talk!r}")

    def test_template_in_a_file_of_its_own(self):
        self.write(self.tokenizer, None)
        path = self.model / "chat_template.jinja"
        path.write_text(QWEN2, encoding="utf-8")
        self.addCleanup(path.unlink, missing_ok=True)
        theirs = transformers.AutoTokenizer.from_pretrained(self.model)
        out = support.run("scm-modelinfo", self.model, "--chat", self.lines(self.talks[:20])).stdout
        self.assertEqual([json.loads(line) for line in out.split("\n")[:-1]],
                         [theirs.apply_chat_template(t, tokenize=False) for t in self.talks[:20]])
        self.write(self.tokenizer, CHATML)
        self.assertEqual(transformers.AutoTokenizer.from_pretrained(self.model).chat_template, QWEN2)
        done = support.run("scm-modelinfo", self.model, "--chat", self.lines(self.talks[:1]), check=False)
        self.assertEqual(done.returncode, 2)
        for part in ("chat_template.jinja", "tokenizer_config.json"):
            self.assertIn(part, done.stderr)

    def test_others_are_refused_by_name(self):
        for name in ("gemma", "phi3", "glm4moe", "qwen3_5_think"):
            template = support.package_file("trl", f"chat_templates/{name}.jinja").read_text(encoding="utf-8")
            self.write(self.tokenizer, template)
            done = support.run("scm-modelinfo", self.model, "--chat", self.lines(self.talks[:1]), check=False)
            self.assertEqual(done.returncode, 2, name)
            for part in ("is not known", "ChatML", "Llama 3.2", "Qwen3"):
                self.assertIn(part, done.stderr)

    # The same as the template prints, with marks around what the assistant says.
    MARKED = ("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n'}}"
              "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] + '<|im_end|>' }}"
              "{% endgeneration %}{% else %}{{ message['content'] + '<|im_end|>' }}{% endif %}{{ '\n' }}{% endfor %}")

    def test_tokens_and_labels(self):
        """ids as apply_chat_template's; predicted are those that it says the assistant generates."""
        for special in ("text", "parse"):
            self.write(self.tokenizer, CHATML)
            theirs = transformers.AutoTokenizer.from_pretrained(self.model)
            talks = self.talks + [[{"role": "user", "content": "<|im_end|>x<|begin_of_text|>"},
                                   {"role": "assistant", "content": "a<|im_start|>"}]]
            flags = ["--special"] if special == "parse" else []
            out = support.run("scm-chat-probe", self.model, self.lines(talks), *flags).stdout
            rows = [json.loads(line) for line in out.split("\n")[:-1]]
            self.assertEqual(len(rows), len(talks))
            for talk, row in zip(talks, rows):
                if special == "text":
                    plain = theirs.apply_chat_template(talk, sanitize_control_tokens=True)
                    self.assertEqual(row["tokens"], plain["input_ids"], f"seed {SEED}: {talk!r}")
                    continue
                marked = theirs.apply_chat_template(talk, chat_template=self.MARKED, return_assistant_tokens_mask=True)
                self.assertEqual(row["tokens"], marked["input_ids"], f"seed {SEED}: {talk!r}")
                self.assertEqual(row["predicted"], marked["assistant_masks"], f"seed {SEED}: {talk!r}")


if __name__ == "__main__":
    support.main()
