#include "data/source_files.h"

#include <algorithm>
#include <functional>
#include <set>
#include <system_error>

#include <glob.h>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "data/token_documents.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

struct KnownFormat {
  FormatChoice choice;
  SourceFormat format;
  std::vector<std::string> extensions;  // of the files that kAuto reads in this format
};
const std::vector<KnownFormat> kFormats = {
    {FormatChoice::kText, SourceFormat::kText, {}},
    {FormatChoice::kJsonLines, SourceFormat::kJsonLines, {".jsonl", ".ndjson"}},
    {FormatChoice::kCommas, SourceFormat::kCommas, {".csv"}},
    {FormatChoice::kTabs, SourceFormat::kTabs, {".tsv"}},
    {FormatChoice::kLlmc, SourceFormat::kLlmc, {}},
    {FormatChoice::kMegatron, SourceFormat::kMegatron, {}}};

// Returns X.bin when `path` is one of a pair X.bin and X.idx; empty for other files.
fs::path ids_of_pair(const fs::path& path) {
  if (path.extension() != ".bin" && path.extension() != ".idx") return {};
  const fs::path ids = fs::path(path).replace_extension(".bin");
  const bool is_pair = fs::exists(ids) && fs::exists(fs::path(path).replace_extension(".idx"));
  return is_pair ? ids : fs::path();
}

SourceFormat format_of(const fs::path& path, FormatChoice asked) {
  const bool is_auto = asked == FormatChoice::kAuto;
  if (is_auto && !ids_of_pair(path).empty()) return SourceFormat::kMegatron;
  if (is_auto && path.extension() == ".bin") {
    if (is_llmc_file(path)) return SourceFormat::kLlmc;
    throw DataError(
        cat(path.string(),
            " is no token file of llm.c, nor one of Megatron-LM with an .idx beside it; "
            "of ids without a header (nanoGPT's train.bin) name the text that they were "
            "made from"));
  }
  fs::path name = path.filename();
  if (name.extension() == ".gz" || name.extension() == ".zst") name.replace_extension();
  const std::string extension = name.extension().string();
  if (is_auto && extension == ".json") {
    throw DataError(
        cat(path.string(),
            " is JSON, whose documents lmtrain reads as one object a line: convert it "
            "(jq -c '.[]' FILE > FILE.jsonl), or set the source's format, to jsonl where "
            "it has that form already or to text"));
  }
  for (const KnownFormat& known : kFormats) {
    const bool fits = std::count(known.extensions.begin(), known.extensions.end(), extension) > 0;
    if (asked == known.choice || (is_auto && fits)) return known.format;
  }
  return SourceFormat::kText;
}

SourceFile source_file(const fs::path& path, std::string name, const SourceConfig& source) {
  SourceFile file;
  file.path = path;
  file.name = std::move(name);
  file.format = format_of(path, source.format);
  if (file.format == SourceFormat::kMegatron) {
    file.path = ids_of_pair(path);
    if (file.path.empty())
      throw DataError(cat(path.string(), " has no file of the same name with .idx or .bin"));
  }
  file.size_bytes = static_cast<int64_t>(fs::file_size(file.path));
  if (file.format == SourceFormat::kText) file.separator = source.separator;
  if (file.format != SourceFormat::kText && !file.holds_tokens()) file.field = source.field;
  return file;
}

// An index file X.idx is not a source file of its own: X.bin stands for the pair.
bool is_index(const fs::path& path, const SourceConfig& source) {
  const bool may_be_pair =
      source.format == FormatChoice::kAuto || source.format == FormatChoice::kMegatron;
  return may_be_pair && path.extension() == ".idx" && !ids_of_pair(path).empty();
}

bool hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

// Returns the paths that a pattern matches, in byte order.
std::vector<std::string> matches_of(const std::string& pattern) {
  glob_t found = {};
  std::vector<std::string> paths;
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0)
    paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  globfree(&found);
  std::sort(paths.begin(), paths.end());
  return paths;
}

bool is_pattern(const std::string& path) { return path.find_first_of("*?[") != std::string::npos; }

// What is listed of the folders, and what is not.
struct Listing {
  std::set<fs::path> left_out;  // canonical
  std::set<fs::path> seen;      // canonical folders
};

[[noreturn]] void refuse_unreadable(const fs::path& path, const std::error_code& error) {
  throw DataError(cat("cannot read ", path.string(), ": ", error.message()));
}

// Calls visit(path) for each file under `folder` that is not hidden.
void for_each_file(const fs::path& folder, Listing& listing,
                   const std::function<void(const fs::path&)>& visit) {
  std::error_code error;
  const fs::path canonical = fs::canonical(folder, error);
  if (error) refuse_unreadable(folder, error);
  if (listing.left_out.contains(canonical)) {
    log_warn(cat("leaving out ", folder.string(), ": lmtrain writes there (data.cache, run.dir)"));
    return;
  }
  if (!listing.seen.insert(canonical).second) {
    log_warn(cat("skipping ", folder.string(), ": it leads to a folder that is listed already"));
    return;
  }
  const fs::directory_iterator entries(folder, error);
  if (error) refuse_unreadable(folder, error);
  for (const fs::directory_entry& entry : entries) {
    if (hidden(entry.path())) continue;
    if (entry.is_directory(error)) {
      for_each_file(entry.path(), listing, visit);
    } else if (entry.is_regular_file(error)) {
      visit(entry.path());
    } else if (entry.is_symlink()) {
      log_warn(cat("skipping ", entry.path().string(), ": a link that leads nowhere"));
    }
  }
}

std::vector<SourceFile> files_of_folder(const SourceConfig& source, Listing& listing) {
  std::vector<SourceFile> files;
  for_each_file(source.path, listing, [&](const fs::path& path) {
    if (is_index(path, source)) return;
    files.push_back(
        source_file(path, path.lexically_relative(source.path).generic_string(), source));
  });
  std::sort(files.begin(), files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.name < b.name; });
  return files;
}

std::vector<SourceFile> files_of_source(const SourceConfig& source, const std::string& key,
                                        Listing& listing);

// A source within the cache, or among the runs, would change with each run.
void require_not_left_out(const fs::path& path, const std::string& key, const Listing& listing) {
  std::error_code ignored;
  const fs::path canonical = fs::canonical(path, ignored);
  for (fs::path at = canonical; at.has_relative_path(); at = at.parent_path()) {
    if (!listing.left_out.contains(at)) continue;
    throw DataError(cat(key, ": ", path.string(), " lies in ", at.string(),
                        ", where lmtrain writes (data.cache, run.dir); keep text elsewhere"));
  }
}

std::vector<SourceFile> files_of_pattern(const SourceConfig& source, const std::string& key,
                                         Listing& listing) {
  const std::vector<std::string> paths = matches_of(source.path);
  if (paths.empty()) throw DataError(cat(key, ": nothing matches ", source.path));
  // Names are relative to the last folder before the pattern's first wildcard.
  const fs::path fixed =
      fs::path(source.path.substr(0, source.path.find_first_of("*?["))).parent_path();
  std::vector<SourceFile> files;
  for (const std::string& path : paths) {
    if (is_index(path, source) && std::binary_search(paths.begin(), paths.end(), ids_of_pair(path)))
      continue;
    SourceConfig one = source;
    one.path = path;
    std::error_code ignored;
    if (!fs::exists(path, ignored)) {
      log_warn(cat("skipping ", path, ": a link that leads nowhere"));
      continue;
    }
    const bool is_folder = fs::is_directory(path);  // a folder may be empty
    for (SourceFile& file :
         is_folder ? files_of_folder(one, listing) : files_of_source(one, key, listing)) {
      file.name = file.path.lexically_relative(fixed.empty() ? "." : fixed).generic_string();
      files.push_back(std::move(file));
    }
  }
  if (files.empty()) throw DataError(cat(key, ": what matches ", source.path, " holds no file"));
  return files;
}

std::vector<SourceFile> files_of_source(const SourceConfig& source, const std::string& key,
                                        Listing& listing) {
  const fs::path path = source.path;
  if (source.path.empty()) throw DataError(cat(key, " is empty; name a text file or a folder"));
  if (!fs::exists(path) && is_pattern(source.path)) return files_of_pattern(source, key, listing);
  if (!fs::exists(path)) throw DataError(cat(key, ": ", source.path, " does not exist"));
  require_not_left_out(path, key, listing);
  if (fs::is_regular_file(path)) return {source_file(path, path.filename().string(), source)};
  if (!fs::is_directory(path)) {
    throw DataError(cat(key, ": ", source.path, " is neither a file nor a folder"));
  }
  std::vector<SourceFile> files = files_of_folder(source, listing);
  if (files.empty()) {
    throw DataError(
        cat(key, ": the folder ", source.path, " holds no file (hidden ones are skipped)"));
  }
  return files;
}

// Throws when a source has a setting that none of its files uses.
void require_settings_used(const SourceConfig& source, const std::vector<SourceFile>& files,
                           const std::string& place) {
  const auto any = [&](const auto& is) { return std::any_of(files.begin(), files.end(), is); };
  const bool has_text =
      any([](const SourceFile& file) { return file.format == SourceFormat::kText; });
  const bool has_records = any([](const SourceFile& file) { return !file.field.empty(); });
  if (!source.separator.empty() && !has_text) {
    throw DataError(cat(place, ".separator has no effect: there is no file of text in ",
                        source.path, ", whose records are documents; leave it out"));
  }
  if (source.field != SourceConfig{}.field && !has_records) {
    throw DataError(cat(place, ".field has no effect: no file of ", source.path,
                        " is read as jsonl, csv or tsv; set format, or leave it out"));
  }
}

// Hashes the file in pieces, so that progress is shown within a large file too.
uint64_t hash_file(const fs::path& path, const std::function<void(int64_t)>& add_bytes_done) {
  constexpr size_t kPiece = size_t{64} << 20;
  const MappedFile file(path);
  StreamingHash hash;
  for (size_t at = 0; at < file.size(); at += kPiece) {
    const std::string_view piece = file.text().substr(at, kPiece);
    hash.update(piece);
    add_bytes_done(static_cast<int64_t>(piece.size()));
  }
  return hash.digest();
}

}  // namespace

std::vector<SourceFile> list_source_files(const std::vector<SourceConfig>& sources,
                                          const std::vector<fs::path>& left_out) {
  if (sources.empty()) {
    throw DataError("data.sources is empty; name at least one text file or folder");
  }
  std::set<fs::path> canonical_left_out;
  for (const fs::path& folder : left_out) canonical_left_out.insert(fs::weakly_canonical(folder));
  std::vector<SourceFile> files;
  for (size_t i = 0; i < sources.size(); ++i) {
    Listing listing = {canonical_left_out, {}};
    const std::string key = cat("data.sources[", i, "].path");
    try {
      std::vector<SourceFile> more = files_of_source(sources[i], key, listing);
      require_settings_used(sources[i], more, cat("data.sources[", i, "]"));
      for (SourceFile& file : more) file.source = static_cast<int>(i);
      std::move(more.begin(), more.end(), std::back_inserter(files));
    } catch (const fs::filesystem_error& error) {
      throw DataError(
          cat(key, ": cannot read ",
              (error.path1().empty() ? fs::path(sources[i].path) : error.path1()).string(), ": ",
              error.code().message()));
    }
  }
  return files;
}

bool source_exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored) || (is_pattern(path) && !matches_of(path).empty());
}

int64_t total_bytes(const std::vector<SourceFile>& files) {
  int64_t bytes = 0;
  for (const SourceFile& file : files) bytes += file.size_bytes;
  return bytes;
}

uint64_t content_fingerprint(const std::vector<SourceFile>& files,
                             const std::function<void(double)>& progress) {
  const double total = std::max(1.0, static_cast<double>(total_bytes(files)));
  int64_t bytes_done = 0;
  const auto add_bytes_done = [&](int64_t bytes) {
    bytes_done += bytes;
    if (progress) progress(std::min(1.0, static_cast<double>(bytes_done) / total));
  };
  StreamingHash hash;
  for (const SourceFile& file : files) {
    const uint64_t parts[] = {hash_text(file.name), hash_text(file.separator),
                              hash_file(file.path, add_bytes_done)};
    hash.update(parts, sizeof parts);
    if (file.source > 0) hash.update(cat("source ", file.source));
    if (file.format == SourceFormat::kMegatron)
      hash.update(hex16(hash_file(fs::path(file.path).replace_extension(".idx"), [](int64_t) {})));
    if (file.format != SourceFormat::kText)
      hash.update(cat(static_cast<int>(file.format), " ", file.field));
  }
  return hash.digest();
}

}  // namespace lmtrain
