// Carbon intensity of the electricity over time, from a file of a grid's operator or of a service.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lmtrain {

class IntensitySeries {
 public:
  struct Span {
    double begin = 0.0;  // Unix time
    double end = 0.0;
    double g_per_kwh = 0.0;    // gCO2e
    bool is_forecast = false;  // or estimated: not what was measured in the end
  };

  // Reads, by its content:
  //   Electricity Maps     CSV with "Datetime (UTC)" and carbon intensities; that of the life cycle
  //   any other table      CSV with the columns time, g_per_kwh and perhaps duration (hh:mm:ss)
  //   National Grid ESO    JSON of the Carbon Intensity API of Great Britain: from, to, intensity
  //                        {forecast, actual}; a forecast where there is no actual value
  //   Carbon Aware SDK     JSON: Location, Time, Rating, Duration
  // Where a table tells no duration, a span ends where the next begins, at most after the usual
  // time between two. Throws DataError with file and place for anything else, for more than one
  // zone, for spans that overlap, and for intensities below 0 or above 5000; IoError.
  static IntensitySeries load(const std::filesystem::path& file);
  // The same of a text; `origin` names it.
  static IntensitySeries parse(std::string_view text, const std::string& origin);

  // In order of time; at least one. There may be gaps between them.
  const std::vector<Span>& spans() const { return spans_; }
  // "Electricity Maps, life cycle, zone DE, FILE".
  const std::string& source() const { return source_; }

  // The mean over the time from `begin` to `end`; nothing where a part of it is in no span.
  std::optional<double> mean(double begin, double end) const;
  // At one moment.
  std::optional<double> at(double time) const;

 private:
  const Span* span_at(double time) const;

  std::vector<Span> spans_;
  std::string source_;
};

}  // namespace lmtrain
