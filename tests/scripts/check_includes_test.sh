#!/usr/bin/env bash
# Catches a check_includes.sh that lets an include up the layers pass, or refuses one that goes down.
set -euo pipefail
check=$1/scripts/check_includes.sh
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/{base,data,energy/{meters,report},parallel/cuda,models,trainer/{config,step,run,other}}

# expect_refused FILE LINE WORD: the line is refused, and the message names the file and WORD.
expect_refused() {
  local file=$1 line=$2 word=$3 output
  printf '%s\n' "$line" >"$tree/$file"
  if output=$(bash "$check" "$tree"); then
    echo "not refused: $line in $file"
    exit 1
  fi
  [[ $output == "$file:1: "*"$word"* ]] || {
    echo "refused without naming $file and $word: $output"
    exit 1
  }
  rm "$tree/$file"
}

cat >"$tree/trainer/all.cpp" <<'END'
#include <ATen/ATen.h>
#include <vector>
#include "base/error.h"
#include "data/batch.h"
#include "energy/meters/meter.h"
#include "models/gpt2.h"
#include "parallel/mesh.h"
END
printf '#include "lmtrain_version.h"\n// #include "trainer/run/run.h"\n' >"$tree/base/info.cpp"
printf '#include "parallel/mesh.h"\n#include <ATen/ATen.h>\n' >"$tree/models/gpt2.cpp"
printf '#include "trainer/step/trainer.h"\n#include "trainer/config/config.h"\n' >"$tree/trainer/step/trainer.cpp"
printf '#include "trainer/run/run.h"\n' >"$tree/trainer/main.cpp"
printf '#include "energy/energy_config.h"\n#include "energy/meters/meter.h"\n' >"$tree/energy/report/report.cpp"
bash "$check" "$tree" || { echo "refused a tree without a bad include"; exit 1; }

printf 'class Decoder;\nclass Decoder {\n' >"$tree/models/decoder.h"
expect_refused trainer/a.h 'class Decoder : public Base {' models/decoder.h
printf 'class Decoder;\n' >"$tree/trainer/a.h"
bash "$check" "$tree" || { echo "refused a declaration"; exit 1; }
rm "$tree/trainer/a.h" "$tree/models/decoder.h"

expect_refused base/a.h '#include "data/batch.h"' data/batch.h
expect_refused data/a.cpp '#include "parallel/mesh.h"' parallel/mesh.h
expect_refused data/a.cpp '#include "energy/meters/meter.h"' energy/meters/meter.h
expect_refused energy/a.cpp '  # include "data/batch.h"' data/batch.h
expect_refused parallel/cuda/a.cu '#include "models/gpt2.h"' models/gpt2.h
expect_refused models/a.cpp '#include "trainer/run/run.h"' trainer/run/run.h
expect_refused models/a.cpp '#include "data/batch.h"' data/batch.h
expect_refused data/a.cpp '#include <torch/torch.h>' torch/torch.h
expect_refused trainer/step/a.cpp '#include "trainer/run/run.h"' trainer/run/run.h
expect_refused trainer/config/a.h '#include "trainer/step/trainer.h"' trainer/step/trainer.h
expect_refused trainer/other/a.h '#include "trainer/config/config.h"' trainer/other
expect_refused trainer/run/a.h '#include "trainer/other/a.h"' trainer/other
expect_refused trainer/a.h '#include "trainer/config/config.h"' trainer/config/config.h
expect_refused energy/a.h '#include "energy/meters/meter.h"' energy/meters/meter.h
expect_refused energy/meters/a.cpp '#include "energy/ledger/totals.h"' energy/ledger/totals.h
expect_refused trainer/a.cpp '#include "../base/error.h"' ../base/error.h
expect_refused trainer/a.cpp '#include "run.h"' run.h
expect_refused trainer/a.cpp '#include "tests/fake.h"' tests/fake.h
