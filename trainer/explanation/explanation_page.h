// Explanations as JSON, and as one page of HTML that needs no network.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "trainer/explanation/explain.h"

namespace lmtrain {

// {"index", "text", "tokens", "target", ..}: what docs/inference.md states, without attention.
nlohmann::ordered_json explanation_json(const LoadedModel& loaded, const ExplainOptions& options,
                                        size_t index, const TextPair& text,
                                        const Explanation& explanation);

// The page of these texts, objects of explanation_json with "attention" beside.
std::string explanation_page(const LoadedModel& loaded, const ExplainOptions& options,
                             const nlohmann::ordered_json& texts);

// The object's "attention", or "attention_left_out" where there are too many tokens: the maps of
// all heads in 8 bits, or of each layer's mean.
void add_attention(nlohmann::ordered_json& object, const at::Tensor& attention);

}  // namespace lmtrain
