// One vector for each text, whose direction stands for its meaning.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "models/huggingface/sentence_pooling.h"
#include "trainer/inference/loaded_model.h"
#include "trainer/inference/text_batches.h"

namespace lmtrain {

// How the model's own files make a vector of a text, where they came from sentence-transformers;
// else the mean of an encoder's tokens, and a decoder's last token.
SentencePooling pooling_of(const LoadedModel& loaded);

// Returns the vectors of the texts that are read at once, [places, width], fp32 or fp64. Several
// poolings are joined. A decoder's rows are those behind its last norm.
at::Tensor embed_texts(const LoadedModel& loaded, const std::vector<EncodedText>& texts,
                       std::span<const size_t> places, const SentencePooling& pooling);

// Scales each row of [rows, columns] to length 1; a row of zeros stays so.
at::Tensor normalised(const at::Tensor& rows);

// Writes a matrix [rows, columns] of fp32 as numpy's .npy, version 1.0. Throws IoError.
void write_npy(const std::filesystem::path& path, const at::Tensor& matrix);

}  // namespace lmtrain
