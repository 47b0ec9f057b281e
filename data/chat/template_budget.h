// What a chat template may use before it is stopped, and the fault that stops it.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>

namespace lmtrain {

// What is wrong with a template. A fault of parsing knows its line; at run time the renderer, which
// knows the line, adds it (`line` is 0).
struct TemplateFault : std::runtime_error {
  explicit TemplateFault(const std::string& message, int at_line = 0)
      : std::runtime_error(message), line(at_line) {}
  int line;
};

// The work that one rendering may do. Steps, bytes of text and elements of lists are all paid from
// one account, before memory for them is taken. It bounds time and memory at once.
class TemplateBudget {
 public:
  static constexpr size_t kStep = 32;  // a node of the template, or an iteration

  void spend(size_t amount) {
    if (amount > left_) throw TemplateFault("the template does more work than is allowed");
    left_ -= amount;
  }
  void step() { spend(kStep); }

 private:
  size_t left_ = size_t{1} << 26;
};

inline constexpr size_t kMaxTemplateOutput = size_t{16} << 20;  // bytes
// Levels of a value (a list in a list), of parentheses and tags, of operators in one expression,
// and of everything at run time, with calls of macros. Each level takes some of the process's
// stack.
inline constexpr int kMaxValueDepth = 100;
inline constexpr int kMaxTemplateNesting = 100;
inline constexpr int kMaxExpressionDepth = 200;
inline constexpr int kMaxRunDepth = 400;

}  // namespace lmtrain
