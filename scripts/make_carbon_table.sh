#!/bin/sh
# Writes energy/grid/carbon_table.cpp, the compiled-in grid intensities, from energy/grid/carbon_intensity.csv (countries)
# and energy/grid/regions.csv (states, grid regions, regions of clouds).
# With --check it writes nothing and fails when the committed file is out of date.
set -eu
cd "$(dirname "$0")/.."
. scripts/compiled_table.sh

make_table() {
  awk -F, '
    function refuse(why) { print FILENAME ":" FNR ": " why > "/dev/stderr"; failed = 1; exit 1 }
    function check(code, intensity, year) {
      if (intensity + 0 <= 0) refuse(code " has the intensity " intensity ", which is not above 0")
      if (year !~ /^20[0-9][0-9]$/) refuse(code " has the year " year)
      if (seen[code]++) refuse(code " is there twice")
    }
    BEGIN {
      print "// Made by scripts/make_carbon_table.sh from energy/grid/carbon_intensity.csv and"
      print "// energy/grid/regions.csv, which say where the figures come from."
      print "#include \"energy/grid/carbon_intensity.h\"\n"
      print "namespace lmtrain {\n\n// clang-format off"
      print "const std::vector<GridIntensity>& carbon_table() {"
      print "  static const std::vector<GridIntensity> table = {"
    }
    /^#/ { next }
    FNR != NR && !regions { regions = 1; header = 0 }
    !header {
      header = 1
      wanted = regions ? "code,name,gco2e_per_kwh,year,scope,pue,source" : "code,iso2,name,gco2e_per_kwh,year,source"
      if ($0 != wanted) refuse("unknown columns")
      next
    }
    !regions {
      if (NF != 6) refuse("expected 6 columns, found " NF)
      check($1, $4, $5)
      printf "      {\"%s\", \"%s\", \"%s\", %s, %s, \"%s\"},\n", $1, $2, $3, $4, $5, $6
      next
    }
    {
      if (NF != 7) refuse("expected 7 columns, found " NF)
      check($1, $3, $4)
      if ($5 != "direct" && $5 != "lifecycle") refuse($1 " has the scope " $5)
      if ($6 != "" && ($6 + 0 < 1 || $6 + 0 > 3)) refuse($1 " has the PUE " $6)
      printf "      {\"%s\", \"\", \"%s\", %s, %s, \"%s\", %s, %s},\n", $1, $2, $3, $4, $7,
        $5 == "direct" ? "true" : "false", $6 == "" ? 0 : $6
    }
    END { if (!failed) print "  };\n  return table;\n}\n// clang-format on\n\n}  // namespace lmtrain" }
  ' energy/grid/carbon_intensity.csv energy/grid/regions.csv
}

write_or_check energy/grid/carbon_table.cpp "$@"
