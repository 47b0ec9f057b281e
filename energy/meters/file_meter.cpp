#include "energy/meters/file_meter.h"

#include "base/system_file.h"
#include "base/text.h"

namespace lmtrain {
namespace {

class EnergyFileMeter : public Meter {
 public:
  EnergyFileMeter(MeterInfo info, std::filesystem::path input, EnergyCounter::Limits limits)
      : Meter(std::move(info)), input_(std::move(input)), counter_(limits) {}

  Reading read(double now) override {
    const SystemNumber number = read_system_number(input_);
    if (!number.value) return missing_reading(number.failure);
    return counter_.advance(now, *number.value);
  }

  double max_seconds_between_reads() const override { return counter_.max_seconds_between_reads(); }

 private:
  std::filesystem::path input_;
  EnergyCounter counter_;
};

class PowerFileMeter : public Meter {
 public:
  PowerFileMeter(MeterInfo info, PowerFile file)
      : Meter(std::move(info)), file_(std::move(file)), integral_(file_.relative_error) {}

  Reading read(double now) override {
    const SystemNumber number = read_system_number(file_.input);
    if (!number.value) return gap(number.failure);
    if (*number.value == 0 && !file_.why_zero_is_missing.empty()) {
      return gap(cat(file_.input.string(), ": ", file_.why_zero_is_missing));
    }
    return integral_.advance(now, static_cast<double>(*number.value) * 1e-6);
  }

 private:
  Reading gap(std::string reason) {
    integral_.interrupt();
    return missing_reading(std::move(reason));
  }

  PowerFile file_;
  PowerIntegral integral_;
};

}  // namespace

std::unique_ptr<Meter> make_energy_file_meter(MeterInfo info, std::filesystem::path input,
                                              EnergyCounter::Limits limits) {
  return std::make_unique<EnergyFileMeter>(std::move(info), std::move(input), limits);
}

std::unique_ptr<Meter> make_power_file_meter(MeterInfo info, PowerFile file) {
  return std::make_unique<PowerFileMeter>(std::move(info), std::move(file));
}

}  // namespace lmtrain
