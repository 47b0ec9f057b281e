// The committed answers of the Hugging Face `tokenizers` package;
// scripts/make_reference_tokenizer.py writes them.
#pragma once

#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lmtrain {

inline std::string fixture_path(const std::string& name) {
  return LMTRAIN_SOURCE_DIR "/tests/fixtures/tokenizer/" + name;
}

inline nlohmann::json read_fixture(const std::string& name) {
  std::ifstream file(fixture_path(name));
  if (!file) ADD_FAILURE() << "cannot read " << fixture_path(name);
  return nlohmann::json::parse(file);
}

}  // namespace lmtrain
