# shellcheck shell=sh
# Sourced by the scripts that make a compiled-in table of a CSV file.

# write_or_check TARGET [--check]: writes what make_table prints; with --check it writes nothing and fails when TARGET
# is out of date.
write_or_check() {
  made=$(mktemp)
  trap 'rm -f "$made"' EXIT
  make_table > "$made"
  if [ "${2:-}" = --check ]; then
    cmp "$made" "$1"
  else
    cat "$made" > "$1"
  fi
}
