#include "trainer/explanation/explanation_page.h"

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/build_info.h"
#include "base/text.h"
#include "trainer/explanation/page.h"
#include "trainer/inference/token_name.h"

namespace lmtrain {
namespace {

using json = nlohmann::ordered_json;

json target_of(const Prediction& prediction) {
  json target = {{"kind", name_of(prediction.kind)}, {"name", prediction.name}};
  if (prediction.kind == PredictionKind::kAnswer) {
    target["first"] = prediction.first;
    target["last"] = prediction.last;
  } else if (prediction.kind != PredictionKind::kValue) {
    target["id"] = prediction.id;
  }
  if (prediction.position >= 0) target["position"] = prediction.position;
  target[prediction.kind == PredictionKind::kValue ? "value" : "probability"] =
      prediction.probability;
  return target;
}

std::string_view score_name(const ExplainOptions& options, const Prediction& prediction) {
  return prediction.kind == PredictionKind::kValue ? "value" : name_of(options.score);
}

}  // namespace

json explanation_json(const LoadedModel& loaded, const ExplainOptions& options, size_t index,
                      const TextPair& text, const Explanation& explanation) {
  json object = {{"index", index}, {"text", text.text}};
  if (!text.pair.empty()) object["pair"] = text.pair;
  object["target"] = target_of(explanation.prediction);
  object["alternatives"] = json::array();
  for (const Alternative& other : explanation.prediction.alternatives)
    object["alternatives"].push_back(
        {{"id", other.id}, {"name", other.name}, {"probability", other.probability}});
  object["tokens"] = json::array();
  for (const int32_t id : explanation.text.ids)
    object["tokens"].push_back({{"id", id}, {"text", token_in_line(loaded.tokenizer, id)}});
  object["score"] = score_name(options, explanation.prediction);
  object["input_score"] = explanation.input_score;
  object["baseline_score"] = explanation.baseline_score;
  if (options.baseline < 0) {
    object["baseline"] = {{"vector", "zero"}};
  } else {
    object["baseline"] = {{"id", options.baseline},
                          {"token", token_in_line(loaded.tokenizer, options.baseline)}};
  }
  object["replaced"] = explanation.is_replaced;
  object["integrated_gradients"] = explanation.integrated_gradients;
  object["gradient_x_input"] = explanation.gradient_x_input;
  object["completeness"] = {{"sum", explanation.sum},
                            {"difference", explanation.input_score - explanation.baseline_score},
                            {"relative_error", explanation.relative_error},
                            {"relative_token_error", explanation.relative_token_error},
                            {"holds", explanation.holds},
                            {"points", explanation.num_points}};
  return object;
}

void add_attention(json& object, const Explanation& explanation) {
  const at::Tensor maps = explanation.attention;
  if (!maps.defined()) {
    object["attention_left_out"] = cat("The attention maps of ", explanation.text.ids.size(),
                                       " tokens are too large for this page. Explain a shorter "
                                       "text, or fewer texts, to see them.");
    return;
  }
  object["attention"] = {{"layers", maps.size(0)},
                         {"heads", maps.size(1)},
                         {"averaged", explanation.attention_is_averaged},
                         {"values", base64({reinterpret_cast<const char*>(maps.data_ptr()),
                                            static_cast<size_t>(maps.numel())})}};
}

std::string explanation_page(const LoadedModel& loaded, const ExplainOptions& options,
                             const json& texts) {
  const json data = {{"program", cat("lmtrain ", version())},
                     {"checkpoint", loaded.checkpoint.string()},
                     {"kind", loaded.config.model.kind},
                     {"tolerance", options.tolerance},
                     {"texts", texts}};
  // Within a script element only "<" could end it; JSON has another way to write it.
  std::string escaped;
  for (const char c : data.dump(-1, ' ', false, json::error_handler_t::replace)) {
    if (c == '<') {
      escaped += "\\u003c";
    } else {
      escaped += c;
    }
  }
  constexpr std::string_view kPlace = "@DATA@";
  const std::string_view page = explanation_page_template();
  const size_t at = page.find(kPlace);
  return cat(page.substr(0, at), escaped, page.substr(at + kPlace.size()));
}

}  // namespace lmtrain
