// What run.resume asks for.
#pragma once

#include <string>
#include <string_view>

namespace lmtrain {

enum class ResumeFrom {
  kNewestCheckpoint,  // auto: of the run's own folder, if there is one
  kNothing,           // never: the run's folder must not exist
  kPath,              // PATH: that checkpoint, where the run has none of its own
};

struct ResumeSetting {
  ResumeFrom from = ResumeFrom::kNewestCheckpoint;
  std::string path;  // of kPath
};

inline ResumeSetting parse_resume(std::string_view text) {
  if (text == "auto") return {ResumeFrom::kNewestCheckpoint, ""};
  if (text == "never") return {ResumeFrom::kNothing, ""};
  return {ResumeFrom::kPath, std::string(text)};
}

}  // namespace lmtrain
