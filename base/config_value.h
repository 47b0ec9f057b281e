// Values of config fields as text: the strict decimal grammar, and what documents and messages say
// about a field's type, limits and value.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/config_fields.h"

namespace lmtrain {

// "-12": decimal digits, at most with a minus. No plus, leading zero, underscore or other base.
bool is_decimal_integer(std::string_view text);

// "-12", "0.5", "6.0e-4": a point has digits on both sides, e or E begins an exponent. inf and nan
// are refused.
bool is_decimal_real(std::string_view text);

// "integer", "number", "boolean", "text", "choice", "list of 2 numbers", "section", "list".
std::string type_text(const Field& field);

// "1 to 1000", "at least 0", "above 0 and below 1", "bf16, fp32, fp64"; "" without limits.
std::string limits_text(const Field& field);
std::string limits_text(const IntegerLimits& limits);
std::string limits_text(const RealLimits& limits);

// The value as one line of YAML. List elements stand in {}; a section gives "".
std::string value_text(const Field& field);

// `text` in quotes where a plain YAML scalar would be read as something else.
std::string yaml_text(std::string_view text);

// A key that holds a value, by its dotted name ("train.steps", "data.sources").
struct ConfigValue {
  std::string key;
  std::string text;  // value_text
  OnResume on_resume;
};

// All keys with values, in the order of the description. A list is one value.
std::vector<ConfigValue> config_values(const Fields& fields);

}  // namespace lmtrain
