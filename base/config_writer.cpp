#include "base/config_writer.h"

#include <sstream>
#include <vector>

#include "base/config_value.h"
#include "base/text.h"

namespace lmtrain {
namespace {

constexpr size_t kColumns = 100;

// "# ..." lines of at most kColumns, each ending in a newline.
std::string comment(const std::string& text, const std::string& indent) {
  std::string lines;
  std::string line = indent + "#";
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (line.size() + 1 + word.size() > kColumns) {
      lines += line + "\n";
      line = indent + "#";
    }
    line += " " + word;
  }
  return lines + line + "\n";
}

// "(integer, 1 to 1000; default 6)", "(choice of bf16, fp32; default bf16)"
std::string facts(const Field& field, const Field& default_field) {
  const std::string limits = limits_text(field);
  const bool is_choice = std::holds_alternative<ChoiceField>(field.kind);
  return cat("(", type_text(field),
             is_choice        ? " of "
             : limits.empty() ? ""
                              : ", ",
             limits, "; default ", value_text(default_field), ")");
}

std::string list_yaml(const ListField& list, const std::string& indent) {
  std::string text;
  for (const Fields& element : list.elements()) {
    std::string start = indent + "- ";
    for (const Field& field : element.all()) {
      text += cat(start, field.key, ": ", value_text(field), "\n");
      start = indent + "  ";
    }
  }
  return text.empty() ? " []\n" : "\n" + text;
}

std::string list_comment(const ListField& list) {
  const Fields element = list.prototype();
  std::string text;
  for (const Field& field : element.all()) text += cat(" ", field.key, ": ", field.doc);
  return text;
}

std::string section_yaml(const Fields& fields, const Fields& defaults, ConfigText kind,
                         const std::string& indent) {
  const bool has_comments = kind == ConfigText::kDocumented;
  std::string text;
  for (size_t i = 0; i < fields.all().size(); ++i) {
    const Field& field = fields.all()[i];
    const Field& default_field = defaults.all()[i];
    if (const auto* section = std::get_if<SectionField>(&field.kind)) {
      const auto& section_defaults = std::get<SectionField>(default_field.kind);
      const std::string inner =
          section_yaml(*section->fields, *section_defaults.fields, kind, indent + "  ");
      if (inner.empty()) continue;
      if (has_comments) text += (i == 0 ? "" : "\n") + comment(field.doc, indent);
      text += cat(indent, field.key, ":\n", inner);
      continue;
    }
    if (kind == ConfigText::kChanged && value_text(field) == value_text(default_field)) continue;
    if (const auto* list = std::get_if<ListField>(&field.kind)) {
      if (has_comments) text += comment(field.doc + list_comment(*list), indent);
      text += indent + field.key + ":" + list_yaml(*list, indent + "  ");
    } else {
      if (has_comments) text += comment(field.doc + " " + facts(field, default_field), indent);
      text += cat(indent, field.key, ": ", value_text(field), "\n");
    }
  }
  return text;
}

// A bar would end the cell.
std::string cell(const std::string& text) {
  std::string escaped;
  for (const char c : text) escaped += c == '|' ? std::string("\\|") : std::string(1, c);
  return escaped;
}

std::string row(const std::string& key, const Field& field) {
  const std::string value = value_text(field);
  return cat("| `", key, "` | ", type_text(field), " | ", cell(limits_text(field)), " | ",
             value.empty() ? "" : "`" + cell(value) + "`", " | ", cell(field.doc), " |\n");
}

std::string rows(const Fields& fields, const std::string& prefix) {
  std::string text;
  for (const Field& field : fields.all()) {
    text += row(prefix + field.key, field);
    if (const auto* list = std::get_if<ListField>(&field.kind)) {
      const Fields element = list->prototype();
      text += rows(element, prefix + field.key + ".N.");
    }
    if (const auto* section = std::get_if<SectionField>(&field.kind))
      text += rows(*section->fields, prefix + field.key + ".");
  }
  return text;
}

}  // namespace

std::string config_yaml(const Fields& fields, const Fields& defaults, ConfigText text) {
  return section_yaml(fields, defaults, text, "");
}

std::string config_tables(const Fields& defaults) {
  std::string text;
  for (const Field& field : defaults.all()) {
    const auto* section = std::get_if<SectionField>(&field.kind);
    if (section == nullptr) continue;
    text += cat("\n## ", field.key, "\n\n", field.doc, "\n\n");
    text += "| Key | Type | Limits | Default | Meaning |\n|---|---|---|---|---|\n";
    text += rows(*section->fields, field.key + ".");
  }
  return text;
}

}  // namespace lmtrain
