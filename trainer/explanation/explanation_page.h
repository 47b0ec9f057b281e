// Explanations as JSON, and as one page of HTML that needs no network.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "trainer/explanation/explain.h"

namespace lmtrain {

// {"index", "text", "target", "tokens", "integrated_gradients", ..}, without attention.
nlohmann::ordered_json explanation_json(const LoadedModel& loaded, const ExplainOptions& options,
                                        size_t index, const TextPair& text,
                                        const Explanation& explanation);

// Adds "attention" to an object of explanation_json, or why it is left out.
void add_attention(nlohmann::ordered_json& object, const Explanation& explanation);

// Elements of all attention maps of a page at most, so that a browser opens it soon.
inline constexpr int64_t kMostAttentionOfPage = 12'000'000;

// The page of these texts: objects that add_attention has completed.
std::string explanation_page(const LoadedModel& loaded, const ExplainOptions& options,
                             const nlohmann::ordered_json& texts);

}  // namespace lmtrain
