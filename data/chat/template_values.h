// The values of a chat template. They are Python's, because Jinja is Python: integers and floats,
// text as UTF-8, lists, tuples, dicts in the order of their keys' first mention, and Jinja's
// undefined.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "data/chat/template_budget.h"

namespace lmtrain {

struct TemplateSequence;
struct TemplateDict;
struct TemplateIterator;
struct TemplateCallable;
struct TemplateLoop;
struct TemplateNamespace;

// A value. Everything within it is shared and never changes, except iterators, which are used up,
// loops, which advance, and namespaces, which the renderer owns.
struct TemplateValue {
  // What a name or an attribute that does not exist is. `reason` is the message when it is used.
  struct Undefined {
    std::shared_ptr<const std::string> reason;
  };
  struct None {};
  using Text = std::shared_ptr<const std::string>;
  using Sequence = std::shared_ptr<const TemplateSequence>;
  using Dict = std::shared_ptr<const TemplateDict>;
  using Iterator = std::shared_ptr<TemplateIterator>;
  using Callable = std::shared_ptr<const TemplateCallable>;
  using Loop = std::shared_ptr<TemplateLoop>;
  using Namespace = TemplateNamespace*;

  template <class Held>
  const Held* as() const {
    return std::get_if<Held>(&held);
  }
  template <class Held>
  bool is() const {
    return std::holds_alternative<Held>(held);
  }
  // The text, or null where the value is none.
  const std::string* text() const;

  std::variant<None, Undefined, bool, int64_t, double, Text, Sequence, Dict, Iterator, Callable,
               Loop, Namespace>
      held;
  // Whether a text went through the filter `safe`. Jinja escapes what is added to such a text, so
  // that only what leaves the text alone is covered.
  bool is_safe = false;
};

using TemplateItems = std::vector<TemplateValue>;

enum class SequenceKind { kList, kTuple, kRange, kKeys, kValues, kItems };

struct TemplateSequence {
  SequenceKind kind;
  TemplateItems items;
  int depth;  // 1 more than that of its deepest item
};

struct TemplateDict {
  // Nothing where the dict has no such key. Throws TemplateFault for a key that Python cannot hash.
  const TemplateValue* find(const TemplateValue& key, TemplateBudget& budget) const;
  void set(const TemplateValue& key, TemplateValue value, TemplateBudget& budget);

  std::vector<std::pair<TemplateValue, TemplateValue>> entries;
  std::map<std::string, size_t> places;  // of the entries, by the key in a form that sorts
  int depth = 1;
};

// Gives each item once, as Python's generators do.
struct TemplateIterator {
  std::function<std::optional<TemplateValue>()> next;
  int depth;
};

struct TemplateMacro;

// A macro of the template, a function of Jinja, or a method with the value that it belongs to.
struct TemplateCallable {
  std::string name;
  std::optional<TemplateValue> owner;
  const TemplateMacro* macro = nullptr;
};

struct TemplateNamespace {
  std::map<std::string, TemplateValue, std::less<>> attributes;
};

// The variable `loop`. It looks ahead only when it is asked what comes next, because a filter of
// the loop may depend on what the body did.
struct TemplateLoop {
  explicit TemplateLoop(TemplateValue::Iterator items) : source(std::move(items)) {}
  bool advance();
  bool is_last();
  int64_t length();
  // Nothing where the loop has no such attribute.
  std::optional<TemplateValue> attribute(const std::string& name);

  TemplateValue::Iterator source;
  std::optional<TemplateValue> ahead, current, previous;
  std::optional<int64_t> known_length;
  int64_t index0 = -1;

 private:
  void look_ahead();
};

TemplateValue text_value(std::string text);
TemplateValue undefined_value(std::string reason);
TemplateValue sequence_value(SequenceKind kind, TemplateItems items);
TemplateValue list_value(TemplateItems items);
TemplateValue dict_value(TemplateDict dict);
TemplateValue iterator_value(std::function<std::optional<TemplateValue>()> next, int depth);
TemplateValue method_value(const TemplateValue& owner, const std::string& name);

// Levels of lists, dicts and iterators in the value; 0 for a number or a text.
int depth_of(const TemplateValue& value);

// Python's name of the type, for messages: "str", "list".
std::string type_name(const TemplateValue& value);
bool is_true(const TemplateValue& value);

// Integers and booleans as an integer, nothing otherwise.
std::optional<int64_t> as_integer(const TemplateValue& value);
// Every number as a float, nothing otherwise.
std::optional<double> as_number(const TemplateValue& value);

// Throws TemplateFault where the value cannot be iterated over, or is undefined and is used.
TemplateValue::Iterator iterate(const TemplateValue& value, TemplateBudget& budget);
TemplateItems items_of(const TemplateValue& value, TemplateBudget& budget);
// The number of characters or items, nothing where Python's len() does not know it.
std::optional<size_t> length_of(const TemplateValue& value, TemplateBudget& budget);
[[noreturn]] void fail_of_undefined(const TemplateValue& value);
// Throws where the value is a text that went through the filter `safe`.
void require_not_safe(const TemplateValue& value);
// Throws where the value is undefined.
void require_defined(const TemplateValue& value);

}  // namespace lmtrain
