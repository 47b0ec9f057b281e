#include "data/target_bytes.h"

#include <utility>

#include <gtest/gtest.h>

#include "data/tokenizer/bpe_trainer.h"

namespace lmtrain {
namespace {

// Defect: bits per byte over labels that the loss leaves out, or with the end token as text.
TEST(TargetBytes, CountsWeightedLabelsAndNoEndToken) {
  bool fetched = false;
  const auto one_document = [&](std::string_view& text) {
    text = "aaaa aaaa aaaa";
    return !std::exchange(fetched, true);
  };
  const Tokenizer tokenizer = train_bpe(one_document, {258, 1, int64_t{1} << 30}, [](double) {});
  const TargetBytes bytes(tokenizer);
  EXPECT_EQ(bytes.of_token(tokenizer.end_of_text()), 0);
  EXPECT_EQ(bytes.of_token(1), 1);
  EXPECT_EQ(bytes.of_token(257), 2);  // the merge "aa"

  Batch batch;
  batch.labels = {1, 257, tokenizer.end_of_text(), 257};
  batch.weights = {1.0F, 1.0F, 1.0F, 0.0F};
  EXPECT_EQ(bytes.of_batch(batch), 3);
}

}  // namespace
}  // namespace lmtrain
