#include "models/embedding.h"

#include <ATen/ATen.h>

#include "models/functions.h"

namespace lmtrain {
namespace {

// Which ids are in this rank's rows, and their local row (0 for the others).
struct LocalIds {
  at::Tensor rows;
  at::Tensor inside;  // [.., 1]
};

LocalIds local_ids(const at::Tensor& ids, const Parameter& table) {
  const ParameterSpec& spec = table.spec();
  const int64_t count = table.weight().size(0);
  const at::Tensor shifted = ids - spec.shard_index * count;
  const at::Tensor inside = shifted.ge(0).logical_and(shifted.lt(count));
  return {shifted.mul(inside), inside.unsqueeze(-1)};
}

struct EmbeddingFunction : torch::autograd::Function<EmbeddingFunction> {
  // `anchor` is an empty tensor that requires a gradient: ids do not, and autograd would not
  // record.
  static at::Tensor forward(AutogradContext* context, const at::Tensor&, const at::Tensor& ids,
                            Parameter* table, Communicator* tensor_axis) {
    context->save_for_backward({ids});
    save_pointer(context, "table", table);
    const LocalIds local = local_ids(ids, *table);
    at::Tensor y = at::embedding(table->weight(), local.rows);
    if (tensor_axis->size() > 1) {
      y.mul_(local.inside);
      tensor_axis->all_reduce(y, ReduceOp::kSum)->wait();
    }
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    auto* table = saved_pointer<Parameter>(context, "table");
    const LocalIds local = local_ids(context->get_saved_variables()[0], *table);
    const bool is_whole = table->spec().num_shards == 1;
    const at::Tensor dy = is_whole ? gradients[0] : gradients[0] * local.inside;
    table->add_gradient_at(local.rows.reshape({-1}), as_rows(dy));
    table->report_use();
    return {{}, {}, {}, {}};
  }
};

}  // namespace

Parameter& add_embedding_table(ParameterStore& store, ParameterUnit& unit, const std::string& name,
                               int64_t num_logical_rows, int64_t num_rows, int64_t features,
                               Communicator& tensor_axis, double init_std, int uses) {
  ParameterSpec spec;
  spec.name = name;
  spec.logical_shape = {num_logical_rows, features};
  spec.padded_shape = {num_rows, features};
  spec.shard_dim = 0;
  spec.shard_index = tensor_axis.rank();
  spec.num_shards = tensor_axis.size();
  spec.init_std = init_std;
  spec.uses_per_micro_batch = uses;
  return store.add(unit, std::move(spec));
}

at::Tensor Embedding::operator()(const at::Tensor& ids) const {
  const at::Tensor anchor =
      at::empty({0}, table_.master().options()).requires_grad_(at::GradMode::is_enabled());
  return EmbeddingFunction::apply(anchor, ids, &table_, &tensor_axis_);
}

}  // namespace lmtrain
