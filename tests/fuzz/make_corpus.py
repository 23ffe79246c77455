#!/usr/bin/env python3
"""Writes the seeds in corpus/: short, valid files of each kind, from which the fuzzers start.
Run it again after a change here, and commit what it writes.

    tests/fuzz/make_corpus.py
"""
import base64
import json
import pathlib
import struct

HERE = pathlib.Path(__file__).resolve().parent
HIDDEN, INNER, ROWS = 4, 6, 8


def write(target, name, content):
    path = HERE / "corpus" / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def safetensors(tensors, metadata=None):
    """Tensors: (name, type, shape, bytes)."""
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, kind, shape, content in tensors:
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = compact(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def make_safetensors():
    write("safetensors", "empty", safetensors([]))
    write("safetensors", "one", safetensors([("a", "F32", [2], struct.pack("<2f", 1, -2))]))
    write("safetensors", "types", safetensors(
        [("d", "F64", [1], bytes(8)), ("i", "I64", [], bytes(8)), ("f", "F32", [1, 1], bytes(4)),
         ("h", "F16", [3], b"\x00\x3c\x00\x7c\x01\x00"), ("b", "BF16", [1, 2], b"\x80\x3f\x80\xff"),
         ("z", "F32", [0, 4], b""), ("u", "U8", [2], b"ab"), ("t", "BOOL", [1], b"\x01")],
        {"format": "pt"}))


BYTE_MAP = {b: chr(b) for b in [*range(33, 127), *range(161, 173), *range(174, 256)]}
BYTE_MAP.update({b: chr(256 + i) for i, b in enumerate(b for b in range(256) if b not in BYTE_MAP)})


def mapped(text):
    return "".join(BYTE_MAP[b] for b in (text if isinstance(text, bytes) else text.encode()))


# Tokens of one byte for the texts that the fuzzers encode, then what the merges make of them.
BYTES = [mapped(bytes([b])) for b in sorted(set("hola <|ab>12ñx\n\te_I'".encode()))]
MERGES = [("h", "o"), ("l", "a"), ("ho", "la"), (mapped(" "), "x")]
TOKENS = BYTES + ["".join(m) for m in MERGES]
ADDED = ["<|a|>", "<|b|>"]


def tokenizer_json(**changes):
    added = [{"id": len(TOKENS) + i, "content": text, "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": True} for i, text in enumerate(ADDED)]
    whole = {"added_tokens": added, "normalizer": None,
             "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
             "post_processor": None,
             "model": {"type": "BPE", "vocab": {t: i for i, t in enumerate(TOKENS)},
                       "merges": [" ".join(m) for m in MERGES]}}
    whole.update(changes)
    return compact(whole)


def make_tokenizer_json():
    write("tokenizer_json", "plain", tokenizer_json())
    write("tokenizer_json", "small", compact(
        {"pre_tokenizer": {"type": "ByteLevel"}, "model": {"vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}}))
    split = {"type": "Split", "pattern": {"Regex": r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"},
             "behavior": "Isolated", "invert": False}
    steps = [{"type": "Digits", "individual_digits": True}, split, {"type": "ByteLevel", "use_regex": False}]
    start = {"type": "TemplateProcessing",
             "single": [{"SpecialToken": {"id": "<|a|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
             "special_tokens": {"<|a|>": {"id": "<|a|>", "ids": [len(TOKENS)], "tokens": ["<|a|>"]}}}
    write("tokenizer_json", "steps", tokenizer_json(
        normalizer={"type": "NFC"}, pre_tokenizer={"type": "Sequence", "pretokenizers": steps}, post_processor=start))
    flags = [{"id": len(TOKENS), "content": "<|a|>", "lstrip": True, "rstrip": True, "special": True},
             {"id": len(TOKENS) + 1, "content": "ab", "single_word": True, "normalized": True}]
    write("tokenizer_json", "flags", tokenizer_json(added_tokens=flags))


def make_tiktoken():
    tokens = [bytes([b]) for b in b"aho lx12"] + [b"ho", b"la", b" x", b"hola", "ñ".encode()[:1]]
    lines = [f"{base64.b64encode(t).decode()} {i}" for i, t in enumerate(tokens)]
    write("tiktoken", "ranks", "\n".join(lines) + "\n")
    write("tiktoken", "gap", "YQ== 0\r\nYg== 7\r\nYWI= 9\r\n")


def text(value):
    value = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(value)) + value


def gguf(metadata, tensors=()):
    """Metadata: key → (type, bytes). Tensors: (name, dimensions in the file's order, type, bytes)."""
    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    for key, (kind, content) in metadata.items():
        out += text(key) + struct.pack("<I", kind) + content
    data = b""
    for name, dimensions, kind, content in tensors:
        data += bytes(-len(data) % 32)
        out += text(name) + struct.pack("<I", len(dimensions)) + struct.pack(f"<{len(dimensions)}Q", *dimensions)
        out += struct.pack("<IQ", kind, len(data))
        data += content
    return out + bytes(-len(out) % 32) + data


def u32(value):
    return 4, struct.pack("<I", value)


def f32(value):
    return 6, struct.pack("<f", value)


def string(value):
    return 8, text(value)


def strings(values):
    return 9, struct.pack("<IQ", 8, len(values)) + b"".join(text(v) for v in values)


def i32s(values):
    return 9, struct.pack("<IQ", 5, len(values)) + struct.pack(f"<{len(values)}i", *values)


def model_tensors():
    """Of one layer: Hugging Face's and GGUF's name, shape."""
    kv = HIDDEN // 2
    return [("model.embed_tokens", "token_embd", [ROWS, HIDDEN]),
            ("model.layers.0.input_layernorm", "blk.0.attn_norm", [HIDDEN]),
            ("model.layers.0.self_attn.q_proj", "blk.0.attn_q", [HIDDEN, HIDDEN]),
            ("model.layers.0.self_attn.k_proj", "blk.0.attn_k", [kv, HIDDEN]),
            ("model.layers.0.self_attn.v_proj", "blk.0.attn_v", [kv, HIDDEN]),
            ("model.layers.0.self_attn.o_proj", "blk.0.attn_output", [HIDDEN, HIDDEN]),
            ("model.layers.0.post_attention_layernorm", "blk.0.ffn_norm", [HIDDEN]),
            ("model.layers.0.mlp.gate_proj", "blk.0.ffn_gate", [INNER, HIDDEN]),
            ("model.layers.0.mlp.up_proj", "blk.0.ffn_up", [INNER, HIDDEN]),
            ("model.layers.0.mlp.down_proj", "blk.0.ffn_down", [HIDDEN, INNER]),
            ("model.norm", "output_norm", [HIDDEN])]


def count(shape):
    product = 1
    for size in shape:
        product *= size
    return product


def make_gguf():
    shape = {"general.architecture": string("llama"), "llama.embedding_length": u32(HIDDEN),
             "llama.feed_forward_length": u32(INNER), "llama.block_count": u32(1),
             "llama.attention.head_count": u32(2), "llama.attention.head_count_kv": u32(1),
             "llama.context_length": u32(16), "llama.vocab_size": u32(ROWS),
             "llama.attention.layer_norm_rms_epsilon": f32(1e-5)}
    tokens = ["a", "b", "ab", mapped(" "), "<|a|>", "<|b|>", "1", "x"]
    words = {"tokenizer.ggml.model": string("gpt2"), "tokenizer.ggml.pre": string("smollm"),
             "tokenizer.ggml.tokens": strings(tokens), "tokenizer.ggml.merges": strings(["a b"]),
             "tokenizer.ggml.token_type": i32s([1, 1, 1, 1, 3, 3, 1, 1]), "tokenizer.ggml.bos_token_id": u32(4),
             "tokenizer.ggml.eos_token_id": u32(5)}
    tensors = [(f"{name}.weight", s[::-1], 0, bytes(4 * count(s))) for _, name, s in model_tensors()]
    factors = ("rope_freqs.weight", [1], 0, struct.pack("<f", 1))
    write("gguf", "model", gguf({**shape, **words}, tensors + [factors]))
    write("gguf", "words", gguf(words))
    write("gguf", "llama3", gguf({**words, "tokenizer.ggml.pre": string("llama-bpe"),
                                  "tokenizer.chat_template": string("{{ messages }}")}))
    blocks = [("f16", [4], 1, bytes(8)), ("q4_1", [32, 1], 3, bytes(20)), ("q8_0", [32, 2], 8, bytes(68)),
              ("bf16", [2, 2], 30, bytes(8))]
    write("gguf", "blocks", gguf({"general.alignment": u32(32), "list": (9, struct.pack("<IQ", 9, 1) +
                                                                       struct.pack("<IQ", 0, 2) + b"ab")}, blocks))


CHATML = ("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + "
          "'<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")
LLAMA3 = ("{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = "
          "'<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}"
          "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}")


def make_chat_template():
    write("chat_template", "chatml", CHATML)
    system = ("{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
              "{{ '<|im_start|>system\\nBe brief.<|im_end|>\\n' }}{% endif %}")
    write("chat_template", "chatml_system", CHATML.replace("{% for message in messages %}", system))
    write("chat_template", "llama3", LLAMA3 + "\0 q \0\ta\u00a0\0r")
    write("chat_template", "said", "x\0q\0<think>\nw\n</think>\n\na")
    write("chat_template", "tags", "{#- a -#}\n  {%- if a.b[0] == \"c\\\"\" -%}\n{{ a['b']['c'] ~ (d + 'e') | trim }}{%+ endif +%}\n")


def make_config():
    base = {"model_type": "llama", "vocab_size": ROWS, "hidden_size": HIDDEN, "intermediate_size": INNER,
            "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "rms_norm_eps": 1e-5,
            "hidden_act": "silu", "tie_word_embeddings": True, "max_position_embeddings": 16}
    scaling = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
               "original_max_position_embeddings": 8192}
    write("config", "llama", compact({**base, "rope_theta": 500000.0, "rope_scaling": scaling, "bos_token_id": 0,
                                      "eos_token_id": [1, 2]}))
    write("config", "smollm3", compact({**base, "model_type": "smollm3", "architectures": ["SmolLM3ForCausalLM"],
                                        "no_rope_layers": [1, 0], "layer_types": ["full_attention"] * 2}))
    write("config", "mistral", compact({**base, "model_type": "mistral", "sliding_window": 8, "head_dim": 2}))
    write("config", "qwen2", compact({**base, "model_type": "qwen2", "use_sliding_window": True, "sliding_window": 4,
                                      "max_window_layers": 1, "rope_parameters": {"rope_theta": 1e6}}))
    decoder = {"6": {"content": "<|a|>", "special": True, "lstrip": False}, "7": {"content": "b", "normalized": True}}
    words = {"tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": False, "bos_token": {"content": "<|a|>"},
             "eos_token": "<|b|>", "additional_special_tokens": ["c"], "added_tokens_decoder": decoder,
             "chat_template": [{"name": "default", "template": "{{ messages }}"}]}
    write("config", "words", "\0".join([compact(base), compact(words), compact({"eos_token": "<|b|>"})]))


def make_index():
    names, layers = [], 2
    for name, _, _ in model_tensors():
        if ".0." not in name:
            names.append(name)
    inner = [name for name, _, _ in model_tensors() if ".0." in name]
    names[1:1] = [name.replace(".0.", f".{layer}.") for layer in range(layers) for name in inner]
    files = {f"{name}.weight": "ab"[i % 2] + ".safetensors" for i, name in enumerate(names)}
    index = compact({"metadata": {"total_size": 0}, "weight_map": files})
    write("index", "two", index)
    write("index", "none", '{"weight_map":{}}')
    write("index", "own_shard", compact({"weight_map": {"x": "b.safetensors"}}).encode() + b"\0" +
          safetensors([("x", "F32", [1], bytes(4))]))


def make_adapter():
    base = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "lora_dropout": 0.1, "bias": "none",
            "target_modules": ["q_proj", "v_proj"], "task_type": "CAUSAL_LM"}
    write("adapter", "plain", compact(base))
    write("adapter", "patterns", compact(
        {**base, "use_rslora": True, "target_modules": "all-linear", "rank_pattern": {"0.self_attn.q_proj": 1, "o_proj": 3},
         "alpha_pattern": {"mlp\\..*": 0.5}}))
    write("adapter", "expression", compact({**base, "target_modules": r".*\.1\..*(gate|up)_proj"}))
    only = {**base, "r": 1, "target_modules": ["layers.0.self_attn.q_proj"]}
    name = "base_model.model.model.layers.0.self_attn.q_proj.lora_"
    write("adapter", "tensors", compact(only).encode() + b"\0" + safetensors(
        [(f"{name}A.weight", "F32", [1, HIDDEN], bytes(16)), (f"{name}B.weight", "BF16", [HIDDEN, 1], bytes(8))]))


def make_experiment():
    write("experiment", "own_trainer", """name: own
stages: [sweep, replicate, report]
trainer: {command: [./t.py], parameters: {a: 1}}
training: {learning_rate: 0.1, batch_size: 8, max_steps: 60, warmup_steps: 0, early_stopping: none}
sweep: {search: grid, metric: loss, mode: min, max_trials: 2, space: {training.learning_rate: {choice: [0.02, 0.2]}}}
replicate: {seeds: [11, 12]}
""")
    write("experiment", "built_in", """name: b
stages: [check, sweep, replicate, evaluate, export, report]
model: {base: m}
data: {corpus: c/, max_length: 64}   # a comment
lora: {r: 4, alpha: 8.0, target_modules: all-linear, rank_pattern: {q_proj: 2}}
training: {learning_rate: 2.0e-4, max_steps: 20, save_steps: 10, eval_steps: 5, precision: bf16}
sweep: {search: asha, metric: validation_loss, mode: min, max_trials: 4, rungs: [5, 10], eta: 2,
        space: {training.learning_rate: {log_uniform: [5.0e-5, 1.0e-3]}, lora.r: {choice: [2, 4]}}}
abort: {no_convergence: {after_step: 10, min_loss_reduction: 0.05}, non_finite: true, stalled: {minutes: 10}}
budget: {limit: 2.0, currency: USD, gpu_hour: {default: 2.0}, cpu_hour: 0.05}
evaluation: {tasks: [t], baselines: [{name: base, model: m}], primary: {task: t, baseline: base}, gates: {accuracy: 0.6}}
export: {formats: [peft, merged]}
""")
    write("experiment", "short", "name: s\n")
    write("experiment", "json", '{"name": "j", "stages": ["report"], "replicate": {"seeds": [1]}}')


make_safetensors()
make_tokenizer_json()
make_tiktoken()
make_gguf()
make_chat_template()
make_config()
make_index()
make_adapter()
make_experiment()
