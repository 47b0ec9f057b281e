#!/usr/bin/env python3
"""lmtrain explain against captum and transformers, on the same weights in fp64, and its page in a browser.

    check_explain.py LMTRAIN     (part of scripts/oracle.sh)

Contributions of integrated gradients are those of captum's LayerIntegratedGradients, gradients times inputs are those
of autograd, and attention maps are those of transformers.
"""
import base64
import json

from check_support import BERT, POSITIONS, differ, lines_of, make_tokenizers, run_checks, save, text_of

import captum.attr
import numpy
import reference_heads
import torch
import transformers

from browser import Browser, find_browser

TOLERANCE, STEPS = 1e-4, 400  # of the largest contribution; captum's points
SMALL = {"vocab_size": 0, "hidden_size": 64, "num_hidden_layers": 2, "intermediate_size": 96, "num_attention_heads": 4,
         "num_key_value_heads": 2, "max_position_embeddings": POSITIONS}
READ_PAGE = """(() => {
  const words = (id) => document.getElementById(id)?.textContent ?? "";
  return {state: document.getElementById("main").dataset.state, target: words("target"), sum: words("completeness"),
          tokens: [...document.querySelectorAll("#tokens .token")].map((one) => Number(one.dataset.value)),
          warning: document.getElementById("warning").hidden === false, readout: words("readout"),
          width: document.documentElement.scrollWidth - document.documentElement.clientWidth,
          requests: performance.getEntriesByType("resource").map((entry) => entry.name)};
})()"""


def score_function(target, outputs_of):
    """The score that lmtrain names in `target`, of the model's outputs for ids."""
    def score(ids, *segments):
        outputs, kind = outputs_of(ids, *segments), target["kind"]
        if kind == "answer":
            return (outputs.start_logits.log_softmax(-1)[:, target["first"]] +
                    outputs.end_logits.log_softmax(-1)[:, target["last"]])
        logits = outputs.logits
        if kind == "value":
            return logits[:, 0]
        if kind == "next_token":
            logits = logits[:, -1]
        elif kind != "label":
            logits = logits[:, target["position"]]
        return logits.log_softmax(-1)[:, target["id"]]
    return score


def compare(checks, name, model, ids, segments, words, baseline):
    """Returns the largest difference of contributions, as a part of the largest contribution."""
    line, = lines_of(checks, "explain", name + ".checkpoint", "--precision", "fp64", "--tolerance", 1e-6,
                     "--max-points", 20000, *words)
    assert [token["id"] for token in line["tokens"]] == ids, f"{name}: other tokens than {ids}"
    assert line["completeness"]["holds"], f"{name}: {line['completeness']}"
    model = model.double()
    takes = segments is not None and getattr(model.config, "type_vocab_size", 0) > 1
    outputs_of = lambda x, *more: model(x, **({"token_type_ids": more[0]} if more else {}))
    score = score_function(line["target"], outputs_of)
    x = torch.tensor([ids])
    more = (torch.tensor([segments]),) if takes else ()
    replaced = torch.tensor([line["replaced"]])
    start = torch.where(replaced, torch.full_like(x, baseline), x)
    with torch.no_grad():
        found = [line["input_score"], line["baseline_score"]]
        # transformers computes RMSNorm and rotary angles in fp32.
        worst = differ(found, [float(score(x, *more)), float(score(start, *more))])
        assert worst < (1e-9 if "ert" in name or "gpt2" in name else 1e-4), f"{name}: scores differ by {worst:.2g}"
    layer = model.get_input_embeddings()
    theirs = captum.attr.LayerIntegratedGradients(score, layer).attribute(
        x, start, additional_forward_args=more or None, n_steps=STEPS, internal_batch_size=100).sum(-1)[0].detach()
    largest = float(theirs.abs().max())
    worst = differ(line["integrated_gradients"], theirs) / largest
    assert worst <= TOLERANCE, f"{name}: contributions differ by {worst:.2g} of the largest, {largest:.3g}"
    gxi = captum.attr.LayerGradientXActivation(score, layer).attribute(
        x, additional_forward_args=more or None).sum(-1)[0].detach()
    worst = max(worst, differ(line["gradient_x_input"], gxi) / float(gxi.abs().max()))
    assert worst <= TOLERANCE, f"{name}: gradients x input differ by {worst:.2g}"
    return worst


def check_heads(checks, tokenizer_of, family):
    """Labels of texts and tokens, values and answers."""
    tokenizer = tokenizer_of[family]
    # transformers takes a text's label from its last token that is no padding.
    baseline = tokenizer.mask_token_id if "ert" in family else tokenizer.pad_token_id + 7
    worst, heads = 0.0, []
    for name, head, model in reference_heads.models(len(tokenizer), POSITIONS):
        if name != f"{family}_{head}":
            continue
        save(checks, name, model, tokenizer, 0.3)
        texts = (text_of(5, 1), text_of(9, 2)) if head == "answer" else (text_of(8, 3),)
        encoded = tokenizer(*texts)
        words = ["--text", texts[0], *(["--pair", texts[1]] if head == "answer" else []),
                 *(["--position", 2] if head == "token" else []), "--baseline", baseline]
        worst = max(worst, compare(checks, name, model, encoded["input_ids"], encoded.get("token_type_ids"), words,
                                   baseline))
        heads.append(head)
    print(f"explain: contributions of {family} ({', '.join(heads)}) differ by at most {worst:.2g} of the largest")


def check_tokens(checks, tokenizer_of, family):
    """A masked token of an encoder, the next token of a decoder; and what the blocks attend to."""
    tokenizer = tokenizer_of[family]
    size = len(tokenizer)
    model = {"bert": lambda: transformers.BertForMaskedLM(transformers.BertConfig(**BERT, vocab_size=size)),
             "gpt2": lambda: transformers.GPT2LMHeadModel(transformers.GPT2Config(
                 vocab_size=size, n_positions=POSITIONS, n_embd=64, n_layer=2, n_head=4)),
             "llama": lambda: transformers.LlamaForCausalLM(transformers.LlamaConfig(**SMALL | {"vocab_size": size})),
             "mistral": lambda: transformers.MistralForCausalLM(transformers.MistralConfig(
                 **SMALL | {"vocab_size": size}, sliding_window=4))}[family]()
    name = family + "-explained"
    save(checks, name, model, tokenizer, 0.2)
    text, baseline = text_of(9, 4), tokenizer.pad_token_id
    if family == "bert":
        text, baseline = text.replace(" ", f" {tokenizer.mask_token} ", 1), tokenizer.mask_token_id
    ids = tokenizer(text)["input_ids"]
    words = ["--text", text] + ([] if family == "bert" else ["--no-start-token", "--baseline", baseline])
    worst = compare(checks, name, model, ids, None, words, baseline)
    other = tokenizer.decode([ids[-2]])
    worst = max(worst, compare(checks, name, model, ids, None, [*words, "--target", other], baseline))
    if family != "bert":
        check_zero_baseline(checks, name, model, ids, text)
    check_page(checks, name, model, ids, words)
    print(f"explain: contributions of {name} differ by at most {worst:.2g} of the largest, and its maps are equal")


def check_zero_baseline(checks, name, model, ids, text):
    """RMSNorm makes the score jump beside a baseline of zeros, where errors of tokens may cancel in their sum."""
    line, = lines_of(checks, "explain", name + ".checkpoint", "--text", text, "--baseline", "zero",
                     "--no-start-token", "--max-points", 4000)
    vectors = model.get_input_embeddings()(torch.tensor([ids])).detach()
    # The line in logarithmic steps, each by Gauss and Legendre.
    cuts, (nodes, weights) = [0.0, *torch.logspace(-7, 0, 60).tolist()], numpy.polynomial.legendre.leggauss(16)
    total = torch.zeros(len(ids), dtype=torch.float64)
    for begin, end in zip(cuts, cuts[1:]):
        places = torch.tensor((begin + end) / 2 + (end - begin) / 2 * nodes)
        points = (vectors * places[:, None, None]).requires_grad_(True)
        scores = model(inputs_embeds=points).logits[:, -1].log_softmax(-1)[:, line["target"]["id"]]
        slopes = (torch.autograd.grad(scores.sum(), points)[0] * vectors).sum(-1)
        total += (end - begin) / 2 * (torch.tensor(weights)[:, None] * slopes).sum(0)
    worst = differ(line["integrated_gradients"], total.detach()) / float(total.abs().max())
    assert line["completeness"]["holds"] and worst <= 0.02, f"{name} from zeros: off by {worst:.2g}, {line}"


def page_data(checks, path):
    return json.loads((checks.folder / path).read_text().split('id="data">')[1].split("</script>")[0])


def check_page(checks, name, model, ids, words):
    line, = lines_of(checks, "explain", name + ".checkpoint", "--page", "page.html", *words)
    data = page_data(checks, "page.html")["texts"][0]
    assert data["integrated_gradients"] == line["integrated_gradients"], f"{name}: the page has other contributions"
    shown = data["attention"]
    values = numpy.frombuffer(base64.b64decode(shown["values"]), numpy.uint8)
    values = values.reshape(shown["layers"], shown["heads"], len(ids), len(ids)) / 255
    model.set_attn_implementation("eager")
    with torch.no_grad():
        maps = torch.stack(model(torch.tensor([ids]), output_attentions=True).attentions)[:, 0]
    assert differ(values, maps) <= 0.5 / 255 + 1e-5, f"{name}: attention differs by {differ(values, maps):.2g}"


def check_browser(checks, tokenizer_of):
    """The page of two texts, of which the first fails to add up, and of one that would end a script."""
    path = find_browser()
    lines = lines_of(checks, "explain", "bert-explained.checkpoint", "--page", "page.html", "--text",
                     "the [MASK] fox </script><b>", "--text", "all that [MASK] had seen")
    checks.run("explain", "bert-explained.checkpoint", "--page", "wrong.html", "--text", "the [MASK] of the house",
               "--max-points", 65, "--tolerance", 1e-6)
    with Browser(path) as browser:
        browser.call("Emulation.setDeviceMetricsOverride", width=320, height=640, deviceScaleFactor=1, mobile=True)
        browser.open(f"file://{checks.folder}/page.html")
        assert browser.wait_for("document.getElementById('main')?.dataset.state === 'done'", 30), "the page is not done"
        page = browser.evaluate(READ_PAGE)
        assert differ(page["tokens"], lines[0]["integrated_gradients"]) < 1e-6, f"tokens of the page: {page}"
        assert lines[0]["target"]["name"] in page["target"] and not page["warning"], f"{page}"
        assert page["width"] <= 0, f"the page is {page['width']} px wider than a small phone"
        browser.evaluate("document.getElementById('method-gxi').click()")
        page = browser.evaluate(READ_PAGE)
        assert differ(page["tokens"], lines[0]["gradient_x_input"]) < 1e-6, f"the other method: {page}"
        browser.evaluate("document.getElementById('map').focus()")
        for _ in range(2):
            for kind in ("keyDown", "keyUp"):
                browser.call("Input.dispatchKeyEvent", type=kind, key="ArrowDown", code="ArrowDown",
                             windowsVirtualKeyCode=40)
        assert "%" in browser.evaluate(READ_PAGE)["readout"], "the arrow keys say nothing of the map"
        browser.evaluate("(() => { const one = document.getElementById('text-choice'); one.value = '1'; "
                         "one.dispatchEvent(new Event('change', {bubbles: true})); })()")
        page = browser.evaluate(READ_PAGE)
        assert len(page["tokens"]) == len(lines[1]["tokens"]), f"the second text: {page}"
        assert page["requests"] == [] and browser.complaints() == [], f"{page} {browser.complaints()}"
        browser.open(f"file://{checks.folder}/wrong.html")
        browser.wait_for("document.getElementById('main')?.dataset.state === 'done'", 30)
        assert browser.evaluate(READ_PAGE)["warning"], "the page is silent where contributions do not add up"
    print("explain: the page shows contributions, maps and warnings in a browser, and asks for nothing")


def prepare(checks):
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    tokenizer_of = make_tokenizers(checks)
    tokenizer_of["mistral"] = tokenizer_of["llama"]
    for family in ("bert", "roberta", "distilbert", "gpt2", "llama"):
        yield check_heads, tokenizer_of, family
    for family in ("bert", "gpt2", "llama", "mistral"):
        yield check_tokens, tokenizer_of, family
    yield check_browser, tokenizer_of


run_checks(prepare)
