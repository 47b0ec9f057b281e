#!/usr/bin/env python3
"""Writes the Unicode tables of data/tokenizer. No library of Unicode properties agrees with the
Hugging Face `tokenizers` package on all characters, so its answers are data of this project, found by
asking it about every code point:

    unicode_tables.{h,cpp}   the classes that the byte-level pre-tokeniser sees
    canonical_tables.cpp     canonical decompositions, combining classes, composition exclusions
    word_characters.cpp      \\w, as it is around added tokens
    bert_tables.cpp          what BERT's normaliser and pre-tokeniser do to characters; besides, the same
                             of Google's own BERT, which asked Python's unicodedata

Run it with that package installed, from any folder; then run the tests."""

import pathlib
import unicodedata

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

CLASSES = ["other", "letter", "number", "space"]
NUM_CODE_POINTS = 0x110000
SCALARS = [c for c in range(NUM_CODE_POINTS) if not 0xD800 <= c < 0xE000]
HANGUL = range(0xAC00, 0xD7A4)
DOTTED_I = 0x130  # the one character whose lower case is two
PAGE = 256
FOLDER = pathlib.Path(__file__).resolve().parent.parent / "data" / "tokenizer"
MADE_BY = f"// Made by scripts/make_unicode_tables.py from tokenizers {tokenizers.__version__}; do not edit."
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


def probe_classes():
    """The class of every code point. A character joins its neighbour of the same class into one
    word: a letter joins letters, and so on; a space joins nothing."""
    splitter = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    is_one_word = lambda text: len(splitter.pre_tokenize_str(text)) == 1
    classes = bytearray(NUM_CODE_POINTS)
    for code_point in SCALARS:
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


def write_classes():
    classes = probe_classes()
    for name in CLASSES[1:]:
        print(f"{name}: {classes.count(CLASSES.index(name))} code points")
    pages, page_of_block = [], []
    for block in range(0, NUM_CODE_POINTS, PAGE):
        page = pack(classes[block : block + PAGE])
        if page not in pages:
            pages.append(page)
        page_of_block.append(pages.index(page))
    assert len(pages) <= 256

    shape = dict(
        version=tokenizers.__version__,
        page=PAGE,
        blocks=len(page_of_block),
        pages=len(pages),
        page_words=PAGE // 32,
    )
    (FOLDER / "unicode_tables.h").write_text(HEADER.format(**shape))
    lines = [
        MADE_BY,
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
    (FOLDER / "unicode_tables.cpp").write_text("\n".join(lines))
    return classes


def ranges(code_points):
    """[first, last] of the runs of neighbours in sorted code points."""
    result = []
    for c in code_points:
        if result and result[-1][1] == c - 1:
            result[-1][1] = c
        else:
            result.append([c, c])
    return result


def array(kind, name, elements):
    lines = [f"constexpr {kind} {name}[] = {{"]
    for element in elements:
        if len(lines) == 1 or len(lines[-1]) + len(element) > 140:
            lines.append("   ")
        lines[-1] += f" {element},"
    return [*lines, "};", ""]


def range_array(name, code_points):
    return array("CodePointRange", name, [f"{{{a:#x}, {b:#x}}}" for a, b in ranges(code_points)])


def write_tables(name, lines, public_lines):
    text = [MADE_BY, f'#include "data/tokenizer/{name}.h"', "", "// clang-format off",
            "namespace lmtrain {", "", "namespace {", "", *lines, "}  // namespace", "", *public_lines,
            "", "}  // namespace lmtrain", "// clang-format on", ""]
    (FOLDER / f"{name}.cpp").write_text("\n".join(text))


def decompositions(nfd):
    found = {c: nfd(chr(c)) for c in SCALARS if c not in HANGUL}
    assert all(nfd(chr(c)) == unicodedata.normalize("NFD", chr(c)) for c in HANGUL)
    return {c: text for c, text in found.items() if text != chr(c)}


def combining_classes(nfd):
    """The numbers are those of unicodedata, where the package has any: it shows their order only, in
    how it sorts two characters."""
    lowest, highest = "\u0334", "\u0345"
    sorts = lambda a, b: nfd(a + b) != a + b
    characters = [chr(c) for c in SCALARS if nfd(chr(c)) == chr(c)]
    found = [c for c in characters if sorts(highest, c) or sorts(c, lowest)]
    examples = {unicodedata.combining(c): c for c in found}
    for c in found:
        number = unicodedata.combining(c)
        assert all(sorts(other, c) == (number < n) and sorts(c, other) == (n < number)
                   for n, other in examples.items()), hex(ord(c))
    return {ord(c): unicodedata.combining(c) for c in found}


def class_runs(classes):
    result = []
    for c, number in sorted(classes.items()):
        if result and result[-1][1] == c - 1 and result[-1][2] == number:
            result[-1][1] = c
        else:
            result.append([c, c, number])
    return [f"{{{a:#x}, {b:#x}, {number}}}" for a, b, number in result]


def steps(found):
    """Decompositions of one step, which unicodedata names: into one character, into two."""
    step = {c: [int(x, 16) for x in unicodedata.decomposition(chr(c)).split()] for c in sorted(found)}
    apart = lambda c: apart(step[c][0]) + "".join(map(chr, step[c][1:])) if c in step else chr(c)
    assert all(apart(c) == text for c, text in found.items())
    lines = {n: [f"{{{c:#x}, {', '.join(map(hex, parts))}}}" for c, parts in step.items() if len(parts) == n]
             for n in (1, 2)}
    assert len(lines[1]) + len(lines[2]) == len(found)
    return lines


def python_nfd(text):
    return unicodedata.normalize("NFD", text)


def write_canonical():
    hf = decompositions(normalizers.NFD().normalize_str)
    more = {c: text for c, text in decompositions(python_nfd).items() if hf.get(c) != text}
    assert not set(more) & set(hf) and not set(hf) - set(decompositions(python_nfd))
    python_classes = {c: unicodedata.combining(chr(c)) for c in SCALARS
                      if unicodedata.combining(chr(c)) and c not in hf and c not in more}
    nfc = normalizers.NFC().normalize_str
    excluded = [c for c, text in hf.items() if len(text) > 1 and nfc(chr(c)) != chr(c)]
    for c in SCALARS:
        assert nfc(chr(c)) == chr(c) or c in hf, hex(c)
    lines = [*range_array("kHfExclusions", sorted(excluded)), *array("SingleDecomposition", "kHfSingles", steps(hf)[1]),
             *array("PairDecomposition", "kHfPairs", steps(hf)[2]),
             f"// Of Unicode {unicodedata.unidata_version}, which the package's tables are older than.",
             *array("PairDecomposition", "kMorePairs", steps(more)[2]),
             *array("CombiningClassRun", "kHfClasses", class_runs(combining_classes(normalizers.NFD().normalize_str))),
             *array("CombiningClassRun", "kPythonClasses", class_runs(python_classes))]
    write_tables("canonical_tables", lines, [
        "const CanonicalTables kHfCanonicalTables = {kHfSingles, kHfPairs, {}, kHfClasses, kHfExclusions};",
        "const CanonicalTables kPythonCanonicalTables = {kHfSingles, kHfPairs, kMorePairs, kPythonClasses, {}};"])


def lower_runs(lower):
    """{first, last, step, difference}: runs of characters, each or each second one, whose lower case
    is equally far away."""
    result = []
    for c in (c for c in SCALARS if lower(chr(c)) != chr(c)):
        if c == DOTTED_I:
            assert lower(chr(c)) == "i\u0307"
            continue
        difference = ord(lower(chr(c))) - c
        last = result[-1] if result else None
        if last and last[3] == difference and c - last[1] in (1, 2) and last[2] in (0, c - last[1]):
            last[1:3] = c, c - last[1]
        else:
            result.append([c, c, 0, difference])
    return [f"{{{a:#x}, {b:#x}, {max(step, 1)}, {difference}}}" for a, b, step, difference in result]


def bert(**what):
    off = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**{**off, **what}).normalize_str


def hf_bert():
    clean, cjk, strip = bert(clean_text=True), bert(handle_chinese_chars=True), bert(strip_accents=True)
    lower, nfd = bert(lowercase=True), normalizers.NFD().normalize_str
    num_words = lambda c: len(pre_tokenizers.BertPreTokenizer().pre_tokenize_str(f"a{chr(c)}a"))
    words = {c: num_words(c) for c in SCALARS}
    marks = [c for c in SCALARS if nfd(chr(c)) == chr(c) and strip(chr(c)) == ""]
    for c in SCALARS:
        assert strip(chr(c)) == "".join(x for x in nfd(chr(c)) if ord(x) not in set_of(marks)), hex(c)
        assert clean(chr(c)) in ("", " ", chr(c)), hex(c)
    return dict(
        deleted=[c for c in SCALARS if clean(chr(c)) == ""],
        spaces=[c for c in SCALARS if c != 32 and clean(chr(c)) == " "],
        cjk=[c for c in SCALARS if cjk(chr(c)) != chr(c)],
        whitespace=[c for c in SCALARS if words[c] == 2],
        punctuation=[c for c in SCALARS if words[c] == 3],
        marks=marks,
        cased=[],
        ignorable=[],
    ), lower


def set_of(code_points, known={}):
    return known.setdefault(id(code_points), frozenset(code_points))


# The blocks that Google's tokenization.py calls Chinese.
GOOGLE_CJK = [(0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
              (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)]
ASCII_PUNCTUATION = [c for c in range(33, 127) if not chr(c).isalnum()]


def google_bert():
    category = lambda c: unicodedata.category(chr(c))
    kept = set(map(ord, "\t\n\r"))
    deleted = [c for c in SCALARS if c in (0, 0xFFFD) or (category(c) in ("Cc", "Cf") and c not in kept)]
    # A capital sigma at the end of a word, behind a cased letter, becomes another small one: Python tells
    # by what may stand between, and what before.
    ends = lambda before: (before + "\u03a3").lower().endswith("\u03c2")
    cased = [c for c in SCALARS if ends(chr(c))]
    return dict(
        deleted=deleted,
        spaces=[c for c in SCALARS if c in kept or (c != 32 and category(c) == "Zs")],
        cjk=sorted(c for a, b in GOOGLE_CJK for c in range(a, b + 1)),
        whitespace=[c for c in SCALARS if chr(c).isspace()],
        punctuation=[c for c in SCALARS if c in ASCII_PUNCTUATION or category(c)[0] == "P"],
        marks=[c for c in SCALARS if category(c) == "Mn"],
        cased=cased,
        ignorable=[c for c in SCALARS if ends("a" + chr(c)) and c not in set_of(cased)],
    ), str.lower


def write_bert():
    lines, public_lines = [], []
    for name, canonical, version, (sets, lower) in [
        ("Hf", "Hf", f"tokenizers-{tokenizers.__version__}", hf_bert()),
        ("Google", "Python", f"unicodedata-{unicodedata.unidata_version}", google_bert()),
    ]:
        fields = [f'"{version}"']
        for key, code_points in sets.items():
            print(f"{name} {key}: {len(code_points)} code points")
            if code_points:
                lines += range_array(f"k{name}{key.capitalize()}", code_points)
            fields.append(f"k{name}{key.capitalize()}" if code_points else "{}")
        lines += array("LowerCaseRun", f"k{name}Lower", lower_runs(lower))
        fields += [f"k{name}Lower", f"k{canonical}CanonicalTables"]
        public_lines += [f"const BertTables k{name}BertTables = {{",
                         *(f"    {field}," for field in fields), "};"]
    write_tables("bert_tables", lines, public_lines)


def write_word_characters(classes):
    def characters(**flags):
        """Those that do something to an added token beside which they stand: on both sides the same."""
        tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]"))
        tokenizer.add_tokens([AddedToken("<t>", normalized=False, **flags)])
        alone = lambda text: tokenizer.encode(text).ids == [1]
        parted = lambda text: 1 in tokenizer.encode(text).ids
        test = alone if "lstrip" in flags else lambda text: not parted(text)
        before = [c for c in SCALARS if test(chr(c) + "<t>")]
        assert before == [c for c in SCALARS if test("<t>" + chr(c))]
        return before

    assert characters(lstrip=True, rstrip=True) == [c for c in SCALARS if CLASSES[classes[c]] == "space"]
    write_tables("word_characters", range_array("kRanges", characters(single_word=True)),
                 ["const std::span<const CodePointRange> kWordCharacters = kRanges;"])


if __name__ == "__main__":
    write_word_characters(write_classes())
    write_canonical()
    write_bert()
