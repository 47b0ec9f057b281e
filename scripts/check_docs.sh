#!/usr/bin/env bash
# Refuses documents that read badly or do not render: check_docs.sh [FOLDER]
#   prose lines over 120 characters; tables that are not surrounded by empty lines, have no line of dashes or
#   have rows of unequal length; headings that skip a level; code blocks without an end; links to files or
#   headings that do not exist. Lines of code blocks and tables may be longer, because they cannot be wrapped.
# It reads README.md, CHANGELOG.md and every .md file below docs and examples.
set -euo pipefail
export LC_ALL=C.UTF-8  # a character is one character, however many bytes it has
cd "${1:-$(dirname "$0")/..}"

widest=120
failed=0

# refuse MESSAGE: reports it at the current line of the current file.
refuse() {
  printf '%s:%d: %s\n' "$file" "$number" "$1"
  failed=1
}

# Whether FILE has a heading that a link may call SLUG, by GitHub's rule.
has_heading() {
  local heading
  while IFS= read -r heading; do
    heading=${heading,,}
    heading=${heading//[![:alnum:] _-]/}
    if [ "${heading// /-}" = "$2" ]; then return; fi
  done < <(sed -nE 's/^#{1,6} +//p' "$1")
  return 1
}

check_link() {
  local target=$1 path=${1%%#*} anchor=
  case $target in *://* | mailto:*) return ;; esac
  if [ "$path" != "$target" ]; then anchor=${target#*#}; fi
  if [ -z "$path" ]; then path=$file; else path=$(dirname "$file")/$path; fi
  if [ ! -e "$path" ]; then
    refuse "the link to $target leads to no file"
  elif [ -n "$anchor" ] && ! has_heading "$path" "$anchor"; then
    refuse "the link to $target leads to no heading of that file"
  fi
}

# Links are [text](target), src="target" and, on a line of their own, [name]: target. Code holds none.
check_links() {
  # shellcheck disable=SC2016  # backquotes of Markdown
  local rest=$1 code='`[^`]*`' link='(\]\(|src="|^\[[^]]+\]: *)([^[:space:])"]+)'
  while [[ $rest =~ $code ]]; do rest=${rest/"${BASH_REMATCH[0]}"/}; done
  while [[ $rest =~ $link ]]; do
    rest=${rest#*"${BASH_REMATCH[0]}"}
    check_link "${BASH_REMATCH[2]}"
  done
}

# Sets `cells` to the number of cells in a row; a pipe behind a backslash is text.
count_cells() {
  local row=${1//\\|/}
  row=${row#"${row%%[![:space:]]*}"}
  row=${row%"${row##*[![:space:]]}"}
  row=${row#|}
  row=${row%|}
  row=${row//[!|]/}
  cells=$((${#row} + 1))
}

check_row() {
  local dashes='^\|([[:space:]]*:?-+:?[[:space:]]*\|)+[[:space:]]*$'
  rows=$((rows + 1))
  count_cells "$1"
  case $rows in
    1)
      columns=$cells
      if [ -n "$above" ]; then refuse "a table needs an empty line above it"; fi
      ;;
    2) if [[ ! $1 =~ $dashes ]]; then refuse "the second line of a table must be | --- | for each column"; fi ;;
  esac
  if [ "$cells" != "$columns" ]; then
    refuse "this row has $cells cells, but the first row of its table has $columns"
  fi
}

# Called with the first line that is not a row.
end_table() {
  if [ "$rows" = 1 ]; then refuse "the row above stands alone: it is no table without a line of dashes"; fi
  if [ "$rows" -gt 0 ] && [ -n "$1" ]; then refuse "a table needs an empty line below it"; fi
  rows=0
}

check_heading() {
  local marks=${1%% *}
  if [ ${#marks} -gt $((level + 1)) ]; then
    refuse "this heading has level ${#marks}, but the one before it has level $level"
  fi
  level=${#marks}
}

check_prose() {
  if [ ${#1} -gt "$widest" ]; then
    refuse "this line has ${#1} characters; prose is wrapped at $widest"
  fi
  if [[ $1 =~ ^#{1,6}\  ]]; then check_heading "$1"; fi
}

check_file() {
  local line number=0 level=0 rows=0 columns=0 cells=0 above='' fence=''
  while IFS= read -r line || [ -n "$line" ]; do
    number=$((number + 1))
    if [[ $line =~ ^[[:space:]]*(\`\`\`|~~~) ]] && [[ -z $fence || $fence = "${BASH_REMATCH[1]}" ]]; then
      if [ -z "$fence" ]; then fence=${BASH_REMATCH[1]}; else fence=; fi
      end_table ''
    elif [ -z "$fence" ] && [[ $line =~ ^[[:space:]]*\| ]]; then
      check_row "$line"
      check_links "$line"
    elif [ -z "$fence" ]; then
      end_table "$line"
      check_prose "$line"
      check_links "$line"
    fi
    above=$line
  done <"$file"
  end_table ''
  if [ -n "$fence" ]; then refuse "a code block has no end"; fi
}

while IFS= read -r file; do check_file; done < <(
  for file in README.md CHANGELOG.md; do if [ -e "$file" ]; then echo "$file"; fi; done
  for folder in docs examples; do
    if [ -d "$folder" ]; then find "$folder" -name '*.md'; fi
  done | sort
)
exit "$failed"
