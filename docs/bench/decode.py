# SPDX-License-Identifier: Apache-2.0
"""Decoding in llama.cpp: the peer of `openledger generate`. Needs numpy, gguf, llama-cpp-python.

    decode.py make DIR               97 million weights drawn from a seed: DIR/model (HuggingFace), DIR/f32.gguf, DIR/q8_0.gguf
    decode.py run FILE THREADS MAX   greedy tokens behind the prompt, and tokens per second

Every token id stands in the tokenizer as the text <id>, so both programs are given and give the same ids.
"""
import json, os, struct, sys, time

import numpy as np

LAYERS, HIDDEN, INNER, HEADS, VOCAB, CONTEXT, THETA, EPS = 12, 768, 2048, 12, 16000, 1024, 10000.0, 1e-5
PROMPT = [(i * i + 7 * i + 300) % VOCAB for i in range(64)]
NAMES = {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
         "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}


def tensors():
    """(name in a folder, name in GGUF, values). Rows of unit inputs give about 1.5, so that logits are far from equal."""
    draw = np.random.Generator(np.random.PCG64(1))

    def matrix(out, width):
        return (draw.standard_normal((out, width), np.float32) * np.float32(1.5 / width**0.5)).astype(np.float32)

    gain = np.ones(HIDDEN, np.float32)
    yield "model.embed_tokens.weight", "token_embd.weight", matrix(VOCAB, HIDDEN)
    yield "model.norm.weight", "output_norm.weight", gain
    for layer in range(LAYERS):
        for ours, theirs in NAMES.items():
            out, width = INNER if theirs in ("ffn_gate", "ffn_up") else HIDDEN, INNER if theirs == "ffn_down" else HIDDEN
            yield f"model.layers.{layer}.{ours}.weight", f"blk.{layer}.{theirs}.weight", gain if "norm" in theirs else matrix(out, width)


def make(folder):
    all = list(tensors())
    os.makedirs(folder + "/model", exist_ok=True)
    huggingface(folder + "/model", all)
    ggml(folder, all)


def huggingface(folder, all):
    config = dict(architectures=["LlamaForCausalLM"], model_type="llama", num_hidden_layers=LAYERS, hidden_size=HIDDEN, intermediate_size=INNER,
                  num_attention_heads=HEADS, num_key_value_heads=HEADS, vocab_size=VOCAB, max_position_embeddings=CONTEXT, rms_norm_eps=EPS,
                  rope_theta=THETA, tie_word_embeddings=True, hidden_act="silu")
    plain = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174]
    rest = [b for b in range(256) if b not in plain]
    vocab = {chr(b) if b in plain else chr(256 + rest.index(b)): b for b in range(256)}
    added = [dict(id=i, content=f"<{i}>", single_word=False, lstrip=False, rstrip=False, normalized=False, special=False) for i in range(256, VOCAB)]
    split = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    tokenizer = dict(version="1.0", added_tokens=added, decoder=dict(type="ByteLevel"), model=dict(type="BPE", vocab=vocab, merges=[]), pre_tokenizer=dict(
        type="Sequence", pretokenizers=[dict(type="Split", pattern=dict(Regex=split), behavior="Isolated", invert=False),
                                        dict(type="ByteLevel", add_prefix_space=False, use_regex=False)]))
    for name, value in ("config", config), ("tokenizer", tokenizer):
        with open(f"{folder}/{name}.json", "w") as f:
            json.dump(value, f)
    header, at = {}, 0
    for name, _, x in all:
        header[name] = dict(dtype="F32", shape=list(x.shape), data_offsets=[at, at + x.nbytes])
        at += x.nbytes
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    with open(folder + "/model.safetensors", "wb") as f:
        f.write(struct.pack("<Q", len(head)) + head)
        for _, _, x in all:
            x.tofile(f)


def ggml(folder, all):
    import gguf
    for kind in gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.Q8_0:
        w = gguf.GGUFWriter(f"{folder}/{kind.name.lower()}.gguf", "llama")
        for add, value in ((w.add_context_length, CONTEXT), (w.add_embedding_length, HIDDEN), (w.add_block_count, LAYERS), (w.add_feed_forward_length, INNER),
                           (w.add_head_count, HEADS), (w.add_head_count_kv, HEADS), (w.add_rope_dimension_count, HIDDEN // HEADS), (w.add_rope_freq_base, THETA),
                           (w.add_layer_norm_rms_eps, EPS), (w.add_vocab_size, VOCAB), (w.add_tokenizer_model, "none")):
            add(value)
        for _, name, x in all:
            if "attn_q" in name or "attn_k" in name:  # llama.cpp turns neighbours, folders the halves of a head
                x = x.reshape(HEADS, 2, -1, HIDDEN).swapaxes(1, 2).reshape(x.shape)
            if x.ndim == 1:
                w.add_tensor(name, x)
            else:
                w.add_tensor(name, gguf.quants.quantize(x, kind), raw_dtype=kind)
        w.write_header_to_file()
        w.write_kv_data_to_file()
        w.write_tensors_to_file()
        w.close()


def run(path, threads, most):
    import ctypes
    import llama_cpp as c
    quiet = c.llama_log_callback(lambda level, text, data: None)
    c.llama_log_set(quiet, ctypes.c_void_p(0))
    c.llama_backend_init()
    model = c.llama_model_load_from_file(path.encode(), c.llama_model_default_params())
    p = c.llama_context_default_params()
    p.n_ctx, p.n_threads, p.n_threads_batch = 512, threads, threads
    context = c.llama_init_from_model(model, p)

    def feed(ids):
        ids = (c.llama_token * len(ids))(*ids)  # the batch points to it
        if c.llama_decode(context, c.llama_batch_get_one(ids, len(ids))):
            sys.exit("llama_decode refused the batch")
        return int(np.argmax(np.ctypeslib.as_array(c.llama_get_logits_ith(context, -1), (VOCAB,))))

    for i in PROMPT:  # singly: some virtual machines name AMX, which batches of Q8_0 then use, and do not have it
        first = feed([i])
    tokens, start = [first], time.perf_counter()
    while len(tokens) < most:
        tokens.append(feed(tokens[-1:]))
    print(json.dumps(dict(tokens=tokens, tokens_per_second=(most - 1) / (time.perf_counter() - start), version=c.__version__)))


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2])
    else:
        run(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
