// What a folder of transformers says besides its weights, the list of its files of weights, and the
// body of a request for vectors: any bytes are read, or an error says what is wrong.
#include <string>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "models/huggingface/companions.h"
#include "models/huggingface/safetensors.h"
#include "tests/fuzz/file_of_bytes.h"
#include "trainer/serving/api_request.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lmtrain;
  Parts parts(data, size);
  const std::filesystem::path folder = empty_folder("companions");
  write_text(folder / "config.json", parts.next());
  write_text(folder / "generation_config.json", parts.next());
  write_text(folder / "tokenizer_config.json", parts.next());
  write_text(folder / "model.safetensors.index.json", parts.next());
  const std::string body(parts.next(/*is_last=*/true));
  try {
    const Companions companions = read_companions(folder);
    end_tokens_of(companions, 1000);
    sampling_defaults_of(companions);
    nlohmann::json exported = nlohmann::json::object();
    keep_token_ids(companions, exported);
  } catch (const DataError&) {
  }
  try {
    SafetensorsFolder{folder};
  } catch (const Error&) {  // there are no weights
  }
  try {
    const auto json = nlohmann::json::parse(body, nullptr, /*allow_exceptions=*/false);
    if (!json.is_discarded()) parse_embedding(json, "model", {.most_tokens = 100, .most_texts = 4});
  } catch (const DataError&) {
  } catch (const ConfigError&) {
  } catch (const ApiError&) {
  }
  return 0;
}
