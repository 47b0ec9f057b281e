// What is public of accelerators: computing peak, design power, emissions of their making. Reports
// compare runs with it, and plans and audits count with it.
#pragma once

#include <string>
#include <string_view>

namespace lmtrain {

struct Accelerator {
  std::string_view name;        // "h100": how hardware names spell it, in lower case
  double peak_flops = 0;        // dense products in bf16, or fp16 before it, a second
  double watts = 0;             // design power of one
  double embodied_kg_co2e = 0;  // of its making; 0: not published
  std::string_view source;
};

// The entry whose name is one of the words of `hardware` ("NVIDIA A100-SXM4-80GB", "TPUv3"), or
// null where it names none or several. The table has boards of the kind that servers for training
// have (SXM, OAM, TPU chips). Cards for PCI Express, which are slower and draw less, are not in it.
const Accelerator* find_accelerator(std::string_view hardware);

// "P100, V100, A100, ...".
std::string accelerator_names();

}  // namespace lmtrain
