"""A Hugging Face directory of a Llama with one layer, in the standard library: whatever looks into a model's
headers finds it valid, and with random weights it can be trained."""
import array
import json
import pathlib
import random
import struct
import sys

HIDDEN, INNER, VOCABULARY = 8, 16, 256


def byte_letters():
    """The letter that stands for each byte in a byte-level vocabulary: printable ones for themselves, the others
    from U+0100 on."""
    letters, spare = {}, 0x100
    for byte in range(256):
        printable = 0x21 <= byte <= 0x7e or 0xa1 <= byte <= 0xac or 0xae <= byte <= 0xff
        letters[byte] = chr(byte if printable else spare)
        spare += not printable
    return letters


def values(name, size, rng):
    if rng is None:
        return bytes(size)
    if "norm" in name:
        numbers = array.array("f", [1.0] * (size // 4))
    else:
        numbers = array.array("f", [rng.gauss(0, 0.3) for _ in range(size // 4)])
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def safetensors(shapes, rng):
    header, offset, data = {}, 0, b""
    for name, shape in shapes.items():
        size = 4
        for extent in shape:
            size *= extent
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [offset, offset + size]}
        data += values(name, size, rng)
        offset += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def write(directory, seed=None):
    """Makes `directory` and returns it. Weights are zeros, or random with a seed."""
    rng = None if seed is None else random.Random(seed)
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True)
    (directory / "config.json").write_text(json.dumps({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": HIDDEN,
        "intermediate_size": INNER, "num_hidden_layers": 1, "num_attention_heads": 2,
        "num_key_value_heads": 2, "vocab_size": VOCABULARY, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
        "max_position_embeddings": 512, "hidden_act": "silu", "tie_word_embeddings": True}))
    layer, square = "model.layers.0.", (HIDDEN, HIDDEN)
    (directory / "model.safetensors").write_bytes(safetensors({
        "model.embed_tokens.weight": (VOCABULARY, HIDDEN), "model.norm.weight": (HIDDEN,),
        layer + "input_layernorm.weight": (HIDDEN,), layer + "post_attention_layernorm.weight": (HIDDEN,),
        layer + "self_attn.q_proj.weight": square, layer + "self_attn.k_proj.weight": square,
        layer + "self_attn.v_proj.weight": square, layer + "self_attn.o_proj.weight": square,
        layer + "mlp.gate_proj.weight": (INNER, HIDDEN), layer + "mlp.up_proj.weight": (INNER, HIDDEN),
        layer + "mlp.down_proj.weight": (HIDDEN, INNER)}, rng))
    write_tokenizer(directory)
    return directory


def write_tokenizer(directory):
    """A token for each byte."""
    vocabulary = {letter: byte for byte, letter in byte_letters().items()}
    (pathlib.Path(directory) / "tokenizer.json").write_text(json.dumps({
        "version": "1.0", "added_tokens": [], "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "post_processor": None, "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "fuse_unk": False, "byte_fallback": False,
                  "vocab": vocabulary, "merges": []}}))
