#include "models/embedding.h"

#include <ATen/ATen.h>

#include "models/functions.h"

namespace lmtrain {
namespace {

// Which ids are in this rank's rows of the table, and their local row (0 for the others).
struct LocalIds {
  at::Tensor rows;
  at::Tensor inside;  // [.., 1]
};

LocalIds local_ids(const at::Tensor& ids, const Parameter& table) {
  const ParameterSpec& spec = table.spec();
  const int64_t count = spec.local_shape()[0];
  const at::Tensor shifted = ids - spec.shard_index * count;
  const at::Tensor inside = shifted.ge(0).logical_and(shifted.lt(count));
  return {shifted.mul(inside), inside.unsqueeze(-1)};
}

struct EmbeddingFunction : torch::autograd::Function<EmbeddingFunction> {
  // The unnamed argument, `anchor` of the caller, is an empty tensor that requires a gradient. Ids
  // require none, so autograd would not record the lookup without it.
  static at::Tensor forward(AutogradContext* context, const at::Tensor&, const at::Tensor& ids,
                            Parameter* table, const TensorAxis& axis) {
    save_pointer(context, "table", table);
    save_axis(context, axis);
    const bool is_whole = !table->spec().is_cut();
    const at::Tensor mine = is_whole ? own_rows(ids, axis) : ids;
    context->save_for_backward({mine});
    if (is_whole) return at::embedding(table->weight(), mine);
    const LocalIds local = local_ids(mine, *table);
    return sum_rows(at::embedding(table->weight(), local.rows).mul_(local.inside), axis);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    auto* table = saved_pointer<Parameter>(context, "table");
    const at::Tensor ids = context->get_saved_variables()[0];
    if (!table->spec().is_cut()) {
      table->add_gradient_at(ids, as_rows(gradients[0]));
    } else {
      const LocalIds local = local_ids(ids, *table);
      const at::Tensor dy = gather_rows(as_rows(gradients[0]), saved_axis(context));
      table->add_gradient_at(local.rows, dy * local.inside);
    }
    table->report_use();
    return {{}, {}, {}, {}};
  }
};

ParameterSpec table_spec(const std::string& name, TableRows rows, int64_t features,
                         double init_std) {
  ParameterSpec spec;
  spec.name = name;
  spec.logical_shape = {rows.logical, features};
  spec.padded_shape = {rows.all, features};
  spec.shard_dim = 0;
  spec.init_std = init_std;
  return spec;
}

}  // namespace

Parameter& add_cut_table(ParameterStore& store, ParameterUnit& unit, const std::string& name,
                         TableRows rows, int64_t features, const TensorAxis& tensor_axis,
                         double init_std, TableUse use) {
  const int64_t parts = tensor_axis.size();
  rows.all = (rows.all + parts - 1) / parts * parts;
  ParameterSpec spec = table_spec(name, rows, features, init_std);
  spec.shard_index = tensor_axis.group->rank();
  spec.num_shards = tensor_axis.size();
  spec.uses_per_micro_batch = use == TableUse::kEmbeddingAndHead ? 2 : 1;
  if (use != TableUse::kEmbedding) spec.multiplied = Multiplied::kPerTarget;
  return store.add(unit, std::move(spec));
}

Parameter& add_whole_table(ParameterStore& store, ParameterUnit& unit, const std::string& name,
                           int64_t rows, int64_t features, const TensorAxis& tensor_axis,
                           double init_std) {
  ParameterSpec spec = table_spec(name, {rows, rows}, features, init_std);
  spec.gradient_axes = tensor_axis.axes_of_row_gradients();
  return store.add(unit, std::move(spec));
}

at::Tensor Embedding::operator()(const at::Tensor& ids) const {
  const bool is_recorded = at::GradMode::is_enabled() && table_.is_trained();
  const at::Tensor anchor =
      at::empty({0}, table_.unit().master().options()).requires_grad_(is_recorded);
  return EmbeddingFunction::apply(anchor, ids, &table_, tensor_axis_);
}

at::Tensor embedded_tokens(const ModelInput& input, Parameter& table,
                           const TensorAxis& tensor_axis) {
  if (!input.token_vectors.defined()) return Embedding(table, tensor_axis)(input.ids.flatten());
  TORCH_CHECK(!tensor_axis.cuts_rows, "vectors in place of ids are read where no rows are cut");
  return as_rows(input.token_vectors);
}

at::Tensor token_vectors(const at::Tensor& ids, Parameter& table, const TensorAxis& tensor_axis) {
  const at::NoGradGuard no_gradients;
  return gather_rows(Embedding(table, tensor_axis)(ids.flatten()), tensor_axis)
      .view({ids.size(0), ids.size(1), -1});
}

}  // namespace lmtrain
