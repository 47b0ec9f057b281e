#!/usr/bin/env bash
# Makes a corpus from text that Debian ships: make_corpus.sh fortunes|topics|messages|debian
#   fortunes  corpus/fortunes: 2.6 MB of short English, a file a topic
#   topics    corpus/topics/topics.csv: some of these entries, with the topic of each
#   messages  corpus/messages/messages.csv: one-line messages of programs in English and German; messages.txt: their text
#   debian    corpus/debian: WordNet's and GCIDE's entries and the Debian Administrator's Handbook
# A line that holds just "%" ends a document. Text is UTF-8; the same packages give the same bytes.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# Prints the root folder under which a package's PATH lies: / when it is installed whole (slim images
# leave out documentation), else a folder it was unpacked into.
package_root() {
  local name=$1 path=$2
  if [ -e "/$path" ]; then
    echo /
  else
    [ -e "$work/$name" ] || fetch_package "$name" "$work/$name" >&2
    [ -e "$work/$name/$path" ] || die "the Debian package $name holds no /$path"
    echo "$work/$name"
  fi
}

# Collects the files of topics in $work/in.
fetch_fortunes() {
  local package root
  mkdir "$work/in"
  for package in fortunes:science fortunes-min:riddles; do
    root=$(package_root "${package%:*}" "usr/share/games/fortunes/${package#*:}")
    if [ "$root" = / ]; then
      # The folder may hold other packages' files too.
      dpkg-query -L "${package%:*}" | grep '^/usr/share/games/fortunes/'
    else
      find "$root/usr/share/games/fortunes" -type f
    fi | xargs -d '\n' cp -P -t "$work/in"
  done
}

make_fortunes() {
  fetch_fortunes
  python3 scripts/debian_text.py fortunes "$work/out" "$work/in"
}

make_topics() {
  fetch_fortunes
  python3 scripts/debian_text.py topics "$work/out" "$work/in"
}

# Those of the toolchain and of the programs that every system has.
make_messages() {
  local place package root
  mkdir "$work/in"
  for place in apt:apt bash:bash binutils-common:ld coreutils:coreutils dpkg:dpkg gcc-12-locales:gcc-12 gettext:gettext-tools \
    gnupg-l10n:gnupg2 make:make tar:tar texinfo:texinfo util-linux-locales:util-linux wget:wget; do
    package=${place%:*}
    root=$(package_root "$package" "usr/share/locale/de/LC_MESSAGES/${place#*:}.mo")
    cp "${root%/}/usr/share/locale/de/LC_MESSAGES/${place#*:}.mo" "$work/in"
  done
  python3 scripts/debian_text.py messages "$work/out" "$work/in"
}

make_debian() {
  local wordnet gcide handbook
  wordnet=$(package_root wordnet-base usr/share/wordnet/data.noun)
  gcide=$(package_root dict-gcide usr/share/dictd/gcide.dict.dz)
  handbook=$(package_root debian-handbook usr/share/doc/debian-handbook/html/en-US/index.html)
  python3 scripts/debian_text.py wordnet "$work/out" "${wordnet%/}/usr/share/wordnet"
  python3 scripts/debian_text.py gcide "$work/out" "${gcide%/}/usr/share/dictd"
  python3 scripts/debian_text.py handbook "$work/out" \
    "${handbook%/}/usr/share/doc/debian-handbook/html/en-US"
}

make_corpus() {
  if [ -d "corpus/$kind" ]; then
    say "corpus/$kind is there already"
    return
  fi
  work=$(mktemp -d "$deps/corpus.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  mkdir "$work/out"
  "make_$kind"
  mkdir -p corpus
  mv "$work/out" "corpus/$kind"
  say "corpus/$kind: $(find "corpus/$kind" -type f | wc -l) files, $(du -sh "corpus/$kind" | cut -f1)"
}

kind=${1:-}
case $kind in
  fortunes | topics | messages | debian) with_lock "corpus-$kind" make_corpus ;;
  *)
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 64
    ;;
esac
