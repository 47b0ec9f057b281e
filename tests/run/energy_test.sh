#!/usr/bin/env bash
# Defect: energy that a run spends before its first step, or before it is killed, is in no ledger; an attempt that is priced
# anew by where the next one runs; a report that cannot be had of a run that was killed.
LMTRAIN=$1
. "$(dirname "$0")/lib.sh"

# json FILE EXPRESSION: prints a value of it; d is the document.
json() { python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$@"; }
holds() { [ "$(json "$1" "bool($2)")" = True ] || fail "$2 does not hold in $1"; }

# Fresh text: its preparation is in the ledger, and nearly all of the time that the process took.
for ((i = 0; i < 600; ++i)); do cat text/corpus; done > text/more
begin=$(date +%s.%N)
expect 0 "report" config.yaml run.name=fresh train.steps=6 tokenizer.vocab_size=600
seconds=$(python3 -c "print($(date +%s.%N) - $begin)")
holds runs/fresh/emissions.json "d['phases']['preparation']['kwh'] > 0.05 * d['energy_kwh']['value']"
holds runs/fresh/emissions.json "d['phases']['samples']['kwh'] > 0"
holds runs/fresh/emissions.json "0 <= $seconds - d['seconds'] < 1.0"
holds runs/fresh/emissions.json "all(0.5 * d['seconds'] < x['covered_seconds'] <= d['seconds'] for x in d['devices'])"
rm text/more

# `prepare` has a ledger too; a run that finds the text prepared says so.
expect 0 "^energy  *[0-9.]* [a-zA-Z]* (.*) *, emissions .* CO2e (ledger: cache/energy/prepare-" prepare config.yaml
expect 0 "report" config.yaml run.name=cached train.steps=5
grep -q "prepared before this run; what that took is not in its numbers" runs/cached/report.md || fail "no word of the cache"
grep -q "nobody set energy.pue" runs/cached/report.md || fail "no word of the assumed PUE"
grep -q "nobody set energy.region" runs/cached/report.md && fail "a region that is set is no assumption"

# A whole node by its management controller's figure, and a share of the network outside it.
echo 250 > watts
expect 0 "report" config.yaml run.name=node train.steps=5 energy.node_watts_file="$work/watts" energy.network_watts=10
holds runs/node/emissions.json "[x['sensor'] for x in d['devices']] == ['file:node', 'allowance:network']"
# Where other programs are busy on this machine, the run has a part of both.
holds runs/node/emissions.json "d['shared_nodes'] or abs(d['devices'][1]['kwh']['value'] * 3.6e6 - 10 * d['devices'][1]['covered_seconds']) < 0.1"

# Training a tokenizer is metered too.
expect 0 "J in .* s (modelled), .* CO2e" tokenizer train tokens text/corpus --vocab-size 300 --energy --region DEU

# A price belongs to its attempt.
expect 0 "report" config.yaml run.name=moved train.steps=10 energy.region=POL energy.pue=1.5
first=$(json runs/moved/emissions.json "d['emissions_kg_co2e']['value']")
expect 0 "report" config.yaml run.name=moved train.steps=12 energy.region=FRA energy.pue=1.0
holds runs/moved/emissions.json "abs(d['attempts'][0]['kg_co2e'] - $first) < 1e-3 * $first"
holds runs/moved/emissions.json "abs(sum(a['kg_co2e'] for a in d['attempts']) - d['emissions_kg_co2e']['value']) < 1e-6 * $first"
holds runs/moved/emissions.json "[a['pue'] for a in d['attempts']] == [1.5, 1.0]"
cp runs/moved/emissions.json priced.json
# Another price, openly and beside the run's own.
expect 0 report.md report runs/moved energy.intensity_g_per_kwh=0
holds runs/moved/emissions.json "d['emissions_kg_co2e']['value'] == 0"
holds runs/moved/emissions.json "d['before_repricing']['emissions_kg_co2e'] == json.load(open('priced.json'))['emissions_kg_co2e']"
grep -q "With the PUE and grid that the run had" runs/moved/report.md || fail "the report hides the run's own price"
expect 64 "takes another PUE or grid (.*) and the keys of report, not train.steps" report runs/moved train.steps=3
expect 64 "energy.pue" report runs/moved energy.pue=0.5
expect 64 "report.publisher stands in forms only" report runs/moved report.publisher=ACME
expect 0 report.md report runs/moved report.market_g_per_kwh=20 report.market_source="certificates of 2026"
grep -q "electricity, market-based .* by contracts, 20 gCO2e/kWh: certificates of 2026" runs/moved/report.md || fail "no market-based line"
expect 0 report.md report runs/moved
cmp runs/moved/emissions.json priced.json || fail "the report without another price is not what it was"

# Killed before its first save: there is a report, and a new one can be had.
"$LMTRAIN" config.yaml run.name=killed train.steps=100000 checkpoint.interval=0 > killed.log 2>&1 &
job=$!
for ((i = 0; i < 600; ++i)); do
  grep -q '"step":20,' runs/killed/metrics.jsonl 2> grep.log && break
  sleep 0.05
done
kill -KILL "$job"
wait "$job" 2> wait.log || true
[ -e runs/killed/report.md ] || fail "a killed run has no report"
expect 0 report.md report runs/killed
holds runs/killed/emissions.json "d['energy_kwh']['value'] > 0 and not d['attempts'][0]['ended_in_order']"
# Killed while its text was prepared: only the ledger is there.
mkdir -p runs/early/energy
cp runs/killed/energy/rank-00000.jsonl runs/early/energy/
expect 0 report.md report runs/early
grep -q "Not begun to train" runs/early/report.md || fail "a report of training that never was"
rm -r runs/early  # else runs/killed were a copy of it
# Ledgers that hold nothing leave the reports as they are.
cp -r runs/killed hollow
: > hollow/energy/rank-00000.jsonl
expect 65 "hold no attempt, and the reports in the folder are left as they are" report hollow
cmp hollow/report.md runs/killed/report.md || fail "a report was written over by nothing"
rm -r hollow
mkdir runs/empty
expect 65 "no energy ledger" report runs/empty

# Forms to hand in: printed, and nothing in the folder changes.
find runs/moved -type f | sort | xargs sha256sum > before.sums
expect 0 '"powerConsumption"' report runs/moved --format boamps
expect 0 "the form also asks for what only people know: report.publisher, report.site, report.infrastructure (" report runs/moved --format boamps
printf 'report: {publisher: "Example GmbH", licence: Apache-2.0}\n' > facts.yaml
expect 0 "| Provider | Example GmbH |" report runs/moved --format gpai --facts facts.yaml
expect 0 "| Licence | MIT |" report runs/moved --format gpai --facts facts.yaml report.licence=MIT
expect 0 "$(sha256sum < runs/moved/checkpoints/step-00000012/rank-00000-0.h5 | cut -d' ' -f1)" report runs/moved --format gpai
expect 0 "" export runs/moved exported
expect 0 "$(sha256sum < exported/model.safetensors | cut -d' ' -f1)" report runs/moved --format cyclonedx --weights exported
expect 65 "no folder with .safetensors files" report runs/moved --format cyclonedx --weights text
printf 'report: {publisher: a}\ntrain: {steps: 3}\n' > wrong.yaml
expect 64 "wrong.yaml:2:16: train.steps is not of the section report" report runs/moved --format gpai --facts wrong.yaml
expect 64 "name one" report runs/moved --facts facts.yaml
expect 64 "boamps" report runs/moved --format boamp
find runs/moved -type f | sort | xargs sha256sum | cmp - before.sums || fail "a form changes the run's folder"

# All runs of the project, killed ones and preparations too: the sum of the attempts is the sum of the reports.
expect 0 "^all " emissions runs cache
all=$("$LMTRAIN" emissions runs cache 2> copies.log | grep "^all ")
cp -r runs/fresh copied
[ "$("$LMTRAIN" emissions runs cache copied 2> copies.log | grep "^all ")" = "$all" ] || fail "a copied run counts twice"
grep -q "copied is a copy of runs/fresh" copies.log || fail "a copied run is not named"
rm -r copied
"$LMTRAIN" emissions runs cache --format csv > all.csv
sums=$(python3 -c '
import csv, glob, json
rows = list(csv.DictReader(open("all.csv")))
reports = [json.load(open(name)) for name in glob.glob("runs/*/emissions.json")]
attempts = sum(float(row["kwh"]) for row in rows if row["run"].startswith("runs"))
print(abs(attempts - sum(one["energy_kwh"]["value"] for one in reports)) < 1e-9,
      any(row["run"].startswith("cache/energy/prepare-") for row in rows),
      any(row["run"] == "runs/killed" and row["ended_in_order"] == "no" for row in rows))')
[ "$sums" = "True True True" ] || fail "the emissions of the project: $sums"
expect 0 "<h2>Runs</h2>" emissions runs --format html
expect 65 "no run lies in runs/empty or below" emissions runs/empty
expect 74 "cannot look into nowhere" emissions nowhere
[ "$("$LMTRAIN" emissions runs ./runs/ runs/moved "$PWD/runs" --format csv | wc -l)" = "$("$LMTRAIN" emissions runs --format csv | wc -l)" ] ||
  fail "a run is counted several times"
# What cannot be read is named, and the sums are not taken for whole.
cp -r runs broken
echo garbage > broken/moved/config.yaml
expect 65 "broken/moved" emissions broken
# Without its ledgers a report is left as it is.
rm -r broken/cached/energy
expect 65 "the reports in the folder are left as they are" report broken/cached
cmp broken/cached/emissions.json runs/cached/emissions.json || fail "a report without ledgers was written"

# Runs beside each other.
expect 0 "^train.steps  *5  *12$" compare runs/cached runs/moved
expect 0 "<h2>What the configs differ in</h2>" compare runs/cached runs/moved --html
expect 65 "no run's folder" compare runs/cached runs/empty
expect 0 "^until the validation loss is at most" compare runs/cached runs/moved
cp -r runs/moved other
sed -i -E 's/"tokenizer_hash": "[0-9a-f]*"/"tokenizer_hash": "0123456789abcdef"/' other/provenance.json
expect 0 "^The tokenizers differ, so a loss of a token is not the same thing" compare runs/cached other
! grep -q "until the validation loss" out.log || fail "losses of different tokenizers are set beside each other"
