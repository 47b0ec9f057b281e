#!/bin/sh
# Writes energy/meters/processor_table.cpp, the compiled-in design powers, from energy/meters/processors.csv and
# energy/meters/processor_families.csv. With --check it writes nothing and fails when the committed file is out of date.
set -eu
cd "$(dirname "$0")/.."
. scripts/compiled_table.sh

make_table() {
  awk -F, '
    function refuse(why) { print FILENAME ":" FNR ": " why > "/dev/stderr"; failed = 1; exit 1 }
    BEGIN {
      print "// Made by scripts/make_processor_table.sh from energy/meters/processors.csv and"
      print "// energy/meters/processor_families.csv."
      print "#include \"energy/meters/processor_table.h\"\n"
      print "namespace lmtrain {\n\n// clang-format off"
      print "const std::vector<KnownProcessor>& known_processors() {"
      print "  static const std::vector<KnownProcessor> table = {"
    }
    /^#/ { next }
    FNR == NR && !header { header = 1; if ($0 != "name,watts,cores,threads,source") refuse("unknown columns"); next }
    FNR == NR {
      if (NF != 5) refuse("expected 5 columns, found " NF)
      if ($2 < 10 || $2 > 700 || $3 < 1 || $4 < $3 || $4 > 2 * $3) refuse($1 " has impossible numbers")
      if (seen[$1]++) refuse($1 " is there twice")
      printf "      {\"%s\", %s, %s, %s},\n", $1, $2, $3, $4
      next
    }
    !second {
      second = 1
      if ($0 != "pattern,watts_per_core,threads_per_core,max_watts") refuse("unknown columns")
      print "  };\n  return table;\n}\n"
      print "const std::vector<ProcessorFamily>& processor_families() {"
      print "  static const std::vector<ProcessorFamily> table = {"
      next
    }
    {
      if (NF != 4) refuse("expected 4 columns, found " NF)
      if ($2 <= 0 || $3 < 1 || $4 < 10) refuse($1 " has impossible numbers")
      printf "      {R\"(%s)\", %s, %s, %s},\n", $1, $2, $3, $4
    }
    END { if (!failed) print "  };\n  return table;\n}\n// clang-format on\n\n}  // namespace lmtrain" }
  ' energy/meters/processors.csv energy/meters/processor_families.csv
}

write_or_check energy/meters/processor_table.cpp "$@"
