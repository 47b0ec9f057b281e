#!/usr/bin/env bash
# Catches a check_docs.sh that lets a document pass which does not render, or refuses one that does.
set -euo pipefail
check=$1/scripts/check_docs.sh
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/docs/images"
touch "$tree/docs/images/loss.svg"
long=$(printf 'word %.0s' {1..30})  # 150 characters
wide=$(printf 'é%.0s' {1..120})     # 240 bytes

# expect_refused LINE WORDS TEXT: a document of this text is refused at this line alone, in a message with these words.
expect_refused() {
  local line=$1 words=$2 output
  printf '%b\n' "$3" >"$tree/docs/bad.md"
  if output=$(bash "$check" "$tree"); then
    echo "not refused: $3"
    exit 1
  fi
  [[ $output == "docs/bad.md:$line: "*"$words"* && $output != *$'\n'* ]] || {
    echo "refused without naming line $line and '$words': $output"
    exit 1
  }
  rm "$tree/docs/bad.md"
}

cat >"$tree/README.md" <<END
# Title

$wide
See [the guide](docs/guide.md#what-it-is-in-short) and [a site](https://example.org/x.md).
![Loss](docs/images/loss.svg) \`[no](link)\` <img src="docs/images/loss.svg">

| a \| b | c |
|---|:-:|
| $long | \`x \| y\` |

## Part

\`\`\`
$long
# no heading, and | no table
\`\`\`
END
printf '# Guide\n\n## Part\n\n### What it is, in short\n\n## Again\n' >"$tree/docs/guide.md"
bash "$check" "$tree" || { echo "refused good documents"; exit 1; }

expect_refused 3 'has 150 characters' "# A\n\n$long"
expect_refused 3 'level 3' '# A\n\n### B'
expect_refused 1 'level 2' '## A'
expect_refused 5 '3 cells' '# A\n\n| a | b |\n|---|---|\n| c | d | e |'
expect_refused 5 '1 cells' '# A\n\n| a | b |\n|---|---|\n| c |'
# shellcheck disable=SC2016  # backquotes of Markdown
expect_refused 5 '3 cells' '# A\n\n| a | b |\n|---|---|\n| `c | d` | e |'
expect_refused 4 '| --- |' '# A\n\n| a | b |\n| c | d |'
expect_refused 4 'stands alone' '# A\n\n| a | b |\n'
expect_refused 4 'above' '# A\n\nText:\n| a |\n|---|'
expect_refused 5 'below' '# A\n\n| a |\n|---|\nText.'
expect_refused 3 'no file' '# A\n\n[b](missing.md)'
expect_refused 4 'no file' '# A\n\n[b](guide.md), [c\nd](guide.md), ![e](images/missing.svg)'
expect_refused 3 'no file' '# A\n\n<img src="missing.svg">'
expect_refused 3 'no file' '# A\n\n[b]: missing.md'
expect_refused 5 'no file' '# A\n\n| a |\n|---|\n| [b](../docs/missing.md) |'
expect_refused 3 'no heading' '# A\n\n[b](guide.md#part-two)'
expect_refused 4 'no end' '# A\n\n```\ntext'
