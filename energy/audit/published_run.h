// What others published of a training run: its size, hours, energy and emissions. `lmtrain audit`
// reads it from tables, JSON and model cards and checks it (energy/audit/audit.h).
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace lmtrain {

struct PublishedRun {
  std::string place;  // "FILE:LINE" or "FILE: KEY"
  std::string name;   // of the model or run; may be ""
  std::string hardware;
  std::string boundary;  // in the words of the publisher
  std::optional<double> parameters;
  std::optional<double> active_parameters;  // of a mixture of experts, for each token
  std::optional<double> tokens;
  std::optional<double> flops;
  std::optional<double> devices;
  std::optional<double> days;
  std::optional<double> device_hours;
  std::optional<double> least_watts;  // of a device
  std::optional<double> most_watts;
  std::optional<double> pue;  // absent: not known
  std::optional<double> g_per_kwh;
  std::optional<double> kwh;
  std::optional<double> computers_kwh;  // where kwh is the facility's
  std::vector<double> parts_kwh;        // which should add up to kwh
  std::vector<double> parts_kg;         // which should add up to kg_co2e
  std::optional<double> kg_co2e;        // location-based
  std::optional<double> kg_per_second;
  std::optional<double> seconds;
  std::vector<std::string> unused;  // columns or keys that hold something audit does not know
};

// Reads all runs of a file, by its ending or else by its content:
//   CSV       columns such as model, params_b, tokens_b, hardware, count, wall_days, gpu_hours,
//             watts, pue, gco2_per_kwh, kwh, tco2e (docs/reporting.md lists them), and CodeCarbon's
//             emissions.csv
//   JSON      an object or a list of objects with the same names; lmtrain's emissions.json
//   Markdown  a model card: co2_eq_emissions of its metadata, and tables with hours, watts,
//             emissions
// Throws DataError with file and place for what cannot be read, and for a file in which nothing of
// a run's energy stands, naming what does; IoError.
std::vector<PublishedRun> read_published_runs(const std::filesystem::path& file);

// The same of a text; `origin` names it.
std::vector<PublishedRun> parse_published_runs(const std::string& text, const std::string& origin);

}  // namespace lmtrain
