// The stored form of a checkpoint's manifest.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "trainer/checkpoint/checkpoint.h"

namespace lmtrain {

// What is behind the name of a step's folder while a save replaces the checkpoint that stands
// there.
inline constexpr const char* kNewSuffix = ".new";

nlohmann::json to_json(const Manifest& manifest);
// Throws CheckpointError or nlohmann::json::exception.
Manifest manifest_from_json(const nlohmann::json& from);

// The content of manifest.json: JSON whose first key is the XXH3 of everything behind its line.
std::string manifest_text(const Manifest& manifest);
Manifest parse_manifest(std::string_view text);

}  // namespace lmtrain
