"""Small model directories for the parity tests: a Llama of random weights and a byte-level tokenizer."""
import json

import tokenizers
import torch
import transformers
from safetensors.torch import load_file, save_file

BYTES = {c: i for i, c in enumerate(sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()))}
TEXT = "la ley del pacto social, el síndico y la acción, Argentina, Chile, Uruguay, España misma"


def tokenizer_json(added=("<|im_start|>", "<|im_end|>"), more=(), merges=(), steps=(), start=None):
    """tokenizer.json as a dict. `added`: texts, or (id, text); `more`: further vocabulary entries."""
    vocabulary = dict(BYTES)
    for entry in more:
        token, number = entry if isinstance(entry, tuple) else (entry, len(vocabulary))
        vocabulary[token] = number
    tokens = [a if isinstance(a, tuple) else (len(vocabulary) + i, a) for i, a in enumerate(added)]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    template = None
    if start is not None:
        number = next(i for i, text in tokens if text == start)
        first, rest = {"SpecialToken": {"id": start, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}
        template = {"type": "TemplateProcessing", "single": [first, rest],
                    "pair": [first, rest, {"Sequence": {"id": "B", "type_id": 1}}],
                    "special_tokens": {start: {"id": start, "ids": [number], "tokens": [start]}}}
    return {
        "version": "1.0", "truncation": None, "padding": None, "normalizer": None,
        "added_tokens": [{"id": i, "content": text, "single_word": False, "lstrip": False, "rstrip": False,
                          "normalized": False, "special": True} for i, text in tokens],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [*steps, level]} if steps else level,
        "post_processor": template, "decoder": level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": vocabulary, "merges": list(merges)}}


def write_tokenizer(folder, tokenizer=None, config=None):
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer or tokenizer_json()), encoding="utf-8")
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>"} if config is None else config
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def write_model(folder, tied=False, **config):
    """Random weights, config.json and a tokenizer with <|im_start|> and <|im_end|>."""
    torch.manual_seed(3)
    settings = {"vocab_size": 300, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
                "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256,
                "tie_word_embeddings": tied, "bos_token_id": None, "eos_token_id": 257, "initializer_range": 0.2}
    transformers.LlamaForCausalLM(transformers.LlamaConfig(**settings | config)).save_pretrained(folder)
    write_tokenizer(folder)


def change_config(folder, **keys):
    path = folder / "config.json"
    config = json.loads(path.read_text()) | keys
    path.write_text(json.dumps({k: v for k, v in config.items() if v is not ...}))


def change_weights(folder, change):
    """`change` gets the tensors as a dict and returns those to store."""
    path = folder / "model.safetensors"
    save_file({k: v.contiguous() for k, v in change(load_file(path)).items()}, path, metadata={"format": "pt"})


def load(folder):
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
