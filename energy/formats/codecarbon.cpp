// CodeCarbon's emissions.csv: its columns in their order, one row for the run. As there, energies
// are those of the facility and powers those of the computers. What lmtrain does not know is left
// empty.
#include <cmath>
#include <map>
#include <vector>

#include "base/csv.h"
#include "base/text.h"
#include "energy/formats/wording.h"

namespace lmtrain {

std::string to_codecarbon(const ReportedRun& run) {
  const EmissionsReport& report = run.report;
  const Account& account = run.account;
  const double pue = pue_of(run);
  const double seconds = report.seconds;
  std::map<DeviceKind, double> joules;
  for (const DeviceEnergy& device : report.devices)
    joules[device.sensor.kind] += device.energy.joules;
  // There is no column for meters of whole nodes.
  joules[DeviceKind::kCpu] += joules[DeviceKind::kOther];
  const auto kilowatt_hours = [&](DeviceKind kind) { return shortest(kwh(joules[kind] * pue)); };
  const auto watts = [&](DeviceKind kind) {
    return shortest(seconds > 0 ? joules[kind] / seconds : 0);
  };
  const EnergyPrice* const price = report.one_price();
  const double kg = report.cost.emissions.grams / 1000;
  const bool is_cloud = !run.people.cloud_provider.empty();
  std::string gpus;
  int64_t num_gpus = 0;
  std::string processors;
  for (const EmbodiedPart& part : account.embodied) {
    if (part.is_server) continue;
    num_gpus += part.count;
    gpus += cat(gpus.empty() ? "" : ", ", part.count, " x ", part.what);
  }
  for (const DeviceEnergy& device : report.devices) {
    if (device.sensor.kind == DeviceKind::kCpu && processors.empty())
      processors = processor_of(device.sensor.label);
  }
  const std::string end = end_text(run);
  const std::vector<std::pair<std::string, std::string>> columns = {
      {"timestamp", end.substr(0, end.find('Z'))},
      {"project_name", model_name(run)},
      {"run_id", uuid_of(run)},
      {"experiment_id", run.facts.name},
      {"duration", shortest(seconds)},
      {"emissions", shortest(kg)},
      {"emissions_rate", shortest(seconds > 0 ? kg / seconds : 0)},
      {"cpu_power", watts(DeviceKind::kCpu)},
      {"gpu_power", watts(DeviceKind::kGpu)},
      {"ram_power", watts(DeviceKind::kMemory)},
      {"cpu_energy", kilowatt_hours(DeviceKind::kCpu)},
      {"gpu_energy", kilowatt_hours(DeviceKind::kGpu)},
      {"ram_energy", kilowatt_hours(DeviceKind::kMemory)},
      {"energy_consumed", shortest(kwh(report.cost.facility.joules))},
      {"water_consumed", account.water_litres ? shortest(*account.water_litres) : ""},
      {"country_name", price != nullptr && is_national(price->grid) ? price->grid.name : ""},
      {"country_iso_code",
       price != nullptr && is_national(price->grid) && price->grid.code.size() == 3
           ? price->grid.code
           : ""},
      {"region", price != nullptr && price->grid.year != 0 && !is_national(price->grid)
                     ? price->grid.name
                     : ""},
      {"cloud_provider", run.people.cloud_provider},
      {"cloud_region", run.people.cloud_region},
      {"os", "Linux"},
      {"python_version", ""},
      {"codecarbon_version", ""},
      {"cpu_count", ""},
      {"cpu_model", processors},
      {"gpu_count", num_gpus > 0 ? std::to_string(num_gpus) : ""},
      {"gpu_model", gpus},
      {"longitude", ""},
      {"latitude", ""},
      {"ram_total_size", ""},
      {"tracking_mode", report.shared_nodes.empty() ? "machine" : "process"},
      {"cpu_utilization_percent", ""},
      {"gpu_utilization_percent", ""},
      {"ram_utilization_percent", ""},
      {"ram_used_gb", ""},
      {"on_cloud", is_cloud ? "Y" : "N"},
      {"pue", shortest(pue)},
      {"wue", run.people.water_l_per_kwh ? shortest(*run.people.water_l_per_kwh) : ""},
  };
  std::vector<std::string> names;
  std::vector<std::string> values;
  for (const auto& [name, value] : columns) {
    names.push_back(name);
    values.push_back(value);
  }
  return csv_line(names) + csv_line(values);
}

}  // namespace lmtrain
