// Enums that are settings: each value has a name in configs and messages.
//
//   enum class Precision { kBf16, kFp32, kFp64 };
//   constexpr auto choice_names(Precision) {
//     return std::to_array<std::string_view>({"bf16", "fp32", "fp64"});
//   }
//
// The enumerators count from 0 in the order of their names. A config reads the name into the enum
// (Fields::choice), so that no other code compares strings.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace lmtrain {

template <class E>
concept Choice = std::is_enum_v<E> && requires(E value) {
  choice_names(value);
};

template <Choice E>
constexpr std::string_view name_of(E value) {
  return choice_names(value)[static_cast<size_t>(value)];
}

// Returns the value that has this name, or nothing when none has it.
template <Choice E>
constexpr std::optional<E> choice_of(std::string_view name) {
  const auto names = choice_names(E{});
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<E>(i);
  }
  return std::nullopt;
}

// All values, in order.
template <Choice E>
constexpr auto all_values() {
  std::array<E, choice_names(E{}).size()> values{};
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<E>(i);
  return values;
}

// All names, in order.
template <Choice E>
std::vector<std::string> all_names() {
  const auto names = choice_names(E{});
  return {names.begin(), names.end()};
}

template <Choice E>
std::ostream& operator<<(std::ostream& out, E value) {
  return out << name_of(value);
}

}  // namespace lmtrain
