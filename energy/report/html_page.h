// What the pages for a browser are made of: one file, no network, no script. They follow the
// reader's light or dark theme, fit a phone and print.
#pragma once

#include <string>
#include <vector>

namespace lmtrain {

// `content` is HTML; all other texts are escaped here. With `refresh_seconds` above 0 the page
// loads itself again.
std::string html_page(const std::string& title, const std::string& content,
                      int refresh_seconds = 0);
// "" where there is no content.
std::string html_section(const std::string& title, const std::string& content);
// A number with what it is; they stand in a <div class="tiles">.
std::string html_tile(const std::string& value, const std::string& what);
// The begin of a table, up to its first row; columns called `energy` and `share` hold numbers.
std::string html_head(const std::vector<std::string>& names);
std::string html_row(const std::vector<std::string>& cells);
inline constexpr const char* kHtmlTableEnd = "</tbody></table></div>\n";
// Charts beside each other where there is room; empty ones are left out.
std::string html_charts(const std::vector<std::string>& svgs);

}  // namespace lmtrain
