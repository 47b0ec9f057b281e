// Trains a WordPiece vocabulary like BERT's. As the Hugging Face `tokenizers` trainer does, it
// merges the most frequent pair; unlike that trainer it breaks ties by a rule, so that a text
// always gives the same vocabulary.
//
// The ids are, in this order: [PAD], [UNK], [CLS], [SEP], [MASK]; the alphabet by code point, which
// is the 1000 most frequent characters (ties go to the smaller code point); the characters of the
// alphabet that continue words, with "##" before them, by code point; then one token per merge.
//
// Words are made by the normaliser and the pre-tokeniser of BERT. A word with a character outside
// the alphabet, or longer than the model accepts, is left out, since it will be [UNK]. Each merge
// joins the pair of adjacent tokens that occurs most often; ties go to the smallest left id, then
// to the smallest right id. All its occurrences are merged from left to right.
#pragma once

#include <cstdint>
#include <functional>

#include "data/tokenizer/bert_characters.h"
#include "data/tokenizer/tokenizer.h"
#include "data/tokenizer/trainer_input.h"

namespace lmtrain {

struct WordPieceTrainerOptions {
  int64_t vocab_size = 4096;  // up to 2^24
  int num_threads = 1;
  int64_t max_memory_bytes = INT64_C(16) << 30;  // limit of the memory that training keeps
  bool lowercase = true;                         // also removes accents
  BertProfile profile = BertProfile::kHf;
};

// Works like train_bpe() (bpe_trainer.h). Also throws ConfigError when the alphabet of the text
// does not fit into vocab_size.
Tokenizer train_wordpiece(const NextDocument& next_document, const WordPieceTrainerOptions& options,
                          const std::function<void(double fraction)>& progress);

}  // namespace lmtrain
