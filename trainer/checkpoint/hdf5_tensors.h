// Tensors in HDF5: files are built in memory and written by DurableFile, because HDF5 itself never
// calls fsync and loses write errors; reading refuses everything that could lead to other files or
// to memory the file does not hold.
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

 private:
  int64_t id_;
  Close close_;
};

// One HDF5 file in memory.
class Hdf5Writer {
 public:
  Hdf5Writer();
  // A contiguous CPU tensor, fp32 or fp64, as GROUP/NAME with attributes `xxh3` (of its bytes) and
  // its place in the logical tensor: `logical_shape`, and `offset`, zeros while a tensor is stored
  // whole. Names hold no slash.
  void add(const std::string& group, const std::string& name, const at::Tensor& tensor);
  // The bytes of the finished file; nothing can be added after that.
  std::vector<char> finish();

 private:
  std::unique_ptr<Hdf5Handle> file_;
};

class Hdf5Reader {
 public:
  // Throws CheckpointError.
  explicit Hdf5Reader(const std::filesystem::path& path);
  // GROUP/NAME into `tensor`, contiguous on the CPU, which says the expected shape and type.
  // Refuses links, external and virtual storage, filters, other shapes or types, a part of a
  // tensor, and a wrong xxh3.
  void read(const std::string& group, const std::string& name, at::Tensor& tensor) const;

 private:
  // `count` whole numbers, an attribute of `object`.
  template <class T>
  std::vector<T> attribute(int64_t object, const char* name, size_t count,
                           const std::string& place) const;
  [[noreturn]] void fail(const std::string& what) const;

  std::filesystem::path path_;
  std::unique_ptr<Hdf5Handle> file_;
};

}  // namespace lmtrain
