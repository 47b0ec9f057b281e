#!/usr/bin/env bash
# Defect: an answer that differs from what generate writes or from its own stream, that depends on the requests beside
# it, or that is given to those who may not have it; a wrong request that is not refused, or that harms the server; a
# place that a client keeps who is gone; a server that does not end, or that ends before its answers do.
LMTRAIN=$1
. "$(dirname "$0")/lib.sh"

# Many positions, so that a text lasts for seconds where a check needs that.
"$LMTRAIN" config.yaml model.max_positions=8192 train.precision=fp32 train.steps=20 eval.samples=0 > train.log 2>&1 ||
  fail "training: $(tail -3 train.log)"
"$LMTRAIN" config.yaml model.kind=bert tokenizer.kind=wordpiece train.precision=fp32 train.steps=1 eval.samples=0 \
  run.name=bert > train.log 2>&1 || fail "training of the encoder: $(tail -3 train.log)"
expect 64 "lets other machines in" serve nowhere --host 0.0.0.0
expect 66 "nowhere" serve nowhere

cat > checks.py <<'PYTHON'
import base64, contextlib, http.client, json, os, re, signal, socket, struct, subprocess, sys, threading, time

LMTRAIN = sys.argv[1]
failures = []


def check(words, holds, more=""):
    if not holds:
        failures.append(words)
        print(f"FAILED: {words} {more}"[:1000], file=sys.stderr)


class Server:
    def __init__(self, *options, model="runs/test", key=""):
        environment = {**os.environ, "LMTRAIN_API_KEY": key}
        command = [LMTRAIN, "serve", model, "--port", "0", "--max-tokens", "8000", *options]
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        self.key, self.log = key, ""
        for line in self.process.stderr:
            self.log += line
            if found := re.search(r" at http://127\.0\.0\.1:(\d+)/", line):
                self.port = int(found[1])
                break
        else:
            sys.exit(f"FAILED: the server did not begin (exit code {self.process.wait()}): {self.log}")

    # Returns the connection of a request, whose answer is yet to be read.
    def open(self, path, body=None, method=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        named = {"Content-Type": "application/json"} if body is not None else {}
        if self.key:
            named["Authorization"] = "Bearer " + self.key
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method or ("GET" if body is None else "POST"), path, sent, named)
        return connection

    def ask(self, path, body=None, method=None, **headers):
        with contextlib.closing(self.open(path, body, method, **headers)) as connection:
            answer = connection.getresponse()
            text = answer.read().decode()
            return answer.status, json.loads(text) if text.startswith("{") else text, answer.headers

    def write(self, **body):
        status, answer, _ = self.ask("/v1/completions", {"seed": 1, "max_tokens": 12} | body)
        check(f"{body} is answered", status == 200, answer)
        return answer.get("choices", [{"text": None}] * 99)

    def metric(self, name):
        return float(re.search(rf"^lmtrain_{name}(?:{{.*}})? (\S+)$", self.ask("/metrics")[1], re.M)[1])

    def becomes(self, name, value, seconds=8):
        end = time.monotonic() + seconds
        while self.metric(name) != value and time.monotonic() < end:
            time.sleep(0.05)
        return self.metric(name) == value

    # Returns the exit code.
    def end(self, seconds=20):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.log += self.process.communicate(timeout=seconds)[1]
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.log += self.process.communicate()[1]
        return self.process.returncode


def events(answer):
    return [line[6:] for line in answer.read().decode().split("\n") if line.startswith("data: ")]


def texts_of(chunks):
    texts = {}
    for chunk in chunks:
        for choice in chunk["choices"]:
            texts[choice["index"]] = texts.get(choice["index"], "") + choice["text"]
    return [texts[index] for index in sorted(texts)]


def lines_of(*arguments):
    found = subprocess.run([LMTRAIN, *arguments], check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in found.splitlines()]


# min_tokens keeps the end token away, so that the text lasts.
LONG = {"prompt": "the of", "max_tokens": 8000, "min_tokens": 8000, "seed": 1}


def check_texts(server):
    options = {"temperature": 0.9, "top_p": 0.95, "top_k": 40, "frequency_penalty": 0.3, "max_tokens": 20,
               "seed": 7}
    flags = [word for name, value in options.items() if name != "max_tokens"
             for word in ("--" + name.replace("_", "-"), str(value))]
    prompts = ["the of", "and to in that was"]
    expected = lines_of("generate", "runs/test", "--prompt", prompts[0], "--prompt", prompts[1], "--json",
                        "--max-new-tokens", "20", "--num-return-sequences", "2", *flags)
    texts = [line["text"] for line in expected]
    check("the texts of a draw differ", len(set(texts)) == 4, texts)
    body = options | {"prompt": prompts, "n": 2}
    choices = server.write(**body)
    check("two prompts with n=2 are what generate writes", [choice["text"] for choice in choices] == texts, choices)
    check("the choices are counted", [choice.get("index") for choice in choices] == [0, 1, 2, 3])
    check("generate tells the same ends", [choice.get("finish_reason") for choice in choices] ==
          [line["finish_reason"] for line in expected])
    check("one text", server.write(**options | {"prompt": prompts[0]})[0]["text"] == texts[0])

    stream = {"stream": True, "stream_options": {"include_usage": True}}
    with contextlib.closing(server.open("/v1/completions", body | stream)) as connection:
        answer = connection.getresponse()
        lines = events(answer)
    check("a stream is one of events", answer.headers["Content-Type"].startswith("text/event-stream"))
    chunks = [json.loads(line) for line in lines if line != "[DONE]"]
    check("a stream ends with [DONE]", lines[-1] == "[DONE]" and lines.count("[DONE]") == 1)
    check("the streamed texts are the whole ones", texts_of(chunks) == texts, texts_of(chunks))
    ends = {choice["index"] for chunk in chunks for choice in chunk["choices"] if choice["finish_reason"]}
    check("each text of a stream ends", ends == {0, 1, 2, 3})
    check("a stream tells its usage and energy", chunks[-1]["usage"]["completion_tokens"] >= 4 and
          chunks[-1]["usage"]["energy"]["joules"] > 0, chunks[-1])

    ids = lines_of("score", "runs/test", "--text", "the of")[0]["ids"]
    check("ids are the text", server.write(**options | {"prompt": ids})[0]["text"] == texts[0])
    twice = server.write(**options | {"prompt": [ids, ids]})
    check("lists of ids", [choice["text"] for choice in twice] == [texts[0]] * 2, twice)

    first = server.write(prompt="the of", temperature=0, max_tokens=8, min_tokens=8, logprobs=2)[0]
    chosen = first["logprobs"]
    check("greedy tokens are the likeliest", all(max(top.values()) == value for top, value in
          zip(chosen["top_logprobs"], chosen["token_logprobs"])) and len(chosen["tokens"]) == 8, chosen)
    check("tokens make up the text", "".join(chosen["tokens"]) == first["text"], first)
    word = chosen["tokens"][3]
    cut = server.write(prompt="the of", temperature=0, max_tokens=8, stop=[word, "never"])[0]
    check("a stop ends the text before itself", cut["finish_reason"] == "stop" and
          cut["text"] == first["text"][:first["text"].index(word)], cut)
    likeliest = lines_of("generate", "runs/test", "--prompt", "the of", "--temperature", "0", "--json",
                         "--max-new-tokens", "1")[0]["ids"][0]
    other = server.write(prompt="the of", temperature=0, max_tokens=1, logprobs=0, logit_bias={str(likeliest): -1000})
    check("logit_bias bans a token", other[0]["logprobs"]["tokens"] != chosen["tokens"][:1], other)

    score = lines_of("score", "runs/test", "--text", "the of and")[0]
    echo = server.write(prompt="the of and", echo=True, logprobs=1, max_tokens=2, min_tokens=2)[0]
    lists = echo["logprobs"]
    read = len(score["log_probabilities"])
    check("an echo is before the text", echo["text"].startswith("the of and") and len(echo["text"]) > 10, echo)
    check("an echo scores as score does", lists["tokens"][:read] == [token["token"] for token in score["tokens"]] and
          len(lists["tokens"]) == read + 2 and all(abs(ours - theirs) < 1e-4 for ours, theirs in
          zip(lists["token_logprobs"], score["log_probabilities"])), lists)
    alone = server.write(prompt="the of and", echo=True, logprobs=1, max_tokens=0)[0]
    check("an echo alone", alone["text"] == "the of and" and alone["logprobs"]["token_logprobs"] ==
          lists["token_logprobs"][:read], alone)

    # Beside others.
    draw = {"prompt": "his he", "max_tokens": 200, "min_tokens": 200, "temperature": 1, "seed": 11}
    once = server.write(**draw)[0]["text"]
    others = [draw | {"seed": 100 + i, "prompt": "the " * i} for i in range(1, 7)]
    beside = [threading.Thread(target=server.write, kwargs=other) for other in others]
    for thread in beside:
        thread.start()
    check("others do not change a text", server.write(**draw)[0]["text"] == once)
    for thread in beside:
        thread.join()
    check("another seed is another text", server.write(**draw | {"seed": 12})[0]["text"] != once)


def check_refusals(server):
    wrong = [
        (400, "top_a", {"prompt": "a", "top_a": 1}), (400, "prompt", {}), (400, "prompt", {"prompt": 5}),
        (400, "prompt", {"prompt": [[]]}), (400, "prompt", {"prompt": [1, "a"]}), (400, "0 to 299", {"prompt": [300]}),
        (400, "max_tokens", {"prompt": "a", "max_tokens": "5"}),
        (400, "temperature", {"prompt": "a", "temperature": -1}),
        (400, "stream", {"prompt": "a", "stream": 1}), (400, "stop", {"prompt": "a", "stop": [1]}),
        (400, "logit_bias", {"prompt": "a", "logit_bias": {"a": 1}}), (400, "positions", {"prompt": [5] * 8193}),
        (400, "at most 64", {"prompt": "a", "n": 65}), (400, "at most 64", {"prompt": ["a"] * 65}),
        (404, "other", {"prompt": "a", "model": "other"}), (400, "UTF-8", b'{"prompt": "\xff"}'),
        (400, "levels", b"[" * 100000), (400, "object", b"[1]"), (400, "JSON", b""),
        (413, "too long", b" " * (1 << 21)),
    ]
    for status, words, body in wrong:
        found, answer, _ = server.ask("/v1/completions", body)
        message = answer.get("error", {}).get("message", "")
        check(f"{str(body)[:60]} is refused with {status}", found == status and words in message, (found, answer))
    # A body in pieces has no length that could be refused at once.
    with contextlib.suppress(OSError):
        chunks = (b" " * (1 << 16) for _ in range(64))
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("POST", "/v1/completions", chunks, {"Content-Type": "application/json"}, encode_chunked=True)
        found = connection.getresponse().status
        check("a long body in pieces is refused", found == 413, found)
    good = {"prompt": "a", "max_tokens": 1}
    for status, arguments in [
            (415, ("/v1/completions", good, "POST", "Content_Type", "text/plain")), (404, ("/nowhere", good)),
            (404, ("/v1",)), (405, ("/v1/completions",)), (404, ("/health", good)),
            (400, ("/v1/chat/completions", {"messages": []})),
            *((403, ("/v1/models", None, "GET", "Host", host)) for host in
              ("example.com", "127.0.0.1.example.com", "localhost.example.com:80"))]:
        headers = {arguments[3]: arguments[4]} if len(arguments) > 3 else {}
        found, answer, _ = server.ask(*arguments[:3], **headers)
        check(f"{arguments} is answered with {status}", found == status and answer["error"]["message"], (found, answer))
    check("localhost is served", server.ask("/v1/models", Host="localhost:1")[0] == 200)
    _, answer, _ = server.ask("/v1/chat/completions", {"messages": [{"role": "user", "content": "a"}]})
    check("a model without a chat template says so", "no chat template" in answer["error"]["message"], answer)


def check_clients_that_go(server):
    for streams in (True, False):
        connection = server.open("/v1/completions", LONG | {"stream": streams})
        check("a text runs", server.becomes("texts_running", 1))
        if streams:
            check("a stream begins", connection.sock.recv(10) != b"")
            reset = struct.pack("ii", 1, 0)  # in place of a close in order
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        connection.sock.close()
        connection.close()
        check(f"a client who is gone frees its place (stream: {streams})", server.becomes("texts_running", 0, 2))
    status = server.ask("/metrics")[1]
    check("a client who is gone is counted", 'path="/v1/completions",status="499"' in status, status)


def check_metrics(server):
    before = server.metric("joules_total")
    server.write(prompt="the of", max_tokens=500, min_tokens=500)
    status, text, headers = server.ask("/metrics")
    check("metrics are text", status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4"))
    types = {}
    for line in text.splitlines():
        if found := re.fullmatch(r"# (HELP|TYPE) (\w+) (.+)", line):
            if found[1] == "TYPE":
                is_type = found[2] not in types and found[3] in ("counter", "gauge")
                check(f"'{line}' is a type of Prometheus, and the first of its name", is_type)
                types[found[2]] = found[3]
            continue
        found = re.fullmatch(r'(\w+)(\{\w+="[^"\\\n]*"(,\w+="[^"\\\n]*")*\})? (\S+)', line)
        check(f"'{line}' is a line of Prometheus", found and found[1] in types and float(found[4]) >= 0)
    check("joules are counted", server.metric("joules_total") > before > 0)
    counters = {name for name, kind in types.items() if kind == "counter"}
    check("counters end with _total", counters == {name for name in types if name.endswith("_total")}, types)


def check_key():
    server = Server(key="secret")
    check("the key opens", server.ask("/v1/models")[0] == 200)
    check("no Host is needed beside a key", server.ask("/v1/models", Host="example.com")[0] == 200)
    for wrong in ("", "Bearer", "Bearer wrong", "Bearer secre", "Bearer secrets", "secret"):
        for path, body in (("/v1/models", None), ("/metrics", None), ("/v1/completions", {"prompt": "a"})):
            status, _, headers = server.ask(path, body, Authorization=wrong)
            check(f"{path} refuses '{wrong}'", status == 401 and headers["WWW-Authenticate"] == "Bearer", status)
    check("health and the page need no key", server.ask("/health", Authorization="")[0] == 200 and
          server.ask("/", Authorization="")[0] == 200)
    server.process.kill()


def check_limits():
    server = Server("--batch-size", "1", "--queue", "0", "--timeout", "1", "--drain", "0.5")
    connection = server.open("/v1/completions", LONG | {"stream": True})
    check("the place is taken", server.becomes("texts_running", 1))
    status, answer, headers = server.ask("/v1/completions", {"prompt": "a", "max_tokens": 1})
    check("a full queue is told", status == 503 and int(headers["Retry-After"]) >= 1, (status, answer))
    check("a stream that takes too long says so", '"code":504' in "".join(events(connection.getresponse())))
    begin = time.monotonic()
    status, answer, _ = server.ask("/v1/completions", LONG)
    check("an answer that takes too long", status == 504 and 0.9 < time.monotonic() - begin < 5, (status, answer))
    check("the place is free again", server.becomes("texts_running", 0, 2))
    server.process.kill()

    # What has not ended by --drain is cut off.
    server = Server("--drain", "0.5")
    connection = server.open("/v1/completions", LONG | {"stream": True})
    check("a text runs", server.becomes("texts_running", 1))
    begin = time.monotonic()
    check("--drain ends the server", server.end() == 0 and time.monotonic() - begin < 4, time.monotonic() - begin)
    connection.close()


def check_end(server):
    for options in ((), ("--batch-size", "2")):
        other = subprocess.Popen([LMTRAIN, "serve", "runs/test", "--port", str(server.port), *options],
                                 stderr=subprocess.PIPE, text=True)
        with contextlib.suppress(subprocess.TimeoutExpired):
            other.wait(6)
        other.kill()
        log = other.stderr.read()
        check("a port in use is told", other.returncode == 74 and "in use" in log and str(server.port) in log, log)
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        found = subprocess.run([LMTRAIN, "serve", "runs/test", "--port", str(taken.getsockname()[1])],
                               capture_output=True, text=True)
        check("another program's port is told", found.returncode == 74 and "in use" in found.stderr, found.stderr)

    connection = server.open("/v1/completions", LONG | {"max_tokens": 1500, "min_tokens": 1500, "stream": True})
    check("a text runs", server.becomes("texts_running", 1))
    codes = []
    ending = threading.Thread(target=lambda: codes.append(server.end()))
    ending.start()
    time.sleep(0.2)
    try:
        check("no new request while the server ends", server.ask("/v1/completions", {"prompt": "a"})[0] == 503)
        check("health while the server ends", server.ask("/health")[0] == 503)
    except ConnectionError:
        pass
    lines = events(connection.getresponse())
    check("a stream ends whole", lines[-1] == "[DONE]" and '"finish_reason":"length"' in lines[-2], lines[-2:])
    connection.close()
    ending.join()
    check("the exit code is 0", codes == [0], codes)
    check("the log tells the energy", re.search(r"ended; .* J per token", server.log), server.log)


def check_encoder():
    server = Server(model="runs/bert")
    status, answer, _ = server.ask("/v1/completions", {"prompt": "the of"})
    check("an encoder writes no texts", status == 400 and "embeddings" in answer["error"]["message"], answer)
    check("nor chats", server.ask("/v1/chat/completions", {"messages": []})[0] == 400)
    body = {"input": ["the of", "and to in that was"], "model": "bert"}
    _, floats, _ = server.ask("/v1/embeddings", body)
    _, packed, _ = server.ask("/v1/embeddings", body | {"encoding_format": "base64"})
    vectors = [entry["embedding"] for entry in floats["data"]]
    packed_floats = [base64.b64encode(struct.pack("<32f", *vector)).decode() for vector in vectors]
    check("base64 is the same vectors", [entry["embedding"] for entry in packed["data"]] == packed_floats, packed)
    check("two texts are two vectors", vectors[0] != vectors[1])
    one = server.ask("/v1/embeddings", {"input": "and to in that was"})[1]["data"][0]["embedding"]
    check("a vector does not depend on the batch", max(abs(a - b) for a, b in zip(one, vectors[1])) < 1e-5)
    check("embeddings have their energy", floats["usage"]["energy"]["joules"] > 0, floats["usage"])
    check("embeddings have their tokens", floats["usage"]["prompt_tokens"] > 6, floats["usage"])
    for wrong in ({}, {"input": []}, {"input": 5}, {"input": "a", "encoding_format": "hex"}, {"input": ["a"] * 65}):
        check(f"{str(wrong)[:40]} is refused", server.ask("/v1/embeddings", wrong)[0] == 400)
    server.process.kill()


def main():
    server = Server()
    check("health", server.ask("/health")[1] == {"status": "ok"})
    models = server.ask("/v1/models")[1]
    check("models", [(model["id"], model["max_positions"]) for model in models["data"]] == [("test", 8192)], models)
    check("the page", server.ask("/")[1].startswith("<!DOCTYPE html>"))
    check_texts(server)
    check_refusals(server)
    check_metrics(server)
    check_clients_that_go(server)
    check_end(server)
    check_key()
    check_limits()
    check_encoder()
    sys.exit(1 if failures else 0)


main()
PYTHON
python3 checks.py "$LMTRAIN"
