"""GPT-2 by llama.cpp, for bench_generate.py: the same weights in bf16 or in 8 bits, written as a file of its format."""
import ctypes
import time

import gguf
import llama_cpp
import numpy

LAYERS, WIDTH, HEADS, POSITIONS, THREADS = 12, 768, 12, 1024, 2
# Parts of a block in transformers -> in llama.cpp. transformers has [inputs, outputs] where llama.cpp has the transpose.
PARTS = {"ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "ln_2": "ffn_norm",
         "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down"}


def write_gguf(path, model, kind):
    writer = gguf.GGUFWriter(str(path), "gpt2")
    writer.add_context_length(POSITIONS)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(4 * WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_eps(1e-5)
    writer.add_tokenizer_model("no_vocab")
    weights = {name.removeprefix("transformer."): tensor.float().numpy() for name, tensor in model.state_dict().items()}

    def add(name, array, matrix=False):
        if matrix:
            return writer.add_tensor(name, gguf.quants.quantize(array, kind), raw_dtype=kind)
        writer.add_tensor(name, array)

    add("token_embd.weight", weights["wte.weight"], True)
    add("position_embd.weight", weights["wpe.weight"])
    for which in ("weight", "bias"):
        add(f"output_norm.{which}", weights[f"ln_f.{which}"])
        for layer in range(LAYERS):
            for part, name in PARTS.items():
                array = weights[f"h.{layer}.{part}.{which}"]
                is_matrix = array.ndim == 2
                add(f"blk.{layer}.{name}.{which}", numpy.ascontiguousarray(array.T) if is_matrix else array, is_matrix)
    writer.add_vocab_size(len(weights["wte.weight"]))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


class LlamaCpp:
    def __init__(self, path, prompt, new, long):
        self.prompt, self.new, self.long = prompt, new, long
        self.silence = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(self.silence, ctypes.c_void_p(0))
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), llama_cpp.llama_model_default_params())
        assert self.model, f"llama.cpp cannot load {path}"

    def writing(self, batch):
        return min(self.write(batch, self.prompt, self.new)[1] for _ in range(2))

    def reading(self):
        return min(self.write(1, self.long, 1)[0] for _ in range(2))

    def write(self, sequences, prompt, count):
        """Reads prompts of so many tokens and writes the likeliest `count`. Returns the seconds for both."""
        params = llama_cpp.llama_context_default_params()
        params.n_ctx, params.n_seq_max = sequences * POSITIONS, sequences
        params.n_batch = params.n_ubatch = max(sequences * prompt, 512)
        params.n_threads = params.n_threads_batch = THREADS
        context = llama_cpp.llama_init_from_model(self.model, params)
        batch = llama_cpp.llama_batch_init(sequences * prompt, 0, 1)
        size = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))

        def decode(tokens, first):
            """tokens: a row for each sequence. Returns the likeliest token behind each."""
            batch.n_tokens = 0
            for sequence, row in enumerate(tokens):
                for i, token in enumerate(row):
                    place = batch.n_tokens
                    batch.token[place], batch.pos[place] = token, first + i
                    batch.n_seq_id[place], batch.seq_id[place][0] = 1, sequence
                    batch.logits[place] = i == len(row) - 1
                    batch.n_tokens += 1
            assert llama_cpp.llama_decode(context, batch) == 0
            ends = [(i + 1) * len(tokens[0]) - 1 for i in range(sequences)]
            return [[int(numpy.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(context, end), (size,)).argmax())]
                    for end in ends]

        begin = time.perf_counter()
        tokens = decode([[(7 * i + sequence) % 5000 for i in range(prompt)] for sequence in range(sequences)], 0)
        read = time.perf_counter()
        for step in range(count - 1):
            tokens = decode(tokens, prompt + step)
        end = time.perf_counter()
        llama_cpp.llama_batch_free(batch)
        llama_cpp.llama_free(context)
        return read - begin, end - read


def peers(folder, model, prompt, new, long):
    kinds = {"llama.cpp bf16": gguf.GGMLQuantizationType.BF16, "llama.cpp q8_0": gguf.GGMLQuantizationType.Q8_0}
    return {name: LlamaCpp(write_gguf(folder / f"{kind.name}.gguf", model, kind), prompt, new, long)
            for name, kind in kinds.items()}
