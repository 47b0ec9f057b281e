// Config sections `tokenizer` and `data`.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/config_fields.h"
#include "data/labelled/labelled_config.h"

namespace lmtrain {

enum class TokenizerKind { kBpe, kWordpiece };
constexpr auto choice_names(TokenizerKind) {
  return std::to_array<std::string_view>({"bpe", "wordpiece"});
}

struct TokenizerConfig {
  TokenizerKind kind = TokenizerKind::kBpe;
  int64_t vocab_size = 4096;
  std::string path;
  bool lowercase = true;

  void describe(Fields& f) {
    f.choice("kind", kind,
             "Model of the tokenizer that is trained: byte-level BPE as GPT-2's, or WordPiece as "
             "BERT's, for model.kind = bert.")
        .fixed_on_resume();
    f.integer("vocab_size", vocab_size, {.min = 257, .max = 1 << 24},
              "Entries of the trained vocabulary: 1 end token (for bert 5 special tokens as "
              "RoBERTa's), 256 bytes (wordpiece: the characters of the text), the rest merges.")
        .fixed_on_resume();
    f.text(
        "path", path,
        "Folder with a tokenizer.json, or vocab.json and merges.txt, to use as it is; empty trains "
        "one on the sources.");
  }
};

// How a source's files are read; kAuto decides by the name of each file.
enum class FormatChoice { kAuto, kText, kJsonLines, kCommas, kTabs, kLlmc, kMegatron };
constexpr auto choice_names(FormatChoice) {
  return std::to_array<std::string_view>(
      {"auto", "text", "jsonl", "csv", "tsv", "llm.c", "megatron"});
}

enum class SpecialTokenText { kAsText, kMatched };
constexpr auto choice_names(SpecialTokenText) {
  return std::to_array<std::string_view>({"as_text", "matched"});
}

struct SourceConfig {
  std::string path;
  std::string separator;
  FormatChoice format = FormatChoice::kAuto;
  std::string field = "text";
  SpecialTokenText special_tokens = SpecialTokenText::kAsText;
  double weight = 0.0;

  void describe(Fields& f) {
    f.text("path", path,
           "A file, a folder whose files are read in the order of their names, or a pattern of "
           "both with * ? [abc]. Files may be compressed by gzip or zstd.");
    f.text("separator", separator,
           "text: a line that holds just this ends a document; empty: each file is one document.");
    f.choice("format", format,
             "text; jsonl: an object a line; csv, tsv: a table whose first line names its columns; "
             "llm.c, megatron: token files of these, for the tokenizer that tokenizer.path names; "
             "auto: by the file's name (.jsonl, .ndjson, .csv, .tsv, with .gz or .zst behind it; a "
             ".bin of llm.c, a .bin beside its .idx), else text.");
    f.text("field", field, "jsonl, csv, tsv: the key or column that holds the document.");
    f.choice("special_tokens", special_tokens,
             "What the text of a special token, such as <|im_start|>, becomes. as_text: ordinary "
             "tokens, so that no text can pretend; matched: the special token, for text that was "
             "written with them.");
    f.real("weight", weight, {.min = 0.0, .max = 1e9},
           "Share of the training samples that come from this source, relative to the other "
           "sources' weights: exact to less than one sample at every step, each source beginning "
           "again when it is through. 0 everywhere: all text is one.");
  }
};

// Which tokens bert must predict (Devlin et al., 2019).
struct MaskingConfig {
  double fraction = 0.15;
  int64_t max_predictions = 0;
  bool whole_words = false;
  bool dynamic = true;

  void describe(Fields& f) {
    f.real("fraction", fraction, {.min = 0.0, .max = 1.0, .min_excluded = true},
           "Share of a sequence's tokens that are predicted; of these 80% become the mask token, "
           "10% a random token, 10% stay.");
    f.integer("max_predictions", max_predictions, {.min = 0, .max = 1 << 20},
              "At most so many a sequence; 0: no limit.");
    f.boolean("whole_words", whole_words,
              "Whether all tokens of a word are chosen together; a Chinese character is a word.");
    f.boolean("dynamic", dynamic,
              "Whether each pass over the text masks other tokens; false: as many times "
              "differently as data.duplicates says.");
  }
};

enum class PairKind { kNone, kNextSentence, kSentenceOrder };
constexpr auto choice_names(PairKind) {
  return std::to_array<std::string_view>({"none", "next_sentence", "sentence_order"});
}

// What to do with a document that is not valid UTF-8.
enum class Utf8Policy { kError, kReplace, kSkip };
constexpr auto choice_names(Utf8Policy) {
  return std::to_array<std::string_view>({"error", "replace", "skip"});
}

struct DataConfig {
  std::vector<SourceConfig> sources;
  double validation_fraction = 0.05;
  int64_t sequence_length = 256;
  bool isolate_documents = false;
  MaskingConfig masking;
  PairKind pairs = PairKind::kNone;
  double short_fraction = 0.1;
  int64_t duplicates = 1;
  Utf8Policy utf8 = Utf8Policy::kError;
  LabelledConfig labelled;
  std::string cache = "cache";

  bool has_pairs() const { return pairs != PairKind::kNone; }
  bool has_weights() const {
    return std::any_of(sources.begin(), sources.end(),
                       [](const SourceConfig& source) { return source.weight > 0.0; });
  }

  void describe(Fields& f) {
    f.list("sources", sources, "Where the text is.");
    f.real("validation_fraction", validation_fraction, {.min = 0.0, .max = 0.5},
           "Share of the documents kept for validation, chosen by a hash of each document.")
        .fixed_on_resume();
    f.integer("sequence_length", sequence_length, {.min = 2, .max = 1 << 20},
              "Tokens of a training sequence.")
        .fixed_on_resume();
    f.boolean("isolate_documents", isolate_documents,
              "Whether tokens see their own document alone, with positions from 0, "
              "where a sequence holds several.")
        .fixed_on_resume();
    f.section("masking", masking, "bert: masked tokens.").fixed_on_resume();
    f.choice("pairs", pairs,
             "bert: what a sequence is. none: text without a gap; next_sentence: two segments, of "
             "which half the second ones come from another document (BERT); sentence_order: two "
             "that follow each other, half of them swapped (ALBERT). A segment is a run of lines "
             "of a document.")
        .fixed_on_resume();
    f.real("short_fraction", short_fraction, {.min = 0.0, .max = 1.0},
           "Pairs: share of sequences that are made shorter at random.")
        .fixed_on_resume();
    f.integer("duplicates", duplicates, {.min = 1, .max = 1000},
              "bert: how many times the text is made into sequences, with other pairs and, where "
              "masks are not dynamic, other masks, before it repeats.")
        .fixed_on_resume();
    f.choice("utf8", utf8,
             "What becomes of a document that is not UTF-8: an error that names the place, U+FFFD "
             "for each byte that is wrong, or none; the log says how many.")
        .fixed_on_resume();
    f.section("labelled", labelled, "Labelled texts, for every task but language_modeling.");
    f.text("cache", cache, "Folder of trained tokenizers and token files, keyed by content.");
  }
};

}  // namespace lmtrain
