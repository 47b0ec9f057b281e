// Training of a WordPiece vocabulary as BERT's: as the Hugging Face `tokenizers` trainer, which
// merges the most frequent pair, but with ties broken, so that a text has one vocabulary.
//
// The rule: ids are [PAD], [UNK], [CLS], [SEP], [MASK]; the alphabet, which is the 1000 most
// frequent characters (of equal ones those of smaller code points), by code point; those of them
// that continue words, with "##" before, by code point; then one token per merge. Words are those
// of the normaliser and the pre-tokeniser of BERT; one with a character outside the alphabet or
// longer than the model takes is left out, since it will be [UNK]. Each merge joins the pair of
// adjacent tokens that occurs most often, of equal ones that with the smallest left id, then the
// smallest right id; all its occurrences are merged from left to right.
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
  int64_t max_memory_bytes = INT64_C(16) << 30;  // of what training keeps
  bool lowercase = true;                         // and without accents
  BertProfile profile = BertProfile::kHf;
};

// As train_bpe() (bpe_trainer.h). Throws ConfigError besides when the alphabet of the text does not
// fit into vocab_size.
Tokenizer train_wordpiece(const NextDocument& next_document, const WordPieceTrainerOptions& options,
                          const std::function<void(double fraction)>& progress);

}  // namespace lmtrain
