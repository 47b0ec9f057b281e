#!/usr/bin/env bash
# Catches a corpus that is not UTF-8 or keeps a dictionary's index, markup, printer codes or licence.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder"/{in,out}

# expect FILE TEXT: the file holds just TEXT, with \n for line ends.
expect() {
  printf '%b' "$2" >"$folder/expected"
  cmp "$folder/expected" "$folder/out/$1" || { cat -A "$folder/out/$1"; exit 1; }
}
text() { python3 "$1/scripts/debian_text.py" "$2" "$folder/out" "$folder/in"; }

printf 'One.\n%%\n\tT_\bw_\bo\x1b   \r\n%%\n\n%%\nf\xb9 caf\xc3\xa9' >"$folder/in/art"
printf 'index' >"$folder/in/art.dat"
ln -s art "$folder/in/art.u8"
text "$1" fortunes
[ "$(ls "$folder/out")" = art.txt ]
expect art.txt 'One.\n%\n\tTwo\n%\nf¹ café\n%\n'

for kind in adj adv noun verb; do
  printf '  1 This licence\n' >"$folder/in/data.$kind"
done
printf '%s\n' '02 00 a 02 able(p) 0 good_enough 1 001 = 1 n 0 | fit; "able men"  ' >>"$folder/in/data.adj"
text "$1" wordnet
expect wordnet-adj.txt 'able, good enough (adjective): fit; "able men"\n%\n'
[ ! -s "$folder/out/wordnet-noun.txt" ]

about='About this dictionary'
entry=$'Abuse \\A*buse"\\, v. t.\n   To use {Ill}.\n   [1913 Webster]\n'
printf '%s%s' "$about" "$entry" | gzip >"$folder/in/gcide.dict.dz"
printf '00-about\tA\tV\nAbuse\tV\t6\nAbused\tV\t6\n' >"$folder/in/gcide.index"  # V = 21, 6 = 58
[ ${#about} = 21 ] && [ ${#entry} = 58 ]
text "$1" gcide
expect gcide.txt 'Abuse, v. t.\n   To use Ill.\n%\n'

printf '<html><head><title>x</title></head><body><ul class="docnav top"><li>Next</li></ul><h2>Disks</h2>
<p>One &amp; <b>two</b>\n  three<br/>four</p><pre>ls\n    -l</pre></body></html>' >"$folder/in/page.html"
printf '<p>contents</p>' >"$folder/in/index.html"
text "$1" handbook
expect debian-handbook.txt 'Disks\nOne & two three\nfour\nls\n    -l\n%\n'

# A catalogue: a header, and messages of which some have no translation, several lines or a context.
python3 - "$folder/in/a.mo" <<'PY'
import struct, sys
pairs = {"": "Content-Type: text/plain; charset=UTF-8\n", "file not found": "Datei nicht gefunden", "untranslated": "untranslated",
         "two lines\nhere": "zwei Zeilen\nhier", "menu\x04open a file": "Datei öffnen", "short": "kurz",
         "one file\0several files": "eine Datei\0mehrere Dateien"}
keys = sorted(key.encode() for key in pairs)
values = [pairs[key.decode()].encode() for key in keys]
at, tables, texts = 28 + 16 * len(keys), [], b""
for text in keys + values:
    tables.append(struct.pack("<2I", len(text), at + len(texts)))
    texts += text + b"\0"
head = struct.pack("<7I", 0x950412DE, 0, len(keys), 28, 28 + 8 * len(keys), 0, 0)
open(sys.argv[1], "wb").write(head + b"".join(tables) + texts)
PY
text "$1" messages
expect messages.csv 'en,de\nfile not found,Datei nicht gefunden\none file,eine Datei\n'
expect messages.txt 'file not found\nDatei nicht gefunden\none file\neine Datei\n'
