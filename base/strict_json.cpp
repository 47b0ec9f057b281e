#include "base/strict_json.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "base/utf8.h"

namespace lmtrain {

namespace {

using Json = nlohmann::json;

// Builds the document from the parser's events, which is where duplicates and depth can be seen.
class StrictBuilder : public nlohmann::json_sax<Json> {
 public:
  StrictBuilder(const std::string& origin, size_t max_depth)
      : origin_(origin), max_depth_(max_depth) {}

  Json take() { return std::move(root_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return open(Json::object()); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& value) override {
    if (open_.back()->contains(value)) {
      throw DataError(
          cat(origin_, ": the key ", show_text(value), " is there twice in one object"));
    }
    key_ = std::move(value);
    return true;
  }

  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
    std::string reason = error.what();
    reason.erase(0, reason.find("] ") + 2);
    throw DataError(cat(origin_, ": not JSON (byte ", position, "): ", one_line(reason)));
  }

 private:
  static std::string one_line(const std::string& reason) {
    std::string line;
    for (const char c : reason.substr(0, 200)) line += (c >= 0 && c < ' ') ? ' ' : c;
    return line;
  }

  Json* place(Json value) {
    if (open_.empty()) return &(root_ = std::move(value));
    Json& parent = *open_.back();
    if (parent.is_object()) return &(parent[std::move(key_)] = std::move(value));
    parent.push_back(std::move(value));
    return &parent.back();
  }
  bool add(Json value) {
    place(std::move(value));
    return true;
  }
  bool open(Json value) {
    if (open_.size() == max_depth_) {
      throw DataError(cat(origin_, ": nested deeper than ", max_depth_, " levels"));
    }
    open_.push_back(place(std::move(value)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  const std::string& origin_;
  size_t max_depth_;
  Json root_;
  std::vector<Json*> open_;  // the objects and lists around the current place; stable, because only
                             // the innermost one grows
  std::string key_;
};

}  // namespace

Json parse_strict_json(std::string_view text, const std::string& origin, int max_depth) {
  StrictBuilder builder(origin, static_cast<size_t>(max_depth));
  Json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

Json parse_python_json(std::string_view text, const std::string& origin, int max_depth) {
  std::string json;
  bool in_text = false;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"') in_text = !in_text;
    if (in_text && c == '\\' && at + 1 < text.size()) json += text[at++];
    size_t length = 0;
    for (const std::string_view word : {"NaN", "Infinity", "-Infinity"}) {
      if (!in_text && text.substr(at).starts_with(word)) length = word.size();
    }
    if (length == 0) {
      json += text[at];
      continue;
    }
    json.append("\"").append(text.substr(at, length)).append("\"");
    at += length - 1;
  }
  return parse_strict_json(json, origin, max_depth);
}

JsonObject::JsonObject(const Json& value, std::string place)
    : value_(value), place_(std::move(place)) {
  if (!value.is_object()) {
    throw DataError(cat(place_, ": must be an object, is ", show_value(value)));
  }
}

const Json* JsonObject::find(const std::string& key) {
  asked_.insert(key);
  const auto found = value_.find(key);
  return found == value_.end() ? nullptr : &*found;
}

const Json& JsonObject::required(const std::string& key) {
  const Json* value = find(key);
  if (value == nullptr) throw DataError(cat(place_, ": the key '", key, "' is missing"));
  return *value;
}

std::string JsonObject::text(const std::string& key) {
  return json_text(required(key), cat(place_, ".", key));
}

bool JsonObject::boolean(const std::string& key, bool when_absent) {
  const Json* value = find(key);
  if (value == nullptr) return when_absent;
  if (!value->is_boolean()) fail(key, cat("must be true or false, is ", show_value(*value)));
  return value->get<bool>();
}

void JsonObject::only(const std::string& key, bool value) {
  if (boolean(key, value) != value) {
    fail(key, cat("only ", value ? "true" : "false", " is supported"));
  }
}

void JsonObject::nothing(const std::string& key) {
  const Json* value = find(key);
  if (value == nullptr || value->is_null()) return;
  if (value->is_string() && value->get_ref<const std::string&>().empty()) return;
  fail(key, cat("not supported, must be null, is ", show_value(*value)));
}

void JsonObject::finish() const {
  for (const auto& [key, value] : value_.items()) {
    if (!asked_.contains(key)) {
      throw DataError(cat(place_, ": unknown field ", show_text(key), " = ", show_value(value)));
    }
  }
}

void JsonObject::fail(const std::string& key, const std::string& problem) const {
  throw DataError(cat(place_, ".", key, ": ", problem));
}

int64_t json_integer(const Json& value, int64_t min, int64_t max, const std::string& what) {
  // Integers are kept as signed or unsigned by their sign; what fits neither became a float.
  const bool fits =
      value.is_number_unsigned()
          ? std::cmp_less_equal(value.get<uint64_t>(), max) &&
                std::cmp_greater_equal(value.get<uint64_t>(), min)
          : value.is_number_integer() && value.get<int64_t>() >= min && value.get<int64_t>() <= max;
  if (!fits) {
    throw DataError(
        cat(what, ": must be an integer from ", min, " to ", max, ", is ", show_value(value)));
  }
  return value.get<int64_t>();
}

std::string json_text(const Json& value, const std::string& what) {
  if (!value.is_string()) throw DataError(cat(what, ": must be text, is ", show_value(value)));
  return value.get<std::string>();
}

std::string show_text(std::string_view text) {
  constexpr size_t kMaxBytes = 40;
  constexpr char kDigits[] = "0123456789abcdef";
  size_t size = std::min(text.size(), kMaxBytes);
  while (size > 0 && size < text.size() && !starts_character(text[size])) --size;
  std::string line = "'";
  for (const char c : text.substr(0, size)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= ' ' && byte != 0x7f) {
      line += c;
    } else {
      line += cat("<0x", kDigits[byte >> 4], kDigits[byte & 15], ">");
    }
  }
  return line + (text.size() > size ? "...'" : "'");
}

std::string show_value(const Json& value) {
  if (value.is_array()) return "a list";
  if (value.is_object()) return "an object";
  if (value.is_string()) return show_text(value.get_ref<const std::string&>());
  return value.dump();
}

}  // namespace lmtrain
