// Values of config fields as text: the strict decimal grammar, and what documents and messages say
// about a field's type, limits and value.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/config_fields.h"

namespace lmtrain {

// "-12": digits with at most a minus; no plus, leading zero, underscore, hexadecimal or octal.
bool is_decimal_integer(std::string_view text);

// "-12", "0.5", "6.0e-4": digits on both sides of a point, an exponent after e or E. Not inf or
// nan.
bool is_decimal_real(std::string_view text);

// "integer", "number", "boolean", "text", "choice", "list of 2 numbers", "section", "list".
std::string type_text(const Field& field);

// "1 to 1000", "at least 0", "above 0 and below 1", "bf16, fp32, fp64"; "" where all is allowed.
std::string limits_text(const Field& field);
std::string limits_text(const IntegerLimits& limits);
std::string limits_text(const RealLimits& limits);

// The value as YAML reads it back, on one line; of lists their elements in {}; of sections "".
std::string value_text(const Field& field);

// `text` in quotes where a plain YAML scalar would be read as something else.
std::string yaml_text(std::string_view text);

// One key that holds a value, under its dotted name ("train.steps", "data.sources").
struct ConfigValue {
  std::string key;
  std::string text;  // value_text
  OnResume on_resume;
};

// All of them, in the order of the description; a list is one value.
std::vector<ConfigValue> config_values(const Fields& fields);

}  // namespace lmtrain
