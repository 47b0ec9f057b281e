#!/usr/bin/env python3
"""Renders chat templates with transformers, for the fixture that ChatTemplate's test compares lmtrain with.

    check_chat_template.py --write FILE     writes the fixture
    check_chat_template.py --check FILE     computes the fixture afresh and compares it with the file
"""
import argparse
import json
import pathlib
import sys

import jinja2
from chat_template_cases import ERRORS, EXPRESSIONS, STATEMENTS, random_templates
from chat_template_models import MODELS
from transformers.utils.chat_template_utils import render_jinja_template

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
DATE = {"date_string": "26 Jul 2024"}
USER = {"role": "user", "content": "  What is 1 + 1?\n"}
ASSISTANT = {"role": "assistant", "content": "<think>\nIt is simple.\n</think>\n\nIt is \"2\". 你好 é 🎉"}
SYSTEM = {"role": "system", "content": "You are brief.\n"}
TOOL = {"role": "tool", "content": "{\"result\": 2}"}
CHATS = {
    "a question": [USER],
    "a system message": [SYSTEM, USER],
    "two turns": [USER, ASSISTANT, USER],
    "two turns and a system message": [SYSTEM, USER, ASSISTANT, USER, ASSISTANT],
    "a tool": [USER, ASSISTANT, TOOL, TOOL, USER],
    "roles that do not alternate": [USER, USER],
    "an empty message": [{"role": "user", "content": ""}],
}
CHAT = [SYSTEM, USER, ASSISTANT]
NUM_RANDOM, SEED = 300, 7


def case(name, template, messages, add_generation_prompt=False, special=SPECIAL):
    result = {"name": name, "template": template, "messages": messages, "add_generation_prompt": add_generation_prompt,
              "special": special}
    try:
        texts, _ = render_jinja_template([messages], chat_template=template,
                                         add_generation_prompt=add_generation_prompt, **special)
        result["expected"] = texts[0]
    except Exception as error:  # whatever Python raises within a template
        result["error"] = True
        if isinstance(error, jinja2.exceptions.TemplateError) and "raise_exception" in template:
            result["message"] = str(error)
    return result


def has_address(result):
    """Whether the text shows where something lies in memory."""
    return " at 0x" in result.get("expected", "")


def fixture():
    cases = []
    for model, template in MODELS.items():
        for number, (chat, messages) in enumerate(CHATS.items()):
            for add_generation_prompt in (False, True) if number == 0 else (number % 2 == 0,):
                name = f"{model}, {chat}, {'with' if add_generation_prompt else 'without'} a generation prompt"
                cases.append(case(name, template, messages, add_generation_prompt, SPECIAL | DATE))
    few_tokens = {"eos_token": "</s>"}
    cases += [case(f"{model} without a start token", template, [USER], True, few_tokens | DATE)
              for model, template in MODELS.items()]
    cases += [case(f"statement {number}", template, CHAT) for number, template in enumerate(STATEMENTS)]
    for number, expression in enumerate(EXPRESSIONS):
        template = "{{ " + expression + " }}"
        cases.append(case(f"expression {number}", template, CHAT))
    errors = [case(f"error {number}", template, CHAT) for number, template in enumerate(ERRORS)]
    unexpected = [result["template"] for result in cases[-len(STATEMENTS) - len(EXPRESSIONS):] if "error" in result]
    unexpected += [result["template"] for result in errors if "error" not in result]
    assert not unexpected, f"Jinja renders these where it should not, or the reverse: {unexpected}"
    randoms = [case(f"random {number}", template, CHAT)
               for number, template in enumerate(random_templates(SEED, NUM_RANDOM))]
    return cases + errors + [result for result in randoms if not has_address(result)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", type=pathlib.Path, metavar="FILE")
    action.add_argument("--check", type=pathlib.Path, metavar="FILE")
    arguments = parser.parse_args()
    cases = fixture()
    if arguments.write:
        lines = ",\n".join(json.dumps(result, ensure_ascii=False) for result in cases)
        arguments.write.write_text("[\n" + lines + "\n]\n", encoding="utf-8")
        print(f"{len(cases)} cases are written to {arguments.write}")
        return
    committed = json.loads(arguments.check.read_text(encoding="utf-8"))
    for ours, theirs in zip(committed, cases):
        if ours != theirs:
            sys.exit(f"{arguments.check}: the case '{ours['name']}' differs from what transformers renders: {theirs}")
    if len(committed) != len(cases):
        sys.exit(f"{arguments.check} has {len(committed)} cases, expected {len(cases)}")
    print(f"{len(cases)} cases of {arguments.check} agree with transformers")


if __name__ == "__main__":
    main()
