// Files of the safetensors format (Hugging Face). A file is 8 bytes with the length of the header,
// little endian; the JSON header, which gives each tensor's type, shape and place; and the bytes of
// the tensors, without a gap.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "base/durable_file.h"

namespace lmtrain {

class SafetensorsFile {
 public:
  struct Entry {
    at::ScalarType type = at::kFloat;
    std::vector<int64_t> shape;
    int64_t begin = 0;  // bytes within the file
    int64_t size = 0;
  };

  // Maps the file and checks its whole header: lengths, types, shapes, and that the tensors fill
  // the file without gap or overlap. Throws DataError naming the file, the tensor and what is
  // wrong, or IoError when the file cannot be opened.
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::map<std::string, Entry>& entries() const { return entries_; }
  // Returns a copy on the CPU, of the stored type and shape. Throws DataError when there is no such
  // tensor.
  at::Tensor read(const std::string& name) const;

 private:
  std::filesystem::path path_;
  MappedFile file_;
  std::map<std::string, Entry> entries_;
};

// Types have names such as "F32". For an unknown name, safetensors_type throws a DataError whose
// message begins with `place`.
std::string safetensors_type_name(at::ScalarType type);
at::ScalarType safetensors_type(const std::string& name, const std::string& place);

// Writes CPU tensors to one file, durably, in the order of their names. Throws IoError.
void write_safetensors(const std::filesystem::path& path,
                       const std::map<std::string, at::Tensor>& tensors);

// A folder's model.safetensors, or the files that its model.safetensors.index.json names. Where all
// names begin with "_orig_mod." (torch.compile) or "module." (DistributedDataParallel), the tensors
// have their names without it here.
class SafetensorsFolder {
 public:
  // Throws DataError when neither is there, or when the index and the files disagree.
  explicit SafetensorsFolder(const std::filesystem::path& folder);

  std::vector<std::string> names() const;
  bool contains(const std::string& name) const { return file_of_.contains(name); }
  const SafetensorsFile::Entry& entry(const std::string& name) const;
  at::Tensor read(const std::string& name) const;

 private:
  void remove_wrappers();

  std::filesystem::path folder_;
  std::vector<SafetensorsFile> files_;
  std::map<std::string, size_t> file_of_;
  std::string wrapper_;  // that the files have in front of each name
};

// Writes model.safetensors. Where that would be larger than `max_bytes`, it writes files of at most
// that size (or of one tensor) and model.safetensors.index.json. Throws IoError.
void write_safetensors_folder(const std::filesystem::path& folder,
                              const std::map<std::string, at::Tensor>& tensors, int64_t max_bytes);

}  // namespace lmtrain
