#include "models/huggingface/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <cstring>

#include <ATen/ATen.h>

#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "the format is little endian");

constexpr int64_t kMaxHeaderBytes = 100'000'000;  // the limit of Hugging Face's own reader
constexpr int64_t kMaxDims = 16;
constexpr int kMaxDepth = 8;
constexpr int64_t kMaxElements = int64_t{1} << 53;
constexpr const char* kSingleFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";

struct TypeName {
  const char* name;
  at::ScalarType type;
};
constexpr std::array<TypeName, 10> kTypes = {{{"F64", at::kDouble},
                                              {"F32", at::kFloat},
                                              {"F16", at::kHalf},
                                              {"BF16", at::kBFloat16},
                                              {"I64", at::kLong},
                                              {"I32", at::kInt},
                                              {"I16", at::kShort},
                                              {"I8", at::kChar},
                                              {"U8", at::kByte},
                                              {"BOOL", at::kBool}}};

const json& list_of(const json& value, const std::string& what) {
  if (!value.is_array()) throw DataError(cat(what, ": must be a list, is ", show_value(value)));
  return value;
}

// Reads a tensor's entry in the header. `data` is the place in the file where tensors start, and
// `data_size` the number of bytes from there on.
SafetensorsFile::Entry entry_of(const json& value, const std::string& place, int64_t data,
                                int64_t data_size) {
  JsonObject object(value, place);
  SafetensorsFile::Entry entry;
  entry.type = safetensors_type(object.text("dtype"), place + ".dtype");
  const json& shape = list_of(object.required("shape"), place + ".shape");
  if (std::cmp_greater(shape.size(), kMaxDims))
    throw DataError(cat(place, ".shape: has ", shape.size(), " dims, at most ", kMaxDims));
  int64_t numel = 1;
  for (const json& size : shape) {
    entry.shape.push_back(json_integer(size, 0, kMaxElements, place + ".shape"));
    if (__builtin_mul_overflow(numel, entry.shape.back(), &numel) || numel > kMaxElements)
      throw DataError(cat(place, ".shape: more than ", kMaxElements, " elements"));
  }
  const json& offsets = list_of(object.required("data_offsets"), place + ".data_offsets");
  if (offsets.size() != 2) throw DataError(cat(place, ".data_offsets: must be two numbers"));
  const int64_t begin = json_integer(offsets[0], 0, data_size, place + ".data_offsets[0]");
  const int64_t end = json_integer(offsets[1], begin, data_size, place + ".data_offsets[1]");
  object.finish();
  entry.begin = data + begin;
  entry.size = end - begin;
  const auto element = static_cast<int64_t>(c10::elementSize(entry.type));
  if (entry.size != numel * element) {
    throw DataError(cat(place, ": shape and type take ", numel * element,
                        " bytes, data_offsets give ", entry.size));
  }
  return entry;
}

// The tensors must follow one another and fill the file, so that nothing is read twice and nothing
// hides between them.
void check_no_gap(const std::map<std::string, SafetensorsFile::Entry>& entries, int64_t data,
                  int64_t file_size, const std::string& path) {
  std::vector<std::pair<int64_t, std::string>> by_place;
  for (const auto& [name, entry] : entries) by_place.emplace_back(entry.begin, name);
  std::sort(by_place.begin(), by_place.end(), [&](const auto& a, const auto& b) {
    return std::pair(a.first, entries.at(a.second).size) <
           std::pair(b.first, entries.at(b.second).size);  // empty tensors first
  });
  int64_t at = data;
  for (const auto& [begin, name] : by_place) {
    if (begin != at) {
      throw DataError(cat(path, ": tensor ", show_text(name), " starts at byte ", begin - data,
                          begin < at ? ", within the one before" : ", behind a gap that starts at ",
                          begin < at ? "" : cat(at - data)));
    }
    at += entries.at(name).size;
  }
  if (at != file_size) {
    throw DataError(cat(path, ": ", file_size - at, " bytes behind the last tensor"));
  }
}

std::string header_of(const std::map<std::string, at::Tensor>& tensors) {
  json header = {{"__metadata__", {{"format", "pt"}}}};  // transformers asks for it
  int64_t at = 0;
  for (const auto& [name, tensor] : tensors) {
    const auto size = static_cast<int64_t>(tensor.nbytes());
    header[name] = {{"dtype", safetensors_type_name(tensor.scalar_type())},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {at, at + size}}};
    at += size;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // tensors start at a multiple of 8
  return text;
}

bool is_plain_name(const std::string& name) {
  return !name.empty() && name[0] != '.' && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

// Returns the file of each tensor, as the index names it.
std::map<std::string, std::string> read_index(const fs::path& path) {
  const json root = parse_strict_json(read_file(path, kMaxHeaderBytes), path.string(), kMaxDepth);
  JsonObject object(root, path.string());
  const json& map = object.required("weight_map");
  if (!map.is_object()) throw DataError(cat(path.string(), ": weight_map: must be an object"));
  std::map<std::string, std::string> files;
  for (const auto& [tensor, value] : map.items()) {
    const std::string what = cat(path.string(), ": weight_map[", show_text(tensor), "]");
    files[tensor] = json_text(value, what);
    if (!is_plain_name(files[tensor])) {
      throw DataError(cat(what, ": ", show_text(files[tensor]), " is no file of this folder"));
    }
  }
  return files;
}

}  // namespace

at::ScalarType safetensors_type(const std::string& name, const std::string& place) {
  for (const TypeName& known : kTypes) {
    if (name == known.name) return known.type;
  }
  throw DataError(cat(place, ": ", show_text(name), " is not a type that lmtrain reads"));
}

std::string safetensors_type_name(at::ScalarType type) {
  const auto* const known =
      std::find_if(kTypes.begin(), kTypes.end(), [&](const TypeName& t) { return t.type == type; });
  TORCH_CHECK(known != kTypes.end(), "no name for type ", type);
  return known->name;
}

SafetensorsFile::SafetensorsFile(const fs::path& path) : path_(path), file_(path) {
  const std::string origin = path.string();
  const auto file_size = static_cast<int64_t>(file_.size());
  uint64_t header_size = 0;
  if (file_size < static_cast<int64_t>(sizeof header_size))
    throw DataError(cat(origin, ": no safetensors file: has ", file_size, " bytes"));
  std::memcpy(&header_size, file_.data(), sizeof header_size);
  const int64_t room = file_size - static_cast<int64_t>(sizeof header_size);
  if (std::cmp_greater(header_size, std::min(room, kMaxHeaderBytes))) {
    throw DataError(cat(origin, ": no safetensors file: its header has ", header_size,
                        " bytes, the file ", room, " behind its length (at most ", kMaxHeaderBytes,
                        " are read)"));
  }
  const auto length = static_cast<int64_t>(header_size);
  const json header = parse_strict_json(
      file_.text().substr(sizeof header_size, static_cast<size_t>(length)), origin, kMaxDepth);
  if (!header.is_object()) throw DataError(cat(origin, ": the header is no JSON object"));
  const int64_t data = static_cast<int64_t>(sizeof header_size) + length;
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") continue;
    entries_[name] =
        entry_of(value, cat(origin, ": tensor ", show_text(name)), data, file_size - data);
  }
  check_no_gap(entries_, data, file_size, origin);
}

at::Tensor SafetensorsFile::read(const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end())
    throw DataError(cat(path_.string(), ": there is no tensor ", show_text(name)));
  const Entry& entry = found->second;
  at::Tensor tensor = at::empty(entry.shape, entry.type);
  if (entry.size > 0)
    std::memcpy(tensor.data_ptr(), file_.data() + entry.begin, static_cast<size_t>(entry.size));
  return tensor;
}

void write_safetensors(const fs::path& path, const std::map<std::string, at::Tensor>& tensors) {
  const std::string header = header_of(tensors);
  DurableFile file(path);
  const uint64_t length = header.size();
  file.write(&length, sizeof length);
  file.write(header);
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor whole = tensor.contiguous();
    file.write(whole.data_ptr(), whole.nbytes());
  }
  file.commit();
}

SafetensorsFolder::SafetensorsFolder(const fs::path& folder) : folder_(folder) {
  const fs::path single = folder / kSingleFile;
  const fs::path index = folder / kIndexFile;
  if (fs::exists(single)) {
    files_.emplace_back(single);
    for (const auto& [name, entry] : files_[0].entries()) file_of_[name] = 0;
    remove_wrappers();
    return;
  }
  if (!fs::exists(index)) {
    const bool is_pickled = fs::exists(folder / "pytorch_model.bin") ||
                            fs::exists(folder / "pytorch_model.bin.index.json");
    throw DataError(cat(
        folder.string(), ": there is neither ", kSingleFile, " nor ", kIndexFile,
        is_pickled ? "; pytorch_model.bin is a pickle, which can run any program and is not read. "
                     "Convert it where you trust it: python -c \"from transformers import "
                     "AutoModelForCausalLM as M; M.from_pretrained('FOLDER')."
                     "save_pretrained('NEW')\" (or the class that config.json names)"
                   : ""));
  }
  std::map<std::string, size_t> opened;
  for (const auto& [tensor, file] : read_index(index)) {
    if (!opened.contains(file)) {
      if (!fs::exists(folder / file))
        throw DataError(cat(index.string(), ": names ", file, ", which is not there"));
      opened[file] = files_.size();
      files_.emplace_back(folder / file);
    }
    if (!files_[opened[file]].entries().contains(tensor)) {
      throw DataError(cat((folder / file).string(), ": there is no tensor ", show_text(tensor),
                          ", which ", kIndexFile, " expects there"));
    }
    file_of_[tensor] = opened[file];
  }
  remove_wrappers();
}

void SafetensorsFolder::remove_wrappers() {
  const auto all_begin_with = [&](const std::string& wrapper) {
    return !file_of_.empty() && std::ranges::all_of(file_of_, [&](const auto& one) {
      return one.first.starts_with(wrapper);
    });
  };
  for (bool found = true; found;) {
    found = false;
    for (const std::string wrapper : {"_orig_mod.", "module."}) {
      if (!all_begin_with(wrapper)) continue;
      std::map<std::string, size_t> without;
      for (const auto& [name, file] : file_of_) without[name.substr(wrapper.size())] = file;
      file_of_ = std::move(without);
      wrapper_ += wrapper;
      found = true;
    }
  }
}

std::vector<std::string> SafetensorsFolder::names() const {
  std::vector<std::string> names;
  for (const auto& [name, file] : file_of_) names.push_back(name);
  return names;
}

const SafetensorsFile::Entry& SafetensorsFolder::entry(const std::string& name) const {
  const auto found = file_of_.find(name);
  if (found == file_of_.end())
    throw DataError(cat(folder_.string(), ": there is no tensor ", show_text(name)));
  return files_[found->second].entries().at(wrapper_ + name);
}

at::Tensor SafetensorsFolder::read(const std::string& name) const {
  entry(name);
  return files_[file_of_.at(name)].read(wrapper_ + name);
}

void write_safetensors_folder(const fs::path& folder,
                              const std::map<std::string, at::Tensor>& tensors, int64_t max_bytes) {
  std::vector<std::map<std::string, at::Tensor>> files(1);
  int64_t total = 0;
  int64_t in_file = 0;
  for (const auto& [name, tensor] : tensors) {
    const auto size = static_cast<int64_t>(tensor.nbytes());
    if (in_file > 0 && in_file + size > max_bytes) {
      files.emplace_back();
      in_file = 0;
    }
    files.back()[name] = tensor;
    in_file += size;
    total += size;
  }
  if (files.size() == 1) {
    write_safetensors(folder / kSingleFile, files[0]);
    return;
  }
  json map = json::object();
  for (size_t i = 0; i < files.size(); ++i) {
    char file_name[64];
    std::snprintf(file_name, sizeof file_name, "model-%05zu-of-%05zu.safetensors", i + 1,
                  files.size());
    write_safetensors(folder / file_name, files[i]);
    for (const auto& [name, tensor] : files[i]) map[name] = file_name;
  }
  const json index = {{"metadata", {{"total_size", total}}}, {"weight_map", map}};
  write_file_durably(folder / kIndexFile, index.dump(2) + "\n");
}

}  // namespace lmtrain
