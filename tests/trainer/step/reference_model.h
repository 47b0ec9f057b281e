// A model of transformers with its weights and what it computed in fp64
// (scripts/make_reference.py), and lmtrain's model of it with the same weights. Weights come in and
// gradients go out by the tensor map, under the names of transformers.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "models/families/families.h"
#include "models/huggingface/safetensors.h"
#include "models/huggingface/tensor_map.h"
#include "models/model.h"
#include "models/model_sizes.h"
#include "tests/test_device.h"

namespace lmtrain {

inline double largest(const at::Tensor& tensor) { return tensor.abs().max().item<double>(); }

struct ReferenceModel {
  // `name`: a folder of tests/fixtures/models.
  ReferenceModel(const std::string& name, at::ScalarType type)
      : folder(std::string(LMTRAIN_SOURCE_DIR "/tests/fixtures/models/") + name),
        reference(model_from_json(nlohmann::json::parse(read_file(folder / "config.json")), name)),
        expected(folder / "expected.safetensors"),
        store(type, kTestDevice) {
    const SafetensorsFolder files(folder);
    complete_by_files(reference, files);
    config = reference.config;
    config.vocab_size += 3;  // padded rows must change nothing
    config.dropout = 0.0;
    model = make_model(config, reference.num_tokens, store, *alone);
    store.allocate(1);
    map = tensor_map_of(config, reference.num_tokens);
    const NamedShapes shapes = logical_shapes(store);
    NamedTensors ours;
    visit_huggingface(files, map, shapes, name,
                      [&](const std::string& parameter, const at::Tensor& logical) {
                        ours[parameter] = logical;
                      });
    for (Parameter* parameter : store.parameters())
      parameter->unpadded(parameter->master()).copy_(ours.at(parameter->spec().name));
    store.refresh_compute();
  }

  at::Tensor on_device(const std::string& name) const {
    return expected.read(name).to(kTestDevice);
  }

  // Masters or gradients of all parameters, as transformers names and cuts them, in fp64.
  NamedTensors exported(const std::function<at::Tensor(const Parameter&)>& of) const {
    NamedTensors ours;
    for (const Parameter* parameter : store.parameters()) {
      ours[parameter->spec().name] = parameter->unpadded(of(*parameter)).to(at::kCPU, at::kDouble);
    }
    return to_huggingface(map.parts, ours);
  }

  // Largest error of any gradient over (largest of that tensor + 1e-3 of the largest of all).
  double gradient_error() const {
    const NamedTensors got = exported([](const Parameter& p) { return p.gradient(); });
    double largest_of_all = 0;
    for (const auto& [name, tensor] : got)
      largest_of_all = std::max(largest_of_all, largest(expected.read("gradient." + name)));
    double worst = 0;
    for (const auto& [name, tensor] : got) {
      const at::Tensor want = expected.read("gradient." + name);
      worst = std::max(worst, largest(tensor - want) / (largest(want) + 1e-3 * largest_of_all));
    }
    return worst;
  }

  std::filesystem::path folder;
  HuggingfaceModel reference;
  SafetensorsFile expected;
  ModelConfig config;  // with padded rows and without dropout
  TensorMap map;
  std::unique_ptr<Communicator> alone = make_single_communicator();
  ParameterStore store;
  std::unique_ptr<Model> model;
};

}  // namespace lmtrain
