// Config sections `tokenizer` and `data`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/config_fields.h"

namespace lmtrain {

struct TokenizerConfig {
  std::string kind = "bpe";
  int64_t vocab_size = 4096;
  std::string path;

  void describe(Fields& f) {
    f.choice("kind", kind, {"bpe"}, "Model of the tokenizer that is trained: byte-level BPE.")
        .fixed_on_resume();
    f.integer("vocab_size", vocab_size, {.min = 257, .max = 1 << 24},
              "Entries of the trained vocabulary: 1 end token, 256 bytes, the rest merges.")
        .fixed_on_resume();
    f.text(
        "path", path,
        "Folder with a tokenizer.json, or vocab.json and merges.txt, to use as it is; empty trains "
        "one on the sources.");
  }
};

struct SourceConfig {
  std::string path;
  std::string separator;

  void describe(Fields& f) {
    f.text("path", path,
           "A text file, or a folder whose files are read in the order of their names.");
    f.text("separator", separator,
           "A line that holds just this ends a document; empty: each file is one document.");
  }
};

struct DataConfig {
  std::vector<SourceConfig> sources;
  double validation_fraction = 0.05;
  int64_t sequence_length = 256;
  bool isolate_documents = false;
  std::string cache = "cache";

  void describe(Fields& f) {
    f.list("sources", sources, "Where the text is.");
    f.real("validation_fraction", validation_fraction, {.min = 0.0, .max = 0.5},
           "Share of the documents kept for validation, chosen by a hash of each document.")
        .fixed_on_resume();
    f.integer("sequence_length", sequence_length, {.min = 2, .max = 1 << 20},
              "Tokens of a training sequence.")
        .fixed_on_resume();
    f.boolean(
         "isolate_documents", isolate_documents,
         "Whether tokens see their own document alone, with positions from 0, where a sequence "
         "holds several.")
        .fixed_on_resume();
    f.text("cache", cache, "Folder of trained tokenizers and token files, keyed by content.");
  }
};

}  // namespace lmtrain
