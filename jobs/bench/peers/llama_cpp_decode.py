"""llama_cpp_decode.py GGUF THREADS PROMPT TOKENS PASSES: llama.cpp's side of the benchmark generate, through its C interface.

Greedy decoding from token 1, and a prompt of random ids in one batch; a line of JSON per pass, after one that is not timed. Without tokens, the prompt alone.
"""

import json
import random
import sys
import time

import llama_cpp
import numpy


def context(model, threads, length, batch):
    settings = llama_cpp.llama_context_default_params()
    settings.n_ctx = length
    settings.n_batch = settings.n_ubatch = batch
    settings.n_threads = settings.n_threads_batch = threads
    settings.no_perf = True
    return llama_cpp.llama_init_from_model(model, settings)


def append(where, ids):
    array = (llama_cpp.llama_token * len(ids))(*ids)
    if llama_cpp.llama_decode(where, llama_cpp.llama_batch_get_one(array, len(ids))):
        sys.exit("llama_decode failed")


def highest(where, vocabulary):
    return int(numpy.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(where, -1), (vocabulary,)).argmax())


def main():
    file, threads, prompt, tokens, passes = sys.argv[1], *map(int, sys.argv[2:])
    llama_cpp.llama_backend_init()
    model = llama_cpp.llama_model_load_from_file(file.encode(), llama_cpp.llama_model_default_params())
    vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
    random.seed(2)
    ids = [random.randrange(vocabulary) for _ in range(prompt)]
    for number in range(passes + 1):
        prefill = 0
        if prompt:
            where = context(model, threads, prompt, prompt)
            started = time.perf_counter()
            append(where, ids)
            llama_cpp.llama_get_logits_ith(where, -1)[0]
            prefill = time.perf_counter() - started
            llama_cpp.llama_free(where)
        if not tokens:
            continue
        where = context(model, threads, tokens + 1, 32)
        append(where, [1])
        token = highest(where, vocabulary)
        said = []
        started = time.perf_counter()
        for _ in range(tokens):
            said.append(token)
            append(where, [token])
            token = highest(where, vocabulary)
        decode = time.perf_counter() - started
        llama_cpp.llama_free(where)
        if number:
            print(json.dumps({"prefill": prefill, "decode": decode, "ids": said[:16]}), flush=True)


if __name__ == "__main__":
    main()
