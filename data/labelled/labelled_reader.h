// Reads labelled texts from files: tables, objects a line, and the files of known collections
// (GLUE, Wang et al., 2019; CLUE, Xu et al., 2020; CoNLL; SQuAD, Rajpurkar et al., 2016 and 2018).
#pragma once

#include <filesystem>
#include <functional>

#include "data/labelled/labelled_config.h"
#include "data/labelled/labelled_text.h"

namespace lmtrain {

using LabelledVisitor = std::function<void(LabelledText&& text)>;

// Calls `visit` with each text of a file, which may be compressed. The label of a text is there,
// and of a regression it is a number; words have as many tags; an answer stands where it is said
// to. Texts that a collection marks as having no agreed label are left out, and so are lines of
// GLUE's tables that lack columns, with a warning that counts them. Throws DataError naming file,
// line and what is missing.
void read_labelled(const std::filesystem::path& file, TrainingTask task,
                   const LabelledConfig& config, const LabelledVisitor& visit);

// Whether the layout's files have what the task learns.
bool suits(LabelledLayout layout, TrainingTask task);

}  // namespace lmtrain
