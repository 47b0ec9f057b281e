// Checks which keys of a config changed between a checkpoint and the run that resumes from it. Each
// key's description holds its rule (Field::on_resume).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "trainer/config/load_config.h"

namespace lmtrain {

// Sources and paths are compared as text here; the content of the files is compared elsewhere.
// Throws ConfigError listing the keys that differ and must not: the kFixed ones that resume.allow
// does not name, and with resume.mode = strict those too, and the kWarned ones. Where the weights
// alone are taken, the keys of the optimizer may differ. Logs the others.
void check_resume_compatibility(const Config& before, const Config& now,
                                bool weights_alone = false);

// The same for a run that begins with the checkpoint of the phase before (run.continue_from), whose
// text, training loop and seed may be others. Logs what changed, and the learning rates on both
// sides; `done` steps of `before` are behind the checkpoint.
void check_new_phase(const Config& before, const Config& now, int64_t done);

// Throws ConfigError for an entry of resume.allow that names nothing which could be allowed.
void check_allowed_changes(const LoadedConfig& loaded);

// Whether resume.allow names this: the content of "tokenizer" or "data", a key, or a section of it.
bool is_allowed(const Config& now, const std::string& what);

// What a changed schedule does to the learning rate of the step after `done` steps: nothing where
// it stays as it was to be. `is_warning` where the rate rises again after its decay had begun; then
// the text says which settings go on from the present rate.
struct RateNote {
  std::string text;
  bool is_warning = false;
};
std::optional<RateNote> rate_note(const Config& before, const Config& now, int64_t done);

}  // namespace lmtrain
