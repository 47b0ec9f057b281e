// Chats with a model that has a chat template in the files it came with.
#pragma once

#include <cstdint>
#include <vector>

#include "data/chat/chat.h"
#include "models/huggingface/companions.h"
#include "trainer/inference/loaded_model.h"

namespace lmtrain {

// The template of chat_template.jinja, else of tokenizer_config.json, where one of them has one;
// and the special tokens of special_tokens_map.json and tokenizer_config.json, or where these name
// none the tokenizer's beginning and end. Throws DataError for a template that lmtrain does not
// cover.
Chat chat_of(const Companions& companions, const Tokenizer& tokenizer);

// The tokens of a chat up to where the model answers.
std::vector<int32_t> chat_tokens(const LoadedModel& loaded, const Chat& chat,
                                 const std::vector<ChatMessage>& messages);

}  // namespace lmtrain
