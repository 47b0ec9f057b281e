#include "energy/accelerators.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

#include "base/text.h"

namespace lmtrain {
namespace {

constexpr std::string_view kNvidia = "NVIDIA's data sheet";
constexpr std::string_view kNvidiaHgx =
    "NVIDIA's data sheet; embodied: NVIDIA, product carbon footprint of the HGX H100 board "
    "(1,312 kg for 8)";
constexpr std::string_view kNvidiaA100 =
    "NVIDIA's data sheet; embodied: 127.6 kg for the SXM module, cradle to gate";
constexpr std::string_view kGoogle = "Jouppi et al., 2021 and 2023 (TPU v2 to v4)";
constexpr std::string_view kAmd = "AMD's data sheet";

constexpr Accelerator kAccelerators[] = {
    {"p100", 21.2e12, 300, 0, kNvidia},
    {"v100", 125e12, 300, 0, kNvidia},
    {"a100", 312e12, 400, 127.6, kNvidiaA100},
    {"h100", 989e12, 700, 164, kNvidiaHgx},
    {"h200", 989e12, 700, 0, kNvidia},
    {"h800", 989e12, 700, 0, kNvidia},
    {"b200", 2250e12, 1000, 0, kNvidia},
    {"t4", 65e12, 70, 0, kNvidia},
    {"l4", 121e12, 72, 0, kNvidia},
    {"l40s", 362e12, 350, 0, kNvidia},
    {"mi250x", 383e12, 560, 0, kAmd},
    {"mi300x", 1307e12, 750, 0, kAmd},
    {"tpuv2", 45e12, 280, 0, kGoogle},
    {"tpuv3", 123e12, 450, 0, kGoogle},
    {"tpuv4", 275e12, 192, 0, kGoogle},
};

// Letters and digits that stand together, in lower case.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words = {""};
  for (const char letter : in_lower_case(text)) {
    if (std::isalnum(static_cast<unsigned char>(letter)) != 0) {
      words.back() += letter;
    } else {
      words.emplace_back();
    }
  }
  return words;
}

}  // namespace

const Accelerator* find_accelerator(std::string_view hardware) {
  std::vector<std::string> words = words_of(hardware);
  const auto has = [&](std::string_view word) {
    return std::ranges::find(words, word) != words.end();
  };
  if (has("pcie")) return nullptr;
  for (size_t i = words.size(); i-- > 0;) {
    // "TPU v4", "8xA100", "A100s".
    if (i + 1 < words.size() && words[i] == "tpu") words.push_back("tpu" + words[i + 1]);
    const size_t times = words[i].find_first_not_of("0123456789");
    if (times != std::string::npos && times > 0 && words[i][times] == 'x')
      words[i].erase(0, times + 1);
    if (words[i].ends_with('s')) words.push_back(words[i].substr(0, words[i].size() - 1));
  }
  const Accelerator* found = nullptr;
  for (const Accelerator& one : kAccelerators) {
    if (!has(one.name)) continue;
    if (found != nullptr) return nullptr;  // of two kinds: neither's figures hold
    found = &one;
  }
  return found;
}

std::string accelerator_names() {
  std::vector<std::string> names;
  for (const Accelerator& one : kAccelerators) names.push_back(in_upper_case(one.name));
  return join(names, ", ");
}

}  // namespace lmtrain
