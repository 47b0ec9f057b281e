// Chats with a model that has a chat template in the files it came with.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "trainer/chat/chat_template.h"
#include "trainer/inference/loaded_model.h"

namespace lmtrain {

// The template of chat_template.jinja, else of tokenizer_config.json; nothing where neither has
// one. Throws DataError for a template that lmtrain does not cover.
std::optional<ChatTemplate> chat_template_of(const LoadedModel& loaded);

// The tokens of a chat up to where the model answers.
std::vector<int32_t> chat_tokens(const LoadedModel& loaded, const ChatTemplate& chat,
                                 const std::vector<ChatMessage>& messages);

}  // namespace lmtrain
