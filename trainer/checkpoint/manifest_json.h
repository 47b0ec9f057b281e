// The stored form of a checkpoint's manifest.
#pragma once

#include <nlohmann/json.hpp>

#include "trainer/checkpoint/checkpoint.h"

namespace lmtrain {

nlohmann::json to_json(const Manifest& manifest);
// Throws CheckpointError or nlohmann::json::exception.
Manifest manifest_from_json(const nlohmann::json& from);

}  // namespace lmtrain
