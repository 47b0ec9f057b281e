#include "models/huggingface/tensor_map.h"

#include <algorithm>
#include <set>

#include <ATen/ATen.h>

#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"

namespace lmtrain {
namespace {

// Returns the name under which a folder has a tensor, or "" where it has none. Files of BERT's
// first years call a LayerNorm's weight gamma and its bias beta.
std::string stored_name(const SafetensorsFolder& folder, const TensorMap& map,
                        const std::string& name) {
  std::vector<std::string> names = {name};
  if (name.ends_with(".LayerNorm.weight"))
    names.push_back(name.substr(0, name.rfind('.')) + ".gamma");
  if (name.ends_with(".LayerNorm.bias")) names.push_back(name.substr(0, name.rfind('.')) + ".beta");
  for (const std::string& one : names) {
    if (folder.contains(one)) return one;
    const std::string other =
        one.starts_with(map.root) ? one.substr(map.root.size()) : map.root + one;
    if (folder.contains(other)) return other;
  }
  return "";
}

bool is_unread(const TensorMap& map, const std::string& name) {
  return std::ranges::any_of(map.unread_endings,
                             [&](const std::string& ending) { return name.ends_with(ending); });
}

// Returns the tensor of transformers that this one must repeat, or "" where it is not tied.
std::string tied_to(const TensorMap& map, const std::string& name) {
  for (const TiedTensor& tied : map.tied) {
    if (name != tied.name) continue;
    for (const TensorPart& part : map.parts) {
      if (part.parameter == tied.same_as) return part.name;
    }
  }
  return "";
}

bool repeats(const SafetensorsFolder& folder, const std::string& name, const at::Tensor& other) {
  const SafetensorsFile::Entry& entry = folder.entry(name);
  return entry.type == other.scalar_type() && at::IntArrayRef(entry.shape) == other.sizes() &&
         at::equal(folder.read(name), other);
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::vector<std::string> sizes;
  for (const int64_t size : shape) sizes.push_back(std::to_string(size));
  return cat("[", join(sizes, ", "), "]");
}

// Returns the rows of transformers' tensor that the part names.
at::Tensor rows_of(const TensorPart& part, const at::Tensor& theirs) {
  const at::Tensor by_rows = part.is_transposed ? theirs.t() : theirs;
  return by_rows.narrow(0, part.first_row, part.num_rows);
}

}  // namespace

void TensorMap::add_whole(const std::string& parameter, const std::string& name, int64_t rows,
                          bool is_transposed) {
  parts.push_back({.parameter = parameter,
                   .name = name,
                   .is_transposed = is_transposed,
                   .num_rows = rows,
                   .length = rows});
}

NamedShapes huggingface_shapes(const std::vector<TensorPart>& parts,
                               const NamedShapes& logical_shapes) {
  NamedShapes shapes;
  for (const TensorPart& part : parts) {
    const std::vector<int64_t>& logical = logical_shapes.at(part.parameter);
    int64_t columns = part.length;
    for (size_t d = 0; d < logical.size(); ++d)
      columns *= static_cast<int64_t>(d) == part.dim ? 1 : logical[d];
    columns /= part.num_rows;
    // Biases and norms have one number per row.
    const bool is_matrix = part.name.ends_with(".weight") && logical.size() > 1;
    std::vector<int64_t>& shape = shapes[part.name];
    if (shape.empty())
      shape = is_matrix ? std::vector<int64_t>{0, columns} : std::vector<int64_t>{0};
    shape[0] += part.num_rows;
  }
  for (const TensorPart& part : parts) {
    std::vector<int64_t>& shape = shapes[part.name];
    if (part.is_transposed && part.first_row == 0) std::swap(shape[0], shape[1]);
  }
  return shapes;
}

NamedTensors from_huggingface(const std::vector<TensorPart>& parts, const NamedTensors& tensors,
                              const NamedShapes& logical_shapes) {
  NamedTensors logical;
  for (const TensorPart& part : parts) {
    const at::Tensor rows = rows_of(part, tensors.at(part.name));
    at::Tensor& to = logical[part.parameter];
    if (!to.defined()) to = at::empty(logical_shapes.at(part.parameter), rows.options());
    at::Tensor slice = to.narrow(part.dim, part.start, part.length);
    slice.copy_(rows.reshape(slice.sizes()));
  }
  return logical;
}

NamedTensors to_huggingface(const std::vector<TensorPart>& parts, const NamedTensors& logical) {
  NamedShapes logical_shapes;
  for (const auto& [name, tensor] : logical) logical_shapes[name] = tensor.sizes().vec();
  NamedTensors tensors;
  const NamedShapes shapes = huggingface_shapes(parts, logical_shapes);
  for (const TensorPart& part : parts) {
    const at::Tensor& from = logical.at(part.parameter);
    at::Tensor& to = tensors[part.name];
    if (!to.defined()) to = at::empty(shapes.at(part.name), from.options());
    at::Tensor stretch = rows_of(part, to);
    stretch.copy_(from.narrow(part.dim, part.start, part.length).reshape(stretch.sizes()));
  }
  return tensors;
}

namespace {

// The name under which the folder has each tensor of the map.
std::map<std::string, std::string> stored_names(const SafetensorsFolder& folder,
                                                const TensorMap& map,
                                                const NamedShapes& logical_shapes,
                                                const std::string& place) {
  std::map<std::string, std::string> stored_as;
  std::set<std::string> used;
  for (const auto& [name, shape] : huggingface_shapes(map.parts, logical_shapes)) {
    const std::string stored = stored_name(folder, map, name);
    if (stored.empty()) throw DataError(cat(place, ": there is no tensor '", name, "'"));
    const std::vector<int64_t>& found = folder.entry(stored).shape;
    if (found != shape) {
      throw DataError(cat(place, ": the tensor '", stored, "' has shape ", shape_text(found),
                          ", config.json makes it ", shape_text(shape)));
    }
    if (!at::isFloatingType(folder.entry(stored).type))
      throw DataError(cat(place, ": the tensor '", stored, "' is not of floating point"));
    stored_as[name] = stored;
    used.insert(stored);
  }
  for (const std::string& name : folder.names()) {
    if (used.contains(name) || is_unread(map, name)) continue;
    const std::string tied = tied_to(map, name);
    if (!tied.empty() && repeats(folder, name, folder.read(stored_as.at(tied)))) continue;
    throw DataError(cat(place, ": the tensor ", show_text(name),
                        tied.empty() ? " is not of this model"
                                     : cat(" differs from ", tied, ", to which it is tied")));
  }
  return stored_as;
}

}  // namespace

void visit_huggingface(const SafetensorsFolder& folder, const TensorMap& map,
                       const NamedShapes& logical_shapes, const std::string& place,
                       const TensorVisitor& visit) {
  const auto stored_as = stored_names(folder, map, logical_shapes, place);
  std::map<std::string, std::vector<TensorPart>> parts;
  for (const TensorPart& part : map.parts) parts[part.parameter].push_back(part);
  for (const auto& [parameter, of_one] : parts) {
    NamedTensors theirs;
    for (const TensorPart& part : of_one) {
      at::Tensor& tensor = theirs[part.name];
      if (!tensor.defined()) tensor = folder.read(stored_as.at(part.name));
    }
    visit(parameter, from_huggingface(of_one, theirs, logical_shapes).at(parameter));
  }
}

}  // namespace lmtrain
