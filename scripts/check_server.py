#!/usr/bin/env python3
"""Asks lmtrain's server with the clients that people have, and compares what it answers with transformers.

    check_server.py LMTRAIN     (part of scripts/oracle.sh)

The openai package and the web page in a browser talk to a random model; lm_eval scores the same tasks through the
server and with transformers itself.
"""
import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TQDM_DISABLE": "1"}
import openai
import torch
import transformers

from browser import find_browser, page_after_writing

VOCAB, TOLERANCE = 320, 1e-3
TEXT = "the king went up to the old house and saw that the door was open, and all that he had seen was gone\n"
TEMPLATE = ("{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] }}"
            "{{ '<|im_end|>' + '\n' }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")
CHAT = [{"role": "system", "content": "the old house"}, {"role": "user", "content": "all that he had seen, é?"}]
PROMPTS = ["the king", "all that he had seen was gone and the", "and"]
WORDS = TEXT.split()
CHOICE_TASK = {"task": "choices", "output_type": "multiple_choice", "doc_to_text": "{{question}}",
               "doc_to_target": "{{gold}}", "doc_to_choice": "{{choices}}",
               "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}]}
WRITING_TASK = {"task": "writing", "output_type": "generate_until", "doc_to_text": "{{question}}",
                "doc_to_target": "{{answer}}", "generation_kwargs": {"until": ["\n", " was"], "max_gen_toks": 12},
                "metric_list": [{"metric": "exact_match"}]}


class Server:
    def __init__(self, lmtrain, folder, *options, key=""):
        self.process = subprocess.Popen(
            [lmtrain, "serve", "model", "--port", "0", "--precision", "fp32", *options], cwd=folder,
            env={**os.environ, "LMTRAIN_API_KEY": key}, stderr=subprocess.PIPE, text=True)
        log = ""
        for line in self.process.stderr:
            log += line
            if found := re.search(r" at (http://[0-9.:]+)/", line):
                self.url = found[1]
                return
        raise RuntimeError(f"the server did not begin: {log}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        assert self.process.wait(60) == 0, f"exit code {self.process.returncode}"

    def client(self, key="none"):
        return openai.OpenAI(base_url=self.url + "/v1", api_key=key, max_retries=0, timeout=60)


def make_model(lmtrain, folder):
    """Returns a random GPT-2 and its tokenizer, which lie in `folder`/folder and, imported, in `folder`/model."""
    (folder / "text").write_text(TEXT * 200)
    subprocess.run([lmtrain, "tokenizer", "train", "--vocab-size", str(VOCAB - 3), "plain", "text"], cwd=folder,
                   check=True, capture_output=True)
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "plain/tokenizer.json"))
    end = tokenizer.convert_ids_to_tokens(0)
    tokenizer.add_special_tokens({"eos_token": end, "bos_token": end, "pad_token": end,
                                  "additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(3)
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(
        vocab_size=VOCAB, n_positions=128, n_embd=64, n_layer=3, n_head=4, bos_token_id=0, eos_token_id=0,
        pad_token_id=0)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.25)
        # The end token is the likeliest now and then, which is where clients and servers count differently.
        model.transformer.wte.weight[0] += 0.8 * model.transformer.ln_f.bias
    model.generation_config = transformers.GenerationConfig(eos_token_id=0, pad_token_id=0)
    model.save_pretrained(folder / "folder")
    tokenizer.save_pretrained(folder / "folder")
    subprocess.run([lmtrain, "import", "folder", "model"], cwd=folder, check=True, capture_output=True)
    return model, tokenizer


def greedy(model, tokenizer, ids, length):
    """Returns the text and the tokens that transformers writes, the end token left out."""
    made = model.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=length)[0][len(ids):].tolist()
    made = made[:made.index(0)] if 0 in made else made
    return tokenizer.decode(made), made


def log_probabilities(model, ids):
    with torch.no_grad():
        return torch.log_softmax(model(torch.tensor([ids])).logits[0].double(), -1)


def same(ours, theirs, words):
    assert ours == theirs, f"{words}: {ours!r}, expected {theirs!r}"


def near(ours, theirs, words):
    assert abs(ours - theirs) < TOLERANCE, f"{words}: {ours}, expected {theirs}"


def refused(kind, status, call, **arguments):
    try:
        call(**arguments)
    except kind as error:
        same(error.status_code, status, f"status of {arguments}")
        assert len(error.message) > 10, f"no message for {arguments}"
        return
    raise AssertionError(f"{arguments} is not refused")


def check_completions(client, name, model, tokenizer):
    write = client.completions.create
    for prompt in PROMPTS:
        # lmtrain begins the text as the tokenizer does, so that ids say the same to both.
        ids = tokenizer(prompt)["input_ids"]
        text, made = greedy(model, tokenizer, ids, 24)
        whole = write(model=name, prompt=ids, max_tokens=24, temperature=0, logprobs=3)
        same(whole.choices[0].text, text, f"greedy text of '{prompt}'")
        same(whole.choices[0].finish_reason, "length" if len(made) == 24 else "stop", "finish_reason")
        rows = log_probabilities(model, ids + made)[len(ids) - 1:]
        given = whole.choices[0].logprobs
        for place, token in enumerate(made):
            near(given.token_logprobs[place], rows[place][token].item(), f"token {place} of '{prompt}'")
            top = sorted(given.top_logprobs[place].values(), reverse=True)
            for ours, theirs in zip(top, rows[place].topk(3).values, strict=True):
                near(ours, theirs.item(), f"likeliest tokens at {place}")
        chunks = list(write(model=name, prompt=ids, max_tokens=24, temperature=0, stream=True,
                            stream_options={"include_usage": True}))
        same("".join(choice.text for chunk in chunks for choice in chunk.choices), text, "streamed text")
        same(chunks[-1].usage.completion_tokens, whole.usage.completion_tokens, "streamed usage")

        echo = write(model=name, prompt=ids, max_tokens=1, temperature=0, logprobs=1, echo=True).choices[0]
        rows = log_probabilities(model, ids)
        assert echo.logprobs.token_logprobs[0] is None, "the first token has no probability"
        for place in range(1, len(ids)):
            near(echo.logprobs.token_logprobs[place], rows[place - 1][ids[place]].item(), f"echo {place}")
        same(echo.text[:len(prompt)], prompt, "echoed prompt")
        # What follows counts as one token, be it the end token: lm_eval and others leave out one entry at the end.
        same(len(echo.logprobs.token_logprobs), len(ids) + 1, f"entries of the echo of '{prompt}' and one more token")

    drawn = {"model": name, "prompt": PROMPTS[:2], "max_tokens": 16, "n": 2, "seed": 5, "temperature": 0.9}
    texts = [choice.text for choice in write(**drawn).choices]
    assert len(set(texts)) == 4, f"four draws are {texts}"
    same([choice.text for choice in write(**drawn).choices], texts, "texts of the same seed")
    assert [choice.text for choice in write(**drawn | {"seed": 50}).choices] != texts, "another seed writes the same"
    streamed = [""] * 4
    for chunk in write(**drawn, stream=True):
        for choice in chunk.choices:
            streamed[choice.index] += choice.text
    same(streamed, texts, "streamed texts of n=2")
    ids = tokenizer(PROMPTS[0])["input_ids"]
    text = write(model=name, prompt=ids, max_tokens=24, temperature=0).choices[0].text
    stop = text[len(text) // 2:][:3]
    cut = write(model=name, prompt=ids, max_tokens=24, temperature=0, stop=[stop, "never there"]).choices[0]
    same((cut.text, cut.finish_reason), (text[:text.index(stop)], "stop"), "text before a stop")


def check_chat(client, name, model, tokenizer):
    ids = tokenizer.apply_chat_template(CHAT, add_generation_prompt=True, return_dict=False)
    text, made = greedy(model, tokenizer, ids, 24)
    asked = {"model": name, "messages": CHAT, "max_tokens": 24, "temperature": 0, "logprobs": True, "top_logprobs": 3}
    whole = client.chat.completions.create(**asked)
    same(whole.usage.prompt_tokens, len(ids), "tokens of the chat's template")
    same(whole.choices[0].message.content, text, "greedy answer of a chat")
    rows = log_probabilities(model, ids + made)[len(ids) - 1:]
    for place, entry in enumerate(whole.choices[0].logprobs.content[:len(made)]):
        near(entry.logprob, rows[place][made[place]].item(), f"log-probability of the answer's token {place}")
        same(len(entry.top_logprobs), 3, "top_logprobs")
        near(entry.top_logprobs[0].logprob, rows[place].max().item(), f"likeliest token {place}")
    spelt = b"".join(bytes(entry.bytes) for entry in whole.choices[0].logprobs.content[:len(made)])
    same(spelt.decode(errors="replace"), text, "bytes of the answer's tokens")
    streamed = ""
    for chunk in client.chat.completions.create(**asked, stream=True):
        streamed += "".join(choice.delta.content or "" for choice in chunk.choices)
    same(streamed, text, "streamed answer of a chat")


def check_rest(client, name, lmtrain, folder):
    same([entry.id for entry in client.models.list()], [name], "models")
    packed = client.embeddings.create(model=name, input=PROMPTS).data  # the package asks for base64
    plain = client.embeddings.create(model=name, input=PROMPTS, encoding_format="float").data
    words = [word for text in PROMPTS for word in ("--text", text)]
    lines = subprocess.run([lmtrain, "embed", "model", "--precision", "fp32", *words], cwd=folder, check=True,
                           capture_output=True, text=True).stdout.splitlines()
    for one, other, line in zip(packed, plain, lines, strict=True):
        same(struct.pack("64f", *one.embedding), struct.pack("64f", *other.embedding), "base64 of a vector")
        for ours, theirs in zip(one.embedding, json.loads(line)["embedding"], strict=True):
            near(ours, theirs, "embedding")
    write, chat = client.completions.create, client.chat.completions.create
    refused(openai.NotFoundError, 404, write, model="other", prompt="a")
    refused(openai.BadRequestError, 400, write, model=name, prompt="a", max_tokens=-1)
    refused(openai.BadRequestError, 400, write, model=name, prompt="the king " * 200)
    refused(openai.BadRequestError, 400, write, model=name, prompt="a", extra_body={"top_a": 1})
    refused(openai.BadRequestError, 400, chat, model=name, messages=[])
    refused(openai.APIStatusError, 413, write, model=name, prompt="a" * (2 << 20))


def check_key_and_queue(lmtrain, folder):
    with Server(lmtrain, folder, "--batch-size", "1", "--queue", "0", key="secret") as server:
        client, wrong = server.client("secret"), server.client("other")
        refused(openai.AuthenticationError, 401, wrong.models.list)
        refused(openai.AuthenticationError, 401, wrong.completions.create, model="model", prompt="a")
        long = {"model": "model", "prompt": "a", "max_tokens": 120, "extra_body": {"min_tokens": 120}}
        full = 0
        for _ in range(20):  # a text may end before the next request has come
            with client.completions.create(**long, stream=True) as stream:
                next(iter(stream))
                try:
                    client.completions.create(**long)
                except openai.InternalServerError as error:
                    same(error.status_code, 503, "status of a full queue")
                    assert int(error.response.headers["Retry-After"]) > 0, "Retry-After"
                    full += 1
            if full:
                break
        assert full, "a full queue is not told"
        patient = openai.OpenAI(base_url=server.url + "/v1", api_key="secret", max_retries=8)
        assert patient.completions.create(**long).choices[0].text, "retries do not help"


def tasks(folder):
    """Returns the tasks for lm_eval, with their documents in `folder`."""
    generator = torch.Generator().manual_seed(7)
    def some(number):
        return " ".join(WORDS[int(i)] for i in torch.randint(len(WORDS), (number,), generator=generator))

    documents = [{"question": some(3 + i % 7), "choices": [" " + some(2 + i % 3) for _ in range(4)], "gold": i % 4,
                  "answer": some(2)} for i in range(24)]
    path = folder / "documents.jsonl"
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    common = {"dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(path)}}, "test_split": "test",
              "num_fewshot": 0}
    return [CHOICE_TASK | common, WRITING_TASK | common]


def check_lm_eval(server, folder):
    import lm_eval.tasks
    manager = lm_eval.tasks.TaskManager(include_defaults=False)  # its thousands of own tasks take minutes to read

    def evaluate(model, options):
        found = lm_eval.simple_evaluate(model=model, model_args=options, tasks=[dict(task) for task in tasks(folder)],
                                        task_manager=manager, bootstrap_iters=0)
        metrics = {(task, name): value for task, values in found["results"].items() for name, value in values.items()
                   if name.split(",")[0] in ("acc", "acc_norm", "exact_match")}
        samples = {(task, sample["doc_id"]): sample["resps"] for task, samples in found["samples"].items()
                   for sample in samples}
        return metrics, samples

    metrics, samples = evaluate("hf", f"pretrained={folder}/folder,dtype=float32,device=cpu,max_length=128")
    same((len(metrics), len(samples)), (3, 48), "metrics and documents of lm_eval")
    for options in ("num_concurrent=4", "batch_size=6", "num_concurrent=3,tokenized_requests=False"):
        ours = evaluate("local-completions", f"model=model,base_url={server.url}/v1/completions,max_length=128,"
                                             f"tokenizer={folder}/folder,max_retries=1,{options}")
        for key, expected in samples.items():
            where = f"lm_eval with {options}: {key}"
            if key[0] == "writing":
                same(ours[1][key], expected, where)
                continue
            for (mine,), (theirs,) in zip(ours[1][key], expected, strict=True):
                near(float(mine[0]), float(theirs[0]), where)
                same(str(mine[1]), str(theirs[1]), f"{where}, whether it is greedy")
        same(ours[0], metrics, f"lm_eval's metrics with {options}")


def check_page(path, url):
    page = page_after_writing(path, url, {"prompt": PROMPTS[1], "max_tokens": 24, "seed": 2})
    answer = "".join(page["spans"])
    assert page["state"] == "done" and not page["complaints"], f"the page: {page}"
    same(page["text"], PROMPTS[1] + answer, "text of the page")
    assert answer.strip() and 2 <= len(page["spans"]) <= int(page["tokens"]) <= 24, f"tokens of the page: {page}"
    assert "model" in page["model"] and all(name.startswith(url + "/") for name in page["requests"]), f"{page}"
    for name, form in {"speed": r"[0-9.]*[1-9][0-9.]* tokens/s", "joules": r"[0-9.e-]+ m?J (measured|modelled)",
                       "co2e": r"[0-9.e-]+ m?g CO2e (measured|modelled)"}.items():
        assert re.fullmatch(form, page[name]), f"{name} of the page: {page[name]}"


def main():
    transformers.logging.set_verbosity_error()
    lmtrain = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model, tokenizer = make_model(lmtrain, folder)
        with Server(lmtrain, folder) as server:
            client = server.client()
            check_chat(client, "model", model, tokenizer)
            print("chats: the tokens of the template, the text and the log-probabilities are those of transformers")
            check_rest(client, "model", lmtrain, folder)
            print("models, embeddings and errors are what the openai package expects")
            check_page(find_browser(), server.url)
            print("the web page shows the answer, its tokens, its speed and its energy")
            check_completions(client, "model", model, tokenizer)
            print("completions: texts, streams and log-probabilities are those of transformers")
            check_lm_eval(server, folder)
            print("lm_eval measures through the server what it measures with transformers")
        check_key_and_queue(lmtrain, folder)
        print("keys and a full queue are told in the openai package's errors")


main()
