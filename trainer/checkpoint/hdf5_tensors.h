// Tensors in HDF5 files. HDF5 makes what describes the tensors, in memory; DurableFile writes that
// and the tensors, because HDF5 itself never calls fsync and loses write errors. The reader refuses
// every feature by which a file could refer to other files or to data that it does not hold.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace lmtrain {

// Owns an HDF5 identifier.
class Hdf5Handle {
 public:
  using Close = int (*)(int64_t);
  Hdf5Handle(int64_t id, Close close, const std::string& what);  // throws IoError when id < 0
  ~Hdf5Handle();
  Hdf5Handle(const Hdf5Handle&) = delete;
  Hdf5Handle& operator=(const Hdf5Handle&) = delete;
  int64_t id() const { return id_; }
  // Closes it before its time. Throws IoError where that fails.
  void close_now(const std::string& what);

 private:
  int64_t id_;
  Close close_;
};

// A finished HDF5 file, which exists only in parts: what HDF5 wrote about the tensors, and the
// tensors themselves where they lie in memory.
class Hdf5Image {
 public:
  // Consecutive bytes of the file, without gaps between two parts.
  struct Part {
    const char* data = nullptr;  // null: zeros
    size_t size = 0;
  };
  const std::vector<Part>& parts() const { return parts_; }
  int64_t size() const { return size_; }
  // The memory that it takes beside that of the tensors.
  int64_t metadata_bytes() const { return metadata_bytes_; }

 private:
  friend class Hdf5Writer;
  void add(const char* data, size_t size);

  std::vector<Part> parts_;
  int64_t size_ = 0;
  int64_t metadata_bytes_ = 0;
  std::shared_ptr<const void> metadata_;
  std::vector<at::Tensor> tensors_;
};

// Makes one HDF5 file.
class Hdf5Writer {
 public:
  // Adds a contiguous CPU tensor, fp32 or fp64, as GROUP/NAME. Its attributes are `xxh3` (of its
  // bytes) and its place in the logical tensor: `logical_shape`, and `offset`, which is zero
  // because tensors are stored whole. Names must not contain a slash. The tensor is not copied and
  // must stay as it is while the image lives.
  void add(const std::string& group, const std::string& name, const at::Tensor& tensor);
  // Returns the file of what was added, once.
  Hdf5Image finish();

 private:
  struct Entry {
    std::string group;
    std::string name;
    at::Tensor tensor;
    uint64_t xxh3 = 0;
  };
  std::vector<Entry> entries_;
};

class Hdf5Reader {
 public:
  // Throws CheckpointError when the file cannot be opened as HDF5.
  explicit Hdf5Reader(const std::filesystem::path& path);
  // Reads GROUP/NAME into `tensor`, a contiguous CPU tensor of the expected shape and type. Throws
  // CheckpointError for links, external and virtual storage, filters, another shape or type, a part
  // of a tensor, and a wrong xxh3.
  void read(const std::string& group, const std::string& name, at::Tensor& tensor) const;

 private:
  // Returns an attribute of `object` that holds `count` integers.
  template <class T>
  std::vector<T> attribute(int64_t object, const char* name, size_t count,
                           const std::string& place) const;
  [[noreturn]] void fail(const std::string& what) const;

  std::filesystem::path path_;
  std::unique_ptr<Hdf5Handle> file_;
};

}  // namespace lmtrain
