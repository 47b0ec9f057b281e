// Config values as text: the strict grammar of numbers, and how documents and messages write a
// field's type, limits and value.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/config_fields.h"

namespace lmtrain {

// Whether `text` is decimal digits with an optional minus ("-12"). A plus, a leading zero, an
// underscore and other bases are refused.
bool is_decimal_integer(std::string_view text);

// Whether `text` is a number such as "-12", "0.5" or "6.0e-4". A point needs digits on both sides;
// e or E begins an exponent. inf and nan are refused.
bool is_decimal_real(std::string_view text);

// Returns "integer", "number", "boolean", "text", "choice", "list of 2 numbers", ...
std::string type_text(const Field& field);

// Returns "1 to 1000", "at least 0", "above 0 and below 1", "bf16, fp32, fp64", or "" when the
// field has no limits.
std::string limits_text(const Field& field);
std::string limits_text(const IntegerLimits& limits);
std::string limits_text(const RealLimits& limits);

// Returns the value as one line of YAML. List elements are written in {}; a section gives "".
std::string value_text(const Field& field);

// Returns `text`, quoted where a plain YAML scalar would be read as something else.
std::string yaml_text(std::string_view text);

// A key that holds a value. `key` is its dotted name ("train.steps", "data.sources").
struct ConfigValue {
  std::string key;
  std::string text;  // value_text
  OnResume on_resume;
};

// Returns all keys that hold values, in the order of the description. A list counts as one value.
std::vector<ConfigValue> config_values(const Fields& fields);

// Whether `key` is among `names`, of which one like "muon." stands for all keys of a section.
bool is_named(std::string_view key, std::span<const std::string_view> names);

// A key that has another value in one config than in another.
struct ConfigChange {
  std::string key;
  std::string before;
  std::string now;
  OnResume on_resume;
};

// Returns the keys whose values differ, in the order of the description, which both have.
std::vector<ConfigChange> config_changes(const std::vector<ConfigValue>& before,
                                         const std::vector<ConfigValue>& now);

}  // namespace lmtrain
