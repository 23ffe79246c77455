"""A Hugging Face directory of a Llama of any shape with random bf16 weights and a tokenizer of bytes. Needs torch
alone; the values are drawn on `device`, which for a billion of them is quick on a GPU only."""
import ctypes
import json
import pathlib
import struct
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "fakes"))
import tiny_model  # noqa: E402

DEVIATION = 0.02


def tensors(shape):
    """Names and shapes, in the order of the file."""
    hidden, inner, kv = shape.hidden, shape.intermediate, shape.head_dim() * shape.kv_heads
    yield "model.embed_tokens.weight", (shape.vocabulary, hidden)
    for layer in range(shape.layers):
        name = f"model.layers.{layer}."
        yield name + "input_layernorm.weight", (hidden,)
        yield name + "post_attention_layernorm.weight", (hidden,)
        yield name + "self_attn.q_proj.weight", (hidden, hidden)
        yield name + "self_attn.k_proj.weight", (kv, hidden)
        yield name + "self_attn.v_proj.weight", (kv, hidden)
        yield name + "self_attn.o_proj.weight", (hidden, hidden)
        yield name + "mlp.gate_proj.weight", (inner, hidden)
        yield name + "mlp.up_proj.weight", (inner, hidden)
        yield name + "mlp.down_proj.weight", (hidden, inner)
    yield "model.norm.weight", (hidden,)


def bytes_of(tensor):
    """The tensor's memory; without numpy, which torch's wheel does not bring."""
    return memoryview((ctypes.c_char * tensor.nbytes).from_address(tensor.data_ptr())).cast("B")


def write(directory, shape, device="cpu"):
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True)
    (directory / "config.json").write_text(json.dumps({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate, "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads, "num_key_value_heads": shape.kv_heads, "head_dim": shape.head_dim(),
        "vocab_size": shape.vocabulary, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
        "max_position_embeddings": 8192, "hidden_act": "silu", "tie_word_embeddings": True,
        "torch_dtype": "bfloat16"}))
    tiny_model.write_tokenizer(directory)
    header, offset = {}, 0
    for name, extents in tensors(shape):
        size = 2
        for extent in extents:
            size *= extent
        header[name] = {"dtype": "BF16", "shape": list(extents), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    generator = torch.Generator(device=device).manual_seed(1)
    with open(directory / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, extents in tensors(shape):
            values = torch.ones(extents, dtype=torch.bfloat16)
            if "norm" not in name:
                values = torch.empty(extents, dtype=torch.bfloat16, device=device)
                values = values.normal_(0, DEVIATION, generator=generator).cpu()
            file.write(bytes_of(values))
    return directory
