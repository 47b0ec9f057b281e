#include "energy/report/html_page.h"

#include "base/markup.h"
#include "base/text.h"

namespace lmtrain {
namespace {

// Follows the reader's theme; on paper it is light. Columns of numbers scroll on a narrow screen.
constexpr const char* kStyle = R"(
:root{--back:#f6f8fa;--panel:#fff;--text:#1f2328;--soft:#59636e;--line:#d0d7de;--bar:#3b7dd8;--warn:#9a6700;--warnback:#fff8c5}
@media(prefers-color-scheme:dark){:root{--back:#0d1117;--panel:#161b22;--text:#e6edf3;--soft:#9198a1;--line:#30363d;--bar:#4b8fea;--warn:#e3b341;--warnback:#2b2410}}
@media print{:root{--back:#fff;--panel:#fff;--text:#000;--soft:#333;--line:#999}section,.tile{break-inside:avoid}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--text);font:15px/1.5 system-ui,'DejaVu Sans',sans-serif}
main{max-width:1100px;margin:0 auto;padding:16px}
h1{font-size:24px;margin:8px 0 0;overflow-wrap:anywhere}h2{font-size:18px;margin:0 0 8px}h3{font-size:15px;margin:12px 0 4px}
.soft{color:var(--soft)}
section{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:14px 16px;margin:14px 0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(160px,1fr));gap:10px;margin:14px 0}
.tile{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:10px 12px}
.tile b{display:block;font-size:20px}.tile span{color:var(--soft);font-size:13px}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,480px),1fr));gap:12px}
svg{max-width:100%;height:auto;display:block}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{text-align:left;padding:4px 10px 4px 0;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600;color:var(--soft)}td.number,th.number{text-align:right;white-space:nowrap}
.bar{display:inline-block;height:10px;background:var(--bar);border-radius:2px;min-width:1px}
.doubt{background:var(--warnback);border-left:4px solid var(--warn);padding:6px 10px;margin:6px 0}
pre{overflow-x:auto;font-size:13px;white-space:pre-wrap;overflow-wrap:anywhere}
)";

}  // namespace

std::string html_page(const std::string& title, const std::string& content, int refresh_seconds) {
  const std::string refresh = refresh_seconds == 0 ? ""
                                                   : cat("<meta http-equiv=\"refresh\" content=\"",
                                                         refresh_seconds, "\">\n");
  const std::string name = markup_text(title);
  return cat("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n",
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
             "<meta name=\"color-scheme\" content=\"light dark\">\n", refresh, "<title>", name,
             "</title>\n<style>", kStyle, "</style></head><body><main>\n<h1>", name, "</h1>\n",
             content, "</main></body></html>\n");
}

std::string html_tile(const std::string& value, const std::string& what) {
  return cat("<div class=\"tile\"><b>", markup_text(value), "</b><span>", markup_text(what),
             "</span></div>\n");
}

std::string html_row(const std::vector<std::string>& cells) {
  std::string text = "<tr>";
  for (const std::string& cell : cells) text += cat("<td>", markup_text(cell), "</td>");
  return text + "</tr>\n";
}

std::string html_head(const std::vector<std::string>& names) {
  std::string text = "<div class=\"scroll\"><table><thead><tr>";
  for (const std::string& name : names) {
    const bool is_number = name == "energy" || name == "share";
    text += cat(is_number ? "<th class=\"number\">" : "<th>", markup_text(name), "</th>");
  }
  return text + "</tr></thead><tbody>\n";
}
std::string html_section(const std::string& title, const std::string& content) {
  return content.empty()
             ? ""
             : cat("<section><h2>", markup_text(title), "</h2>\n", content, "</section>\n");
}

std::string html_charts(const std::vector<std::string>& svgs) {
  std::string text;
  for (const std::string& svg : svgs) {
    if (!svg.empty()) text += cat("<div>", svg, "</div>\n");
  }
  return text.empty() ? "" : cat("<div class=\"charts\">\n", text, "</div>\n");
}

}  // namespace lmtrain
