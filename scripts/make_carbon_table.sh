#!/bin/sh
# Writes energy/grid/carbon_table.cpp, the compiled-in grid intensities, from energy/grid/carbon_intensity.csv.
# With --check it writes nothing and fails when the committed file is out of date.
set -eu
cd "$(dirname "$0")/.."
. scripts/compiled_table.sh
source=energy/grid/carbon_intensity.csv

make_table() {
  awk -F, '
    function refuse(why) { print FILENAME ":" FNR ": " why > "/dev/stderr"; failed = 1; exit 1 }
    BEGIN {
      print "// Made by scripts/make_carbon_table.sh from energy/grid/carbon_intensity.csv, which says where the"
      print "// figures come from: Ember, Yearly Electricity Data, CC BY 4.0."
      print "#include \"energy/grid/carbon_intensity.h\"\n"
      print "namespace lmtrain {\n\n// clang-format off"
      print "const std::vector<GridIntensity>& carbon_table() {"
      print "  static const std::vector<GridIntensity> table = {"
    }
    /^#/ { next }
    !header { header = 1; if ($0 != "code,iso2,name,gco2e_per_kwh,year,source") refuse("unknown columns"); next }
    NF != 6 { refuse("expected 6 columns, found " NF) }
    $4 + 0 <= 0 { refuse($1 " has the intensity " $4 ", which is not above 0") }
    $5 !~ /^20[0-9][0-9]$/ { refuse($1 " has the year " $5) }
    seen[$1]++ { refuse($1 " is there twice") }
    { printf "      {\"%s\", \"%s\", \"%s\", %s, %s, \"%s\"},\n", $1, $2, $3, $4, $5, $6 }
    END { if (!failed) print "  };\n  return table;\n}\n// clang-format on\n\n}  // namespace lmtrain" }
  ' "$source"
}

write_or_check energy/grid/carbon_table.cpp "$@"
