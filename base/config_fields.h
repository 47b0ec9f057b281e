// A config struct describes itself: it lists every key once, with its type, limits, default and
// doc. Reading YAML, printing the resolved config, docs/config.md and the checks all use this one
// description.
//
//   struct ScheduleConfig {
//     ScheduleKind kind = ScheduleKind::kCosine;
//     int64_t warmup_steps = 20;
//     void describe(Fields& f) {
//       f.choice("kind", kind, "Shape of the learning rate after warm-up.");
//       f.integer("warmup_steps", warmup_steps, {.min = 0}, "Steps of linear warm-up.");
//     }
//   };
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/choice.h"

namespace lmtrain {

class Fields;

struct IntegerLimits {
  int64_t min = std::numeric_limits<int64_t>::min();
  int64_t max = std::numeric_limits<int64_t>::max();
};

struct RealLimits {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  bool min_excluded = false;  // the value must be greater than min
  bool max_excluded = false;  // the value must be less than max
};

struct IntegerField {
  int64_t* value;
  IntegerLimits limits;
};
// An integer, or the word that stands for none.
struct OptionalIntegerField {
  std::optional<int64_t>* value;
  IntegerLimits limits;
  std::string none;
};
struct RealField {
  double* value;
  RealLimits limits;
};
// A number, or the word that stands for none.
struct OptionalRealField {
  std::optional<double>* value;
  RealLimits limits;
  std::string none;
};
// Seconds as a text such as "3h50m" (base/duration.h), or the word that stands for none.
struct DurationField {
  std::optional<double>* value;
  std::string none;
};
struct BooleanField {
  bool* value;
};
struct TextField {
  std::string* value;
};
struct ChoiceField {
  std::vector<std::string> choices;
  std::function<std::string()> get;
  std::function<void(const std::string&)> set;  // one of the choices
};
struct RealsField {
  std::vector<double>* value;
  size_t count;  // how many elements the list must have; 0: any number
  RealLimits limits;
};
struct TextsField {
  std::vector<std::string>* value;
};
struct SectionField {
  std::shared_ptr<Fields> fields;
  // The key of the choice that a scalar sets when it is given in place of the section; "": a scalar
  // is refused.
  std::string short_form;
};
// A list of structs. append() adds a default element and returns its description, which is valid
// until the next append(); elements() describes all elements.
struct ListField {
  std::function<void()> clear;
  std::function<Fields()> append;
  std::function<std::vector<Fields>()> elements;
  std::function<Fields()> prototype;  // describes a default element, for docs and known keys
};

// Whether a key may differ between a checkpoint and the run that resumes from it.
enum class OnResume {
  kFree,    // the key may differ: the training stays the same
  kWarned,  // the key may differ and the log says so: the rest of the training changes
  kFixed,   // the key must be equal: the checkpoint would not fit or the experiment would change
};

using FieldKind = std::variant<IntegerField, OptionalIntegerField, RealField, OptionalRealField,
                               DurationField, BooleanField, TextField, ChoiceField, RealsField,
                               TextsField, SectionField, ListField>;

struct Field {
  std::string key;
  std::string doc;
  FieldKind kind;
  OnResume on_resume = OnResume::kFree;  // a section's keys are at least as strict as the section

  Field& fixed_on_resume() {
    on_resume = OnResume::kFixed;
    return *this;
  }
  // For a section: `key: value` stands for the section with only this choice set.
  Field& short_form(const std::string& choice) {
    std::get<SectionField>(kind).short_form = choice;
    return *this;
  }
  Field& warned_on_resume() {
    on_resume = OnResume::kWarned;
    return *this;
  }
};

// The ordered fields of one config struct. Holds pointers into the struct, which must outlive it.
// Each call adds a field and returns a reference to it, which is valid until the next call.
class Fields {
 public:
  Field& integer(const std::string& key, int64_t& value, IntegerLimits limits,
                 const std::string& doc) {
    return add(key, doc, IntegerField{&value, limits});
  }
  Field& optional_integer(const std::string& key, std::optional<int64_t>& value,
                          IntegerLimits limits, const std::string& none, const std::string& doc) {
    return add(key, doc, OptionalIntegerField{&value, limits, none});
  }
  Field& real(const std::string& key, double& value, RealLimits limits, const std::string& doc) {
    return add(key, doc, RealField{&value, limits});
  }
  Field& optional_real(const std::string& key, std::optional<double>& value, RealLimits limits,
                       const std::string& none, const std::string& doc) {
    return add(key, doc, OptionalRealField{&value, limits, none});
  }
  Field& duration(const std::string& key, std::optional<double>& seconds, const std::string& none,
                  const std::string& doc) {
    return add(key, doc, DurationField{&seconds, none});
  }
  Field& boolean(const std::string& key, bool& value, const std::string& doc) {
    return add(key, doc, BooleanField{&value});
  }
  Field& text(const std::string& key, std::string& value, const std::string& doc) {
    return add(key, doc, TextField{&value});
  }
  template <Choice E>
  Field& choice(const std::string& key, E& value, const std::string& doc) {
    return add(key, doc,
               ChoiceField{all_names<E>(), [&value] { return std::string(name_of(value)); },
                           [&value](const std::string& name) { value = *choice_of<E>(name); }});
  }
  // For choices whose names come from a list in the code, such as the kinds of models.
  Field& choice(const std::string& key, std::string& value, std::vector<std::string> choices,
                const std::string& doc) {
    return add(key, doc,
               ChoiceField{std::move(choices), [&value] { return value; },
                           [&value](const std::string& name) { value = name; }});
  }
  Field& reals(const std::string& key, std::vector<double>& value, size_t count, RealLimits limits,
               const std::string& doc) {
    return add(key, doc, RealsField{&value, count, limits});
  }
  Field& texts(const std::string& key, std::vector<std::string>& value, const std::string& doc) {
    return add(key, doc, TextsField{&value});
  }
  template <class Config>
  Field& section(const std::string& key, Config& config, const std::string& doc) {
    auto fields = std::make_shared<Fields>();
    config.describe(*fields);
    return add(key, doc, SectionField{std::move(fields), ""});
  }
  template <class Config>
  Field& list(const std::string& key, std::vector<Config>& values, const std::string& doc) {
    ListField list;
    list.clear = [&values] { values.clear(); };
    list.append = [&values] {
      Fields fields;
      values.emplace_back().describe(fields);
      return fields;
    };
    list.elements = [&values] {
      std::vector<Fields> elements(values.size());
      for (size_t i = 0; i < values.size(); ++i) values[i].describe(elements[i]);
      return elements;
    };
    list.prototype = [keep = std::make_shared<Config>()] {
      Fields fields;
      keep->describe(fields);
      return fields;
    };
    return add(key, doc, std::move(list));
  }

  const std::vector<Field>& all() const { return fields_; }

 private:
  Field& add(const std::string& key, const std::string& doc, FieldKind kind) {
    return fields_.emplace_back(Field{key, doc, std::move(kind), OnResume::kFree});
  }

  std::vector<Field> fields_;
};

}  // namespace lmtrain
