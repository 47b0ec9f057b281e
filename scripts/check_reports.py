#!/usr/bin/env python3
"""Checks what `lmtrain report --format` prints by the formats' own schemas, packages and readers: BoAmps' JSON schemas,
cyclonedx-python-lib, spdx-python-model, CodeCarbon's record, prometheus_client; and the page report.html in a browser.
Each must also hold the numbers of the run's emissions.json.

    check_reports.py LMTRAIN [RUN]     without RUN, trains one
"""
import csv
import dataclasses
import hashlib
import io
import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile

import cyclonedx.schema
import cyclonedx.validation.json
import huggingface_hub
import jsonschema
import prometheus_client.parser
import referencing
import yaml

from browser import Browser, find_browser
from codecarbon.output_methods.emissions_data import EmissionsData
from spdx_python_model import v3_0_1 as spdx

SCHEMAS = pathlib.Path(__file__).parent.parent / "tests/fixtures/boamps"
FACTS = """report: {publisher: Example GmbH, contact: ai@example.org, licence: Apache-2.0, model: Example-1, site: "Hall 3, Ulm",
  architecture: "a decoder, GPT-2's", energy_provider: Stadtwerke, pue_source: "the operator's report of 2025",
  market_g_per_kwh: 20, offsets_kg_co2e: 1.5, captured_kg_co2e: 0.5, water_l_per_kwh: 1.8, infrastructure: on_premise,
  confidentiality: public}
"""
# Of CodeCarbon's documentation; a reader takes them by their place.
CODECARBON_COLUMNS = (
    "timestamp,project_name,run_id,experiment_id,duration,emissions,emissions_rate,cpu_power,gpu_power,ram_power,cpu_energy,"
    "gpu_energy,ram_energy,energy_consumed,water_consumed,country_name,country_iso_code,region,cloud_provider,cloud_region,os,"
    "python_version,codecarbon_version,cpu_count,cpu_model,gpu_count,gpu_model,longitude,latitude,ram_total_size,"
    "tracking_mode,cpu_utilization_percent,gpu_utilization_percent,ram_utilization_percent,ram_used_gb,on_cloud,pue,wue"
).split(",")


def close(one, other, what):
    assert math.isclose(float(one), float(other), rel_tol=1e-6), f"{what}: {one} is not {other}"


class Reports:
    def __init__(self, lmtrain, run, facts):
        self.lmtrain, self.run, self.facts = lmtrain, run, facts
        self.emissions = json.loads((run / "emissions.json").read_text())
        self.kwh = self.emissions["energy_kwh"]["value"]
        self.facility_kwh = self.emissions["facility_kwh"]["value"]
        self.kg = self.emissions["emissions_kg_co2e"]["value"]

    def text(self, form):
        done = subprocess.run([self.lmtrain, "report", self.run, "--format", form, "--facts", self.facts],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def check_json(self):
        value = json.loads(self.text("json"))
        close(value["energy_kwh"]["value"], self.kwh, "energy")
        account = value["account"]
        close(account["location_based_kg_co2e"]["value"], self.kg, "emissions")
        close(account["market_based_kg_co2e"], self.facility_kwh * 20 / 1000, "market-based emissions")
        close(account["water_litres"], self.kwh * 1.8, "water")
        assert account["offsets_kg_co2e"] == 1.5 and account["captured_kg_co2e"] == 0.5
        total = self.kg + account["embodied_kg_co2e"]
        close(account["sci_g_per_token"], 1000 * total / value["tokens"], "SCI for each token")
        (file,) = pathlib.Path(account["weights"]).glob("*.h5")
        assert account["weights_sha256"] == hashlib.sha256(file.read_bytes()).hexdigest(), "hash of the weights"

    def check_boamps(self):
        report = json.loads(self.text("boamps"))
        base = "https://raw.githubusercontent.com/Boavizta/BoAmps/main/model/"
        schemas = {base + file.name: referencing.Resource.from_contents(
            json.loads(file.read_text()), default_specification=referencing.jsonschema.DRAFT4)
            for file in SCHEMAS.glob("*_schema.json")}
        root = json.loads((SCHEMAS / "report_schema.json").read_text())
        validator = jsonschema.Draft4Validator(root, registry=referencing.Registry().with_resources(schemas.items()))
        validator.validate(report)
        close(report["measures"][0]["powerConsumption"], self.kwh, "energy")
        broken = json.loads(json.dumps(report))
        del broken["measures"][0]["powerConsumption"]
        assert not validator.is_valid(broken), "the schema accepts a report without its energy"

    def check_cyclonedx(self):
        text = self.text("cyclonedx")
        validator = cyclonedx.validation.json.JsonStrictValidator(cyclonedx.schema.SchemaVersion.V1_6)
        error = validator.validate_str(text)
        assert error is None, error
        considerations = json.loads(text)["components"][0]["modelCard"]["considerations"]["environmentalConsiderations"]
        uses = considerations["energyConsumptions"]
        close(sum(use["activityEnergyCost"]["value"] for use in uses), self.facility_kwh, "energy of the activities")
        close(1000 * sum(use["co2CostEquivalent"]["value"] for use in uses), self.kg, "emissions of the activities")
        close(1000 * uses[0]["co2CostOffset"]["value"], 2.0, "offsets")
        assert validator.validate_str(text.replace('"kWh"', '"MWh"')) is not None, "the schema accepts another unit"

    def check_spdx(self):
        objects = spdx.SHACLObjectSet()
        spdx.JSONLDDeserializer().read(io.BytesIO(self.text("spdx").encode()), objects)
        (package,) = objects.foreach_type(spdx.ai_AIPackage)
        (use,) = package.ai_energyConsumption.ai_trainingEnergyConsumption
        close(use.ai_energyQuantity, self.facility_kwh, "energy")
        assert use.ai_energyUnit == spdx.ai_EnergyUnitType.kilowattHour
        (licence,) = objects.foreach_type(spdx.simplelicensing_LicenseExpression)
        assert licence.simplelicensing_licenseExpression == "Apache-2.0"
        assert not objects.missing_ids, f"no element has the ids {objects.missing_ids}"

    def check_codecarbon(self):
        columns, values = csv.reader(io.StringIO(self.text("codecarbon")))
        assert columns == CODECARBON_COLUMNS, "other columns than CodeCarbon's"
        assert columns == [field.name for field in dataclasses.fields(EmissionsData)], "another order than EmissionsData"
        row = EmissionsData(*values)
        close(row.energy_consumed, self.facility_kwh, "energy")
        close(row.emissions, self.kg, "emissions")
        close(float(row.emissions) / float(row.duration), row.emissions_rate, "rate of emissions")
        parts = [row.cpu_energy, row.gpu_energy, row.ram_energy]
        close(sum(map(float, parts)), row.energy_consumed, "the parts of the energy")

    def check_prometheus(self):
        families = {family.name: family for family in
                    prometheus_client.parser.text_string_to_metric_families(self.text("prometheus"))}
        joules = sum(sample.value for sample in families["lmtrain_energy_joules"].samples)
        close(joules / 3.6e6, self.kwh, "energy of the devices")
        phases = sum(sample.value for sample in families["lmtrain_energy_phase_joules"].samples)
        close(phases, joules, "energy of the phases")
        grams = {sample.labels["method"]: sample.value for sample in families["lmtrain_emissions_grams"].samples}
        close(grams["location"] / 1000, self.kg, "emissions")

    def check_model_card(self):
        metadata = yaml.safe_load(self.text("model-card").split("---")[1])
        assert metadata["license"] == "apache-2.0"
        emissions = metadata["co2_eq_emissions"]
        assert math.isclose(emissions["emissions"], 1000 * self.kg, rel_tol=1e-5)
        assert emissions["training_type"] == "pre-training"

    def check_card(self):
        """The whole card, as Hugging Face's hub reads it."""
        done = subprocess.run([self.lmtrain, "card", self.run, "--facts", self.facts, "report.languages=[en]",
                               "report.limits=It knows one sentence."], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        card = huggingface_hub.ModelCard(done.stdout)
        assert (card.data.license, card.data.language, card.data.pipeline_tag) == ("apache-2.0", ["en"], "text-generation")
        assert math.isclose(card.data.co2_eq_emissions["emissions"], 1000 * self.kg, rel_tol=1e-5)
        assert [result.metric_type for result in card.data.eval_results] == ["loss"], card.data.eval_results
        assert "It knows one sentence." in card.text and "## Bias" in card.text and "report.limits" not in done.stderr
        assert "report.intended_use" in done.stderr

    def check_forms(self):
        # What a benchmark has to say is all that is missing.
        assert self.text("gpai").count("missing") == 1 and "missing" not in self.text("sci")
        value = json.loads(self.text("json"))["account"]
        gpai = self.text("gpai")
        megawatt_hours = re.search(r"computers \| ([0-9.]+) MWh", gpai).group(1)
        assert math.isclose(float(megawatt_hours), self.kwh / 1000, rel_tol=0.05), "two significant digits"
        assert value["weights_sha256"] in gpai

    def check_page(self):
        """report.html on a small phone: nothing overflows, nothing is loaded, nothing is complained of."""
        with Browser(find_browser()) as browser:
            browser.call("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=1, mobile=True)
            assert browser.open(f"file://{self.run.resolve()}/report.html"), "the page did not load"
            page = browser.evaluate("""({wide: document.documentElement.scrollWidth - innerWidth,
                charts: document.querySelectorAll('svg').length, text: document.body.textContent,
                loaded: performance.getEntriesByType('resource').length})""")
            assert page["wide"] <= 0, f"the page is {page['wide']} px wider than a small phone"
            assert page["charts"] == 6 and page["loaded"] == 0, f"{page['charts']} charts, {page['loaded']} requests"
            for words in ("Boundary", "location-based", "PUE 1.3", "Germany"):
                assert words in page["text"], f"the page does not say '{words}'"
            assert not browser.complaints(), browser.complaints()

    def check_audit(self, folder):
        """What lmtrain writes it must also accept."""
        files = {"x.csv": self.text("codecarbon"), "x.md": self.text("model-card")}
        for name, text in files.items():
            (folder / name).write_text(text)
            done = subprocess.run([self.lmtrain, "audit", folder / name], capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
        done = subprocess.run([self.lmtrain, "audit", self.run / "emissions.json"], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def train(lmtrain, folder):
    (folder / "text").mkdir()
    (folder / "text/corpus").write_text("\n".join(f"line {i} of the text, and then some more of it" for i in range(500)))
    settings = ["run.name=run", f"run.dir={folder}/runs", f"data.sources=[{{path: {folder}/text}}]", f"data.cache={folder}/cache",
                "tokenizer.vocab_size=300", "data.sequence_length=32", "model.num_layers=1", "model.num_heads=2",
                "model.hidden_size=32", "model.max_positions=32", "train.steps=20", "train.precision=fp32",
                "eval.interval=10", "checkpoint.interval=10", "energy.interval_seconds=0.1", "energy.region=DEU", "energy.pue=1.3",
                "schedule.warmup_steps=2"]
    config = pathlib.Path(__file__).parent.parent / "configs/quickstart.yaml"
    done = subprocess.run([lmtrain, config, *settings], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "runs/run"


def main():
    lmtrain = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        run = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else train(lmtrain, folder)
        (folder / "facts.yaml").write_text(FACTS)
        reports = Reports(lmtrain, run, folder / "facts.yaml")
        for check in ("json", "boamps", "cyclonedx", "spdx", "codecarbon", "prometheus", "model_card", "card", "forms", "page"):
            getattr(reports, f"check_{check}")()
            print(f"{check}: valid, with the numbers of emissions.json")
        reports.check_audit(folder)
        print("audit accepts them")


main()
