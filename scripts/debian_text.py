#!/usr/bin/env python3
"""Readable text out of Debian's packages: one document per entry, each ended by a line "%".

debian_text.py fortunes|topics|messages|wordnet|gcide|handbook OUTPUT_FOLDER INPUT_FOLDER
"""

import csv
import gettext
import gzip
import html.parser
import pathlib
import re
import sys

END = "%\n"


def decoded(raw):
    """UTF-8, and what is not taken byte by byte for Windows-1252, its usual source."""
    parts = []
    while raw:
        try:
            return "".join(parts) + raw.decode()
        except UnicodeDecodeError as error:
            parts.append(raw[: error.start].decode())
            parts.append(raw[error.start : error.start + 1].decode("cp1252", "replace"))
            raw = raw[error.start + 1 :]
    return "".join(parts)


def cleaned(text):
    """Without overstriking, control characters, trailing blanks and runs of empty lines."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    while "\b" in text:  # "_\bx" and "x\bx" are underlined and bold on a printer
        text, before = re.sub(r"[^\n\b]\x08|^\x08", "", text, flags=re.M), text
        if text == before:
            text = text.replace("\b", "")
    text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", text)
    text = re.sub(r"[ \t]+$", "", text, flags=re.M)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


def write(path, documents):
    """Documents in the given order, empty ones left out."""
    texts = filter(None, map(cleaned, documents))
    # A document's own line of just "%" would end it early.
    bodies = (re.sub(r"^%$", "% ", text, flags=re.M) + "\n" + END for text in texts)
    path.write_text("".join(bodies), encoding="utf-8", newline="\n")


def fortunes(output, folder):
    """A file a topic. The .dat files are indexes, the .u8 links name the same files again."""
    for path in sorted(folder.iterdir()):
        if path.suffix in (".dat", ".u8") or path.is_symlink():
            continue
        text = decoded(path.read_bytes())
        write(output / (path.name + ".txt"), re.split(r"^%\s*$", text, flags=re.M))


# Files that are about one thing each, and large enough to learn from.
TOPICS = ("computers", "food", "law", "men-women", "politics", "science", "songs-poems", "startrek")


def topics(output, folder):
    """A table of the entries of some files, each with the name of its file."""
    with (output / "topics.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["text", "topic"])
        for topic in TOPICS:
            text = decoded((folder / topic).read_bytes())
            for entry in re.split(r"^%\s*$", text, flags=re.M):
                if words := " ".join(cleaned(entry).split()):
                    table.writerow([words, topic])


SHORTEST, LONGEST, LONGEST_TRANSLATION = 8, 70, 90  # characters of a message


def messages(output, folder):
    """A table of the messages of one line in catalogues of gettext, with their translations; and both as lines of text."""
    pairs = {}
    for path in sorted(folder.glob("*.mo")):
        with path.open("rb") as file:
            catalogue = gettext.GNUTranslations(file)._catalog
        for message, translation in catalogue.items():
            message = (message[0] if isinstance(message, tuple) else message).strip()
            translation = translation.strip()
            is_line = "\n" not in message + translation and "\x04" not in message
            fits = SHORTEST <= len(message) <= LONGEST and 0 < len(translation) <= LONGEST_TRANSLATION
            if is_line and fits and message != translation:
                pairs.setdefault(" ".join(message.split()), " ".join(translation.split()))
    with (output / "messages.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["en", "de"])
        table.writerows(pairs.items())
    lines = "".join(f"{message}\n{translation}\n" for message, translation in pairs.items())
    (output / "messages.txt").write_text(lines, encoding="utf-8", newline="\n")


WORDNET_KINDS = {"n": "noun", "v": "verb", "a": "adjective", "s": "adjective", "r": "adverb"}


def wordnet_entry(line):
    """'00001740 03 n 01 entity 0 003 ~ ... | gloss' (wndb(5WN)) as 'entity (noun): gloss'."""
    data, gloss = line.split(" | ", 1)
    fields = data.split(" ")
    words = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
    names = ", ".join(re.sub(r"\((a|p|ip)\)$", "", word).replace("_", " ") for word in words)
    return f"{names} ({WORDNET_KINDS[fields[2]]}): {gloss.strip()}"


def wordnet(output, folder):
    for name in ("adj", "adv", "noun", "verb"):
        lines = decoded((folder / f"data.{name}").read_bytes()).splitlines()
        # Lines that start with blanks are the licence.
        entries = (wordnet_entry(line) for line in lines if line and not line.startswith(" "))
        write(output / f"wordnet-{name}.txt", entries)


def dictd_number(text):
    """dictd's base 64: digits from A-Za-z0-9+/, the most significant first."""
    digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    number = 0
    for digit in text.encode():
        number = number * 64 + digits.index(digit)
    return number


def gcide_entry(text):
    """Without pronunciation, links' braces and source marks: 'Abundance, n. [OE. ...] ...'."""
    text = re.sub(r"\s*\\[^\\\n]*\\", "", text)
    text = re.sub(r"(?<=[^\[\n]) \((\[[^()\n]{0,12}\]|[^()\n]|\n\s*){0,60}\),(?= \S{1,4}\.)", ",", text, count=1)
    text = re.sub(r"[{}]", "", text)
    return re.sub(r"\s*\[[^\[\]\n]*(1913 Webster|PJC|WordNet [0-9.]+|Webster 1913 Suppl)[^\[\]\n]*\]", "", text)


def gcide(output, folder):
    dictionary = gzip.decompress((folder / "gcide.dict.dz").read_bytes())
    places = set()
    for line in (folder / "gcide.index").read_text(encoding="utf-8").splitlines():
        word, offset, length = line.split("\t")[:3]
        if not word.startswith("00"):  # entries about the dictionary itself
            places.add((dictd_number(offset), dictd_number(length)))
    entries = (gcide_entry(decoded(dictionary[at : at + size])) for at, size in sorted(places))
    write(output / "gcide.txt", entries)


class Page(html.parser.HTMLParser):
    """The text of a page, a line per paragraph; listings keep their lines."""

    BLOCKS = {"p", "div", "li", "dt", "dd", "tr", "table", "ul", "ol", "dl", "pre", "br"} | {
        f"h{i}" for i in range(1, 7)
    }
    SKIPPED_TAGS = {"script", "style", "head"}
    SKIPPED_CLASSES = {"docnav", "toc"}
    SKIPPED_IDS = {"banner", "title"}
    VOID = {"br", "hr", "img", "input", "link", "meta", "col", "area", "base", "wbr"}

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.parts = []
        self.open = []  # (tag, whether its text is skipped)
        self.listings = 0

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        skipped = bool(self.open and self.open[-1][1])
        skipped |= tag in self.SKIPPED_TAGS or values.get("id") in self.SKIPPED_IDS
        skipped |= bool(self.SKIPPED_CLASSES & set((values.get("class") or "").split()))
        if tag in self.BLOCKS:
            self.parts.append("\n")
        if tag not in self.VOID:
            self.open.append((tag, skipped))
            self.listings += tag == "pre"

    def handle_startendtag(self, tag, attributes):
        if tag in self.BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag):
        if tag not in (name for name, _ in self.open):
            return
        while self.open:
            name, _ = self.open.pop()
            self.listings -= name == "pre"
            if name == tag:
                break
        if tag in self.BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data):
        if self.open and self.open[-1][1]:
            return
        self.parts.append(data if self.listings else re.sub(r"\s+", " ", data))

    def text(self):
        lines = (line.rstrip() for line in "".join(self.parts).split("\n"))
        return "\n".join(line if line.startswith("  ") else line.strip() for line in lines)


def handbook(output, folder):
    def page_text(path):
        page = Page()
        page.feed(decoded(path.read_bytes()))
        return re.sub(r"\n\n+", "\n", page.text())

    pages = sorted(path for path in folder.glob("*.html") if path.name != "index.html")
    write(output / "debian-handbook.txt", map(page_text, pages))


def main():
    kinds = {f.__name__: f for f in (fortunes, topics, messages, wordnet, gcide, handbook)}
    if len(sys.argv) != 4 or sys.argv[1] not in kinds:
        sys.exit(__doc__)
    kinds[sys.argv[1]](*map(pathlib.Path, sys.argv[2:]))


if __name__ == "__main__":
    main()
