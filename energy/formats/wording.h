// What several formats say alike of a run.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "energy/formats/formats.h"

namespace lmtrain {

// The model's name: report.model, or the run's.
std::string model_name(const ReportedRun& run);
// The same for a heading of Markdown.
std::string model_title(const ReportedRun& run);
// Its architecture in words.
std::string architecture_text(const ReportedRun& run);
// "3 x NVIDIA H100 80GB HBM3"; "1 node without accelerators, 2 ranks, AMD EPYC".
std::string hardware_text(const ReportedRun& run);
// Of all attempts together.
double pue_of(const ReportedRun& run);
// How the energy was found: meters, share of each kind, what is left out.
std::string method_text(const ReportedRun& run);
std::string boundary_text(const ReportedRun& run);
// How the floating-point operations were counted.
std::string flops_text();
// Where the emissions of a kWh are from.
std::string grid_text(const ReportedRun& run);

// The same for the same run, however often it is reported: a UUID of version 8.
std::string uuid_of(const ReportedRun& run);
// "2026-01-31T12:00:00Z": the begin of the first attempt, the end of the last.
std::string begin_text(const ReportedRun& run);
std::string end_text(const ReportedRun& run);

// Rounded to so many significant digits.
double significant(double value, int digits);
std::string significant_text(double value, int digits);

// A JSON document with a line end; bytes that are no UTF-8 become U+FFFD.
std::string document(const nlohmann::ordered_json& value);

}  // namespace lmtrain
