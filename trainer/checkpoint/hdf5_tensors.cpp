#include "trainer/checkpoint/hdf5_tensors.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>

#include <ATen/ATen.h>
#include <hdf5.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"

namespace lmtrain {
namespace {

// A file in memory grows in steps of this many bytes.
constexpr size_t kCoreIncrement = size_t{64} << 10;

int64_t file_type(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kDouble ? H5T_IEEE_F64LE : H5T_IEEE_F32LE;
}

uint64_t checksum(const at::Tensor& tensor) {
  return hash_bytes(tensor.data_ptr(), tensor.nbytes());
}

void require(int result, const std::string& what) {
  if (result < 0) throw IoError(cat("HDF5 cannot ", what));
}

void add_attribute(int64_t object, const char* name, int64_t type, const void* values,
                   hsize_t count) {
  const Hdf5Handle space(H5Screate_simple(1, &count, nullptr), H5Sclose,
                         "make an attribute's space");
  const Hdf5Handle attribute(H5Acreate2(object, name, type, space.id(), H5P_DEFAULT, H5P_DEFAULT),
                             H5Aclose, "make an attribute");
  require(H5Awrite(attribute.id(), type, values), "write an attribute");
}

}  // namespace

Hdf5Handle::Hdf5Handle(int64_t id, Close close, const std::string& what) : id_(id), close_(close) {
  if (id < 0) throw IoError(cat("HDF5 cannot ", what));
}
Hdf5Handle::~Hdf5Handle() {
  if (id_ >= 0) close_(id_);
}

void Hdf5Handle::close_now(const std::string& what) {
  const int result = close_(id_);
  id_ = -1;
  require(result, what);
}

namespace {

// The memory in which HDF5 keeps a file. It outlives the file. HDF5 calls the functions below.
struct FileMemory {
  void* data = nullptr;
  size_t size = 0;
  ~FileMemory() { std::free(data); }
};

void* resize_memory(void* data, size_t size, H5FD_file_image_op_t, void* of) {
  auto* const memory = static_cast<FileMemory*>(of);
  void* const resized = std::realloc(data, size);
  if (resized == nullptr) return nullptr;
  memory->data = resized;
  memory->size = size;
  return resized;
}
void* make_memory(size_t size, H5FD_file_image_op_t operation, void* of) {
  return resize_memory(nullptr, size, operation, of);
}
herr_t keep_memory(void*, H5FD_file_image_op_t, void*) { return 0; }  // FileMemory frees it
void* same_memory(void* of) { return of; }
herr_t leave_memory(void*) { return 0; }

// About how many bytes HDF5 writes about so many tensors: with a first block of that size they
// stand in front of the tensors, and not between or behind them, where memory for the tensors would
// be needed too. A wrong number costs memory, and nothing else.
hsize_t expected_metadata(size_t num_tensors) { return 4096 + 640 * num_tensors; }

// The end of the file as its superblock tells (HDF5 file format specification, version 0).
int64_t end_of_file(const FileMemory& memory) {
  constexpr size_t kVersion = 8;
  constexpr size_t kEndOfFile = 40;
  const auto* const bytes = static_cast<const char*>(memory.data);
  const bool is_known = memory.size >= kEndOfFile + sizeof(int64_t) && bytes[kVersion] == 0;
  require(is_known ? 0 : -1, "make a file of the form that is expected");
  int64_t end = 0;
  std::memcpy(&end, bytes + kEndOfFile, sizeof end);
  return end;
}

// Makes the group if it is not there.
void require_group(int64_t file, const std::string& name) {
  if (H5Lexists(file, name.c_str(), H5P_DEFAULT) > 0) return;
  const Hdf5Handle made(H5Gcreate2(file, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                        H5Gclose, "make a group");
}

// Describes a tensor and returns the place of its bytes in the file.
int64_t describe(int64_t file, const std::string& place, const at::Tensor& tensor, uint64_t xxh3) {
  const std::vector<hsize_t> dims(tensor.sizes().begin(), tensor.sizes().end());
  const Hdf5Handle space(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr),
                         H5Sclose, "make a space");
  const Hdf5Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "make a property list");
  // No time stamps are stored, so that equal tensors give equal files.
  require(H5Pset_obj_track_times(creation.id(), false), "leave out times");
  require(H5Pset_alloc_time(creation.id(), H5D_ALLOC_TIME_EARLY), "find a tensor's place at once");
  require(H5Pset_fill_time(creation.id(), H5D_FILL_TIME_NEVER), "leave a tensor's place empty");
  const Hdf5Handle set(H5Dcreate2(file, place.c_str(), file_type(tensor), space.id(), H5P_DEFAULT,
                                  creation.id(), H5P_DEFAULT),
                       H5Dclose, "make " + place);
  add_attribute(set.id(), "xxh3", H5T_STD_U64LE, &xxh3, 1);
  const std::vector<int64_t> offset(dims.size());
  add_attribute(set.id(), "logical_shape", H5T_STD_I64LE, tensor.sizes().data(), dims.size());
  add_attribute(set.id(), "offset", H5T_STD_I64LE, offset.data(), dims.size());
  const haddr_t at = H5Dget_offset(set.id());
  require(at == HADDR_UNDEF ? -1 : 0, "tell the place of " + place);
  return static_cast<int64_t>(at);
}

}  // namespace

void Hdf5Image::add(const char* data, size_t size) {
  if (size == 0) return;
  parts_.push_back({data, size});
  size_ += static_cast<int64_t>(size);
}

void Hdf5Writer::add(const std::string& group, const std::string& name, const at::Tensor& tensor) {
  TORCH_CHECK(tensor.is_cpu() && tensor.is_contiguous() &&
                  (tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kDouble),
              group, "/", name, ": a checkpoint stores contiguous CPU tensors of fp32 or fp64");
  entries_.push_back({group, name, tensor, checksum(tensor)});
}

Hdf5Image Hdf5Writer::finish() {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);  // errors are thrown, not printed
  const auto memory = std::make_shared<FileMemory>();
  H5FD_file_image_callbacks_t callbacks = {make_memory, nullptr,      resize_memory, keep_memory,
                                           same_memory, leave_memory, memory.get()};
  const Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "make a property list");
  require(H5Pset_fapl_core(access.id(), kCoreIncrement, /*backing_store=*/false),
          "keep a file in memory");
  require(H5Pset_file_image_callbacks(access.id(), &callbacks), "keep a file in our memory");
  require(H5Pset_meta_block_size(access.id(), expected_metadata(entries_.size())),
          "put descriptions in front");
  Hdf5Handle file(H5Fcreate("image", H5F_ACC_TRUNC, H5P_DEFAULT, access.id()), H5Fclose,
                  "make a file in memory");
  std::map<int64_t, const at::Tensor*> places;
  for (const Entry& entry : entries_) {
    require_group(file.id(), entry.group);
    const int64_t place =
        describe(file.id(), entry.group + "/" + entry.name, entry.tensor, entry.xxh3);
    if (entry.tensor.numel() > 0) places[place] = &entry.tensor;
  }
  // Not H5Fflush: that would take memory for the tensors, too, and fill it with zeros.
  file.close_now("finish a file in memory");

  Hdf5Image image;
  image.metadata_ = memory;
  image.metadata_bytes_ = static_cast<int64_t>(memory->size);
  const auto* const data = static_cast<const char*>(memory->data);
  const auto add_metadata = [&](int64_t end) {
    const auto known = std::min(end, static_cast<int64_t>(memory->size));
    if (image.size() < known)
      image.add(data + image.size(), static_cast<size_t>(known - image.size()));
    if (image.size() < end) image.add(nullptr, static_cast<size_t>(end - image.size()));
  };
  for (const auto& [place, tensor] : places) {
    add_metadata(place);
    image.add(static_cast<const char*>(tensor->const_data_ptr()), tensor->nbytes());
    image.tensors_.push_back(*tensor);
  }
  add_metadata(end_of_file(*memory));
  entries_.clear();
  return image;
}

Hdf5Reader::Hdf5Reader(const std::filesystem::path& path) : path_(path) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  const int64_t id = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  if (id < 0) fail("is not a readable HDF5 file");
  file_ = std::make_unique<Hdf5Handle>(id, H5Fclose, "open " + path.string());
}

void Hdf5Reader::fail(const std::string& what) const {
  throw CheckpointError(cat(path_.string(), " ", what));
}

template <class T>
std::vector<T> Hdf5Reader::attribute(int64_t object, const char* name, size_t count,
                                     const std::string& place) const {
  const int64_t id = H5Aopen(object, name, H5P_DEFAULT);
  if (id < 0) fail(cat("has no ", name, " of ", place));
  const Hdf5Handle attribute(id, H5Aclose, "open an attribute");
  const Hdf5Handle space(H5Aget_space(id), H5Sclose, "read an attribute's space");
  if (H5Sget_simple_extent_npoints(space.id()) != static_cast<hssize_t>(count))
    fail(cat("has another number of values in ", name, " of ", place));
  std::vector<T> values(count);
  const int64_t type = std::is_signed_v<T> ? H5T_NATIVE_INT64 : H5T_NATIVE_UINT64;
  if (H5Aread(id, type, values.data()) < 0) fail(cat("cannot be read at ", name, " of ", place));
  return values;
}

void Hdf5Reader::read(const std::string& group, const std::string& name, at::Tensor& tensor) const {
  const std::string place = group + "/" + name;
  for (const std::string& link : {group, place}) {
    H5L_info_t info = {};
    if (H5Lget_info(file_->id(), link.c_str(), &info, H5P_DEFAULT) < 0)
      fail("has no tensor " + place);
    if (info.type != H5L_TYPE_HARD)
      fail(cat("has a link in place of ", link, ", which is refused"));
  }
  const int64_t id = H5Dopen2(file_->id(), place.c_str(), H5P_DEFAULT);
  if (id < 0) fail(cat("has something else than a tensor at ", place));
  const Hdf5Handle set(id, H5Dclose, "open " + place);
  const Hdf5Handle creation(H5Dget_create_plist(set.id()), H5Pclose,
                            "read how " + place + " is stored");
  if (H5Pget_layout(creation.id()) != H5D_CONTIGUOUS || H5Pget_external_count(creation.id()) != 0 ||
      H5Pget_nfilters(creation.id()) != 0) {
    fail(cat("stores ", place,
             " in a way that is refused (external, virtual, chunked or filtered)"));
  }
  const Hdf5Handle space(H5Dget_space(set.id()), H5Sclose, "read the shape of " + place);
  std::vector<hsize_t> dims(
      static_cast<size_t>(std::max(0, H5Sget_simple_extent_ndims(space.id()))));
  if (!dims.empty()) H5Sget_simple_extent_dims(space.id(), dims.data(), nullptr);
  const std::vector<int64_t> found(dims.begin(), dims.end());
  if (tensor.sizes() != found) {
    std::ostringstream message;
    message << "has " << place << " with shape " << at::IntArrayRef(found) << ", expected "
            << tensor.sizes();
    fail(message.str());
  }
  const Hdf5Handle type(H5Dget_type(set.id()), H5Tclose, "read the type of " + place);
  if (H5Tequal(type.id(), file_type(tensor)) <= 0)
    fail(cat("has ", place, " with another type than expected"));
  if (H5Dread(set.id(), file_type(tensor), H5S_ALL, H5S_ALL, H5P_DEFAULT, tensor.data_ptr()) < 0) {
    fail("cannot be read at " + place);
  }
  const auto sizes = tensor.sizes().vec();
  if (attribute<int64_t>(set.id(), "logical_shape", sizes.size(), place) != sizes ||
      attribute<int64_t>(set.id(), "offset", sizes.size(), place) !=
          std::vector<int64_t>(sizes.size())) {
    fail(cat("holds a part of ", place, ", where all of it is expected"));
  }
  if (attribute<uint64_t>(set.id(), "xxh3", 1, place)[0] != checksum(tensor))
    fail(cat("has a wrong checksum for ", place));
}

}  // namespace lmtrain
