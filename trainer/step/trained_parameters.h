// Which parameters a run trains, and at which share of the learning rate.
#pragma once

#include <string>
#include <vector>

#include "parallel/parameter_store.h"
#include "trainer/config/config.h"

namespace lmtrain {

// With adapters of low rank trains these, a label head and the biases that lora.bias names, and
// freezes all else. Freezes the parameters whose names fit a pattern of train.freeze
// ("blocks.[0-5].*", as file names in a shell). Gives each unit the rate
// optimizer.layer_decay^(units above it): 1 for the head, less towards the embedding
// (discriminative fine-tuning; Howard and Ruder, ULMFiT, 2018; as BEiT counts layers).
SpecChange trained_parameters(const Config& config);

// The patterns that fit none of the names.
std::vector<std::string> patterns_without_parameter(const std::vector<std::string>& patterns,
                                                    const ParameterStore& declared);

}  // namespace lmtrain
