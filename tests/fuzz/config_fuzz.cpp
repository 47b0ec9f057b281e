// YAML: any bytes are a config that prints and reads back as the same, or a ConfigError.
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "trainer/config/load_config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lmtrain;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const std::string printed =
        print_config(parse_config(text, "fuzz").config, ConfigText::kValues);
    if (print_config(parse_config(printed, "printed").config, ConfigText::kValues) != printed)
      std::abort();
  } catch (const ConfigError&) {
  }
  try {
    load_config("", {std::string(text)});
  } catch (const ConfigError&) {
  }
  return 0;
}
