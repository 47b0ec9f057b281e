#!/usr/bin/env bash
# Refuses an include that goes up the layers: check_includes.sh [FOLDER]
#   base <- parallel <- models <- trainer; data and energy know base only; base, data and energy do not
#   know LibTorch; quoted includes are rooted at the project; no two headers define classes of one name.
# Within energy and trainer a room (a folder of it) knows those before it in `rooms` and the folder's own files;
# main.cpp knows all.
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"

declare -A knows=(
  [base]="base"
  [data]="data base"
  [energy]="energy base"
  [parallel]="parallel base"
  [models]="models parallel base"
  [trainer]="trainer models parallel data energy base"
)
declare -A rooms=(
  [energy]="meters caps grid ledger report plan formats audit"
  [trainer]="config step checkpoint planning inference explanation evaluation serving interchange start verify run commands"
)
generated=lmtrain_version.h
failed=0

refuse() {
  printf '%s\n' "$1"
  failed=1
}

check_include() {
  local where=$1 layer=$2 path=$3 root=${3%%/*}
  if [ "$path" = "$generated" ]; then return; fi
  if [ "$root" = "$path" ] || [ -z "${knows[$root]:-}" ]; then
    refuse "$where: \"$path\" is not rooted at one of the project's folders (${!knows[*]})"
  elif [[ " ${knows[$layer]} " != *" $root "* ]]; then
    refuse "$where: $layer may include ${knows[$layer]// /, }, not \"$path\""
  elif [ -n "${rooms[$layer]:-}" ] && [ "$root" = "$layer" ]; then
    check_room "$where" "$layer" "$(room_of "${where%%:*}")" "$(room_of "$path")" "$path"
  fi
}

# The folder within its layer, "" for a file of the layer itself.
room_of() {
  local inner=${1#*/}
  if [ "$inner" != "${inner%%/*}" ]; then echo "${inner%%/*}"; fi
}

# Prints the place of a room in its layer's order, counted from 1; fails for an unknown one.
place_of_room() {
  local room place=0
  for room in ${rooms[$1]}; do
    place=$((place + 1))
    if [ "$room" = "$2" ]; then echo "$place" && return; fi
  done
  return 1
}

check_room() {
  local where=$1 layer=$2 from=$3 to=$4 path=$5 from_place to_place
  if [ "${where%%:*}" = trainer/main.cpp ]; then return; fi
  if [ -z "$from" ]; then
    from_place=0
  elif ! from_place=$(place_of_room "$layer" "$from"); then
    refuse "$where: $layer/$from is not one of the rooms (${rooms[$layer]})"
    return
  fi
  if [ -z "$to" ]; then return; fi
  if ! to_place=$(place_of_room "$layer" "$to"); then
    refuse "$where: \"$path\" is in none of the rooms of $layer (${rooms[$layer]})"
  elif [ "$to_place" -gt "$from_place" ]; then
    refuse "$where: ${where%/*} may not include \"$path\", whose room comes after it (${rooms[$layer]})"
  fi
}

for layer in "${!knows[@]}"; do
  [ -d "$layer" ] || { refuse "$layer: no such folder"; continue; }
  while IFS=: read -r file line path; do
    check_include "$file:$line" "$layer" "$path"
  done < <(grep -rnoP --include='*.h' --include='*.cpp' --include='*.cu' --include='*.cuh' \
    '^\s*#\s*include\s*"\K[^"]*' "$layer")
  case $layer in
    base | data | energy)
      while IFS=: read -r file line path; do
        refuse "$file:$line: $layer is free of LibTorch, so not <$path>"
      done < <(grep -rnoP --include='*.h' --include='*.cpp' \
        '^\s*#\s*include\s*<\K(torch|ATen|c10)/[^>]*' "$layer")
      ;;
  esac
done

# Everything lives in one namespace: two classes of one name would be one class for the linker.
while IFS=: read -r file line name; do
  first=$(grep -rlE --include='*.h' "^(class|struct) $name( final)?( : .*)? \\{" "${!knows[@]}" | sort | head -1)
  refuse "$file:$line: $name is the name of a class of $first too"
done < <(grep -rnoP --include='*.h' '^(class|struct) \K\w+(?=( final)?( : .*)? \{)' "${!knows[@]}" | sort |
  awk -F: 'seen[$3]++')
exit "$failed"
