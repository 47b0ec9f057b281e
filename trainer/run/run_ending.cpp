#include "trainer/run/run_ending.h"

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/durable_file.h"
#include "base/host_name.h"
#include "base/log.h"
#include "base/text.h"

namespace lmtrain {

using nlohmann::json;

void write_ending(const RunFolder& folder, ExitCode code, const std::string& reason, int64_t rank) {
  std::error_code ignored;
  if (std::filesystem::exists(folder.ending(), ignored)) return;  // removed when an attempt begins
  const json value = {{"code", static_cast<int>(code)},
                      {"reason", reason},
                      {"host", host_name()},
                      {"rank", rank},
                      {"at", utc_now()}};
  try {
    write_file_durably(folder.ending(),
                       value.dump(1, ' ', false, json::error_handler_t::replace) + "\n");
  } catch (const IoError& error) {
    log_warn(cat("how the run ended could not be recorded: ", error.what()));
  }
}

std::optional<RunEnding> load_ending(const RunFolder& folder) {
  constexpr int64_t kMostBytes = 1 << 16;
  try {
    const json value = json::parse(read_file(folder.ending(), kMostBytes));
    RunEnding ending;
    ending.code = static_cast<ExitCode>(value.at("code").get<int>());
    ending.reason = value.at("reason").get<std::string>();
    ending.host = value.at("host").get<std::string>();
    ending.rank = value.at("rank").get<int64_t>();
    ending.at = value.at("at").get<std::string>();
    return ending;
  } catch (const IoError&) {
    return std::nullopt;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

}  // namespace lmtrain
