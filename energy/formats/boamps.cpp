// BoAmps (Boavizta and AFNOR): a JSON report of one task, here the training.
#include <algorithm>
#include <cmath>

#include "base/build_info.h"
#include "base/text.h"
#include "energy/formats/wording.h"

namespace lmtrain {
namespace {

using nlohmann::ordered_json;

const char* infrastructure_name(Infrastructure infrastructure) {
  switch (infrastructure) {
    case Infrastructure::kPublicCloud:
      return "publicCloud";
    case Infrastructure::kPrivateCloud:
      return "privateCloud";
    case Infrastructure::kOnPremise:
      return "onPremise";
    case Infrastructure::kOther:
      break;
  }
  return "other";
}

// BoAmps' grades: within 10, 25, 50 percent.
const char* quality_of(const ReportedRun& run) {
  if (run.facts.has_lost_energy || !run.report.doubts.empty()) return "low";
  const EnergyRange& energy = run.report.energy;
  const double error =
      std::max(energy.high - energy.joules, energy.joules - energy.low) / energy.joules;
  constexpr double kRounding = 1e-9;
  return error <= 0.10 + kRounding ? "high" : error <= 0.25 + kRounding ? "medium" : "low";
}

// By which meters devices of a kind were tracked.
std::string tracking(const EmissionsReport& report, DeviceKind kind) {
  for (const DeviceEnergy& device : report.devices) {
    if (device.sensor.kind == kind) return device.sensor.key.substr(0, device.sensor.key.find(':'));
  }
  return "";
}

std::string component_name(const MeterInfo& sensor) {
  if (sensor.quality == Quality::kModelled && sensor.kind == DeviceKind::kMemory) return "memory";
  return sensor.kind == DeviceKind::kCpu ? processor_of(sensor.label) : sensor.label;
}

ordered_json components(const ReportedRun& run) {
  ordered_json list = ordered_json::array();
  for (const EmbodiedPart& part : run.account.embodied) {
    if (part.is_server) continue;
    list.push_back(
        {{"componentName", part.what}, {"componentType", "gpu"}, {"nbComponent", part.count}});
  }
  for (const auto& [kind, type] :
       {std::pair{DeviceKind::kCpu, "cpu"}, std::pair{DeviceKind::kMemory, "ram"},
        std::pair{DeviceKind::kOther, "other"}}) {
    int64_t count = 0;
    std::string name;
    for (const DeviceEnergy& device : run.report.devices) {
      if (device.sensor.kind != kind) continue;
      ++count;
      if (name.empty()) name = component_name(device.sensor);
    }
    if (count > 0)
      list.push_back({{"componentName", name}, {"componentType", type}, {"nbComponent", count}});
  }
  return list;
}

// "2026-01-31 12:00:00".
std::string with_space(std::string utc) {
  std::ranges::replace(utc, 'T', ' ');
  std::erase(utc, 'Z');
  return utc;
}

}  // namespace

std::string to_boamps(const ReportedRun& run) {
  const RunFacts& facts = run.facts;
  const ReportConfig& people = run.people;
  ordered_json json;
  json["header"] = {{"formatVersion", "0.1"},
                    {"reportId", uuid_of(run)},
                    {"reportDatetime", with_space(end_text(run))},
                    {"reportStatus", facts.finished ? "final" : "draft"}};
  if (!people.publisher.empty()) {
    json["header"]["publisher"] = {{"name", people.publisher},
                                   {"projectName", model_name(run)},
                                   {"confidentialityLevel", name_of(people.confidentiality)}};
  }
  ordered_json algorithm = {{"trainingType", "selfSupervisedLearning"},
                            {"algorithmType", "llm"},
                            {"algorithmName", architecture_text(run)},
                            {"parametersNumber", static_cast<double>(facts.num_parameters) / 1e9},
                            {"framework", "lmtrain"},
                            {"frameworkVersion", version()},
                            {"quantization", facts.precision}};
  if (facts.inherited) algorithm["foundationModelName"] = facts.inherited->checkpoint;
  const ordered_json dataset = {{"dataUsage", "input"},
                                {"dataType", "token"},
                                {"dataQuantity", static_cast<double>(facts.tokens)}};
  json["task"] = {
      {"taskStage", facts.inherited ? "finetuning" : "training"},
      {"taskFamily", "textGeneration"},
      {"algorithms", ordered_json::array({algorithm})},
      {"dataset", ordered_json::array({dataset})},
      {"taskDescription", cat("Training of a language model, ", with_commas(facts.steps),
                              " steps, ", shortest(facts.flops), " FLOP. ", flops_text())}};
  ordered_json measure = {{"measurementMethod", "lmtrain"},
                          {"version", version()},
                          {"powerConsumption", kwh(run.report.energy.joules)},
                          {"measurementDuration", run.report.seconds},
                          {"measurementDateTime", with_space(begin_text(run))}};
  if (const std::string cpu = tracking(run.report, DeviceKind::kCpu); !cpu.empty())
    measure["cpuTrackingMode"] = cpu;
  if (const std::string gpu = tracking(run.report, DeviceKind::kGpu); !gpu.empty())
    measure["gpuTrackingMode"] = gpu;
  json["measures"] = ordered_json::array({measure});
  json["system"] = {{"os", "linux"}};
  json["software"] = {{"language", "C++"}, {"version", "20"}};
  json["infrastructure"] = {{"infraType", infrastructure_name(people.infrastructure)},
                            {"components", components(run)}};
  if (!people.cloud_provider.empty())
    json["infrastructure"]["cloudProvider"] = people.cloud_provider;
  if (const EnergyPrice* price = run.report.one_price();
      price != nullptr && is_national(price->grid)) {
    json["environment"] = {{"country", price->grid.name},
                           {"powerSourceCarbonIntensity", price->grid.g_per_kwh}};
    if (!people.site.empty()) json["environment"]["location"] = people.site;
  }
  json["quality"] = quality_of(run);
  return document(json);
}

}  // namespace lmtrain
