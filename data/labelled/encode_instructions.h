// Instructions with their answers as samples of a decoder.
#pragma once

#include "data/labelled/encode_examples.h"

namespace lmtrain {

// The tokens of a chat, or of a prompt with its completion, cut at the end where there are more
// than rule.max_tokens. Example::labels has for each token whether it is learned. Special tokens in
// the text are matched. Of a chat the answers are learned (Chat::with_answers); of a prompt with
// its completion what follows the tokens that both share with the prompt alone, as TRL counts. No
// example where nothing that is learned is left. Throws DataError.
EncodedExamples encode_instruction(const LabelledText& text, const Tokenizer& tokenizer,
                                   Tokenizer::Encoder& encoder, const EncodingRule& rule);

}  // namespace lmtrain
