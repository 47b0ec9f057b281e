#!/usr/bin/env python3
"""Writes data/tokenizer/unicode_tables.{h,cpp}: the character classes that the byte-level
pre-tokeniser of the Hugging Face `tokenizers` package sees, found by asking it about every code
point. No library of Unicode properties agrees with it on all of them, so its answers are data of
this project. Run it with that package installed, from any folder; then run the tests."""

import pathlib

import tokenizers
from tokenizers import pre_tokenizers

CLASSES = ["other", "letter", "number", "space"]
NUM_CODE_POINTS = 0x110000
PAGE = 256
HEADER = """\
// Made by scripts/make_unicode_tables.py from tokenizers {version}; do not edit.
// The class of every code point in the split pattern of GPT-2: \\p{{L}}, \\p{{N}}, \\s or none of them.
#pragma once

#include <cstdint>

namespace lmtrain {{

enum class CharacterClass : uint8_t {{ kOther = 0, kLetter = 1, kNumber = 2, kSpace = 3 }};

inline constexpr char kUnicodeTablesVersion[] = "tokenizers-{version}";

namespace unicode_tables {{
// Two bits a code point, lowest first; pages of {page} code points, equal pages kept once.
extern const uint8_t kPageOfBlock[{blocks}];
extern const uint64_t kPages[{pages}][{page_words}];
}}  // namespace unicode_tables

// `code_point` is below 0x110000. Surrogates are kOther.
inline CharacterClass character_class(uint32_t code_point) {{
  const uint64_t* page = unicode_tables::kPages[unicode_tables::kPageOfBlock[code_point / {page}]];
  return static_cast<CharacterClass>((page[code_point % {page} / 32] >> (code_point % 32 * 2)) & 3);
}}

}}  // namespace lmtrain
"""


def probe():
    """The class of every code point. A character joins its neighbour of the same class into one
    word: a letter joins letters, and so on; a space joins nothing."""
    splitter = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    is_one_word = lambda text: len(splitter.pre_tokenize_str(text)) == 1
    classes = bytearray(NUM_CODE_POINTS)
    for code_point in range(NUM_CODE_POINTS):
        if 0xD800 <= code_point < 0xE000:
            continue
        character = chr(code_point)
        joins = [is_one_word(f"{n}{character}{n}") for n in ("!", "x", "1")]
        assert sum(joins) <= 1, hex(code_point)
        classes[code_point] = joins.index(True) if any(joins) else CLASSES.index("space")
    return classes


def pack(classes):
    return tuple(
        sum(classes[i + k] << (2 * k) for k in range(32)) for i in range(0, len(classes), 32)
    )


def array_lines(values, per_line):
    for i in range(0, len(values), per_line):
        yield "    " + " ".join(f"{v}," for v in values[i : i + per_line])


def main():
    classes = probe()
    for name in CLASSES[1:]:
        print(f"{name}: {classes.count(CLASSES.index(name))} code points")
    pages, page_of_block = [], []
    for block in range(0, NUM_CODE_POINTS, PAGE):
        page = pack(classes[block : block + PAGE])
        if page not in pages:
            pages.append(page)
        page_of_block.append(pages.index(page))
    assert len(pages) <= 256

    folder = pathlib.Path(__file__).resolve().parent.parent / "data" / "tokenizer"
    shape = dict(
        version=tokenizers.__version__,
        page=PAGE,
        blocks=len(page_of_block),
        pages=len(pages),
        page_words=PAGE // 32,
    )
    (folder / "unicode_tables.h").write_text(HEADER.format(**shape))
    lines = [
        f"// Made by scripts/make_unicode_tables.py from tokenizers {tokenizers.__version__}; do not edit.",
        '#include "data/tokenizer/unicode_tables.h"',
        "",
        "// clang-format off",
        "namespace lmtrain::unicode_tables {",
        "",
        f"const uint8_t kPageOfBlock[{len(page_of_block)}] = {{",
        *array_lines(page_of_block, 24),
        "};",
        "",
        f"const uint64_t kPages[{len(pages)}][{PAGE // 32}] = {{",
    ]
    for page in pages:
        words = list(array_lines([f"0x{word:016x}" for word in page], 4))
        lines += ["  {" + words[0][3:], *words[1:-1], words[-1] + "},"]
    lines += ["};", "", "}  // namespace lmtrain::unicode_tables", "// clang-format on", ""]
    (folder / "unicode_tables.cpp").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
