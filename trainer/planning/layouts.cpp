#include "trainer/planning/layouts.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <tuple>

#include "base/error.h"
#include "base/text.h"
#include "data/tokenizer/tokenizer.h"
#include "models/model_sizes.h"
#include "trainer/planning/optimizer_state.h"
#include "trainer/step/trained_parameters.h"

namespace lmtrain {
namespace {

constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;

// The share of a link's bandwidth on its data sheet that collectives reach.
constexpr double kShareOfLink = 0.8;
// Communication that runs beside computing slows it down, because it takes cores or
// multiprocessors: the share of its own time that it costs.
constexpr double kCostOfHiddenOnCpu = 0.5;
constexpr double kCostOfHiddenOnGpu = 0.1;
// Bytes that an update in fp32 reads and writes for each element: weight, gradient, both moments,
// and the compute copy.
constexpr double kUpdateBytes = 30.0;

double compute_element(const Config& config) {
  return static_cast<double>(compute_element_bytes(config.train.precision));
}
double reduced_element(const Config& config) {
  if (config.parallel.reduce_type == ReduceType::kBf16) return 2;
  return static_cast<double>(master_element_bytes(config.train.precision));
}

// Bytes that each rank of a group sends in a reduce-scatter or all-gather of `bytes`.
double one_way(double bytes, int64_t ranks) {
  return bytes * static_cast<double>(ranks - 1) / static_cast<double>(ranks);
}

// Estimates what depends on the layout.
class Planner {
 public:
  Planner(const Config& config, int64_t vocab_size, int64_t num_ranks, const MachineSpec& machine)
      : config_(config), vocab_size_(vocab_size), num_ranks_(num_ranks), machine_(machine) {
    config_.model.vocab_size = vocab_size;
    products_ = products_of(declared(/*tensor=*/1));
  }

  LayoutPlan plan(const ParallelConfig& parallel) {
    Config config = config_;
    config.parallel = parallel;
    LayoutPlan plan;
    plan.parallel = parallel;
    plan.data = num_ranks_ / parallel.tensor;
    plan.memory = estimate_memory(
        config.model, declared(parallel.tensor),
        memory_plan(config, vocab_size_, num_ranks_, std::min(num_ranks_, machine_.ranks_per_node),
                    machine_.on_cpu));
    plan.fits = plan.memory.total() <= machine_.memory_bytes;
    add_times(config, plan);
    return plan;
  }

 private:
  // Many layouts cut the model into the same parts.
  const ParameterStore& declared(int64_t tensor) {
    std::unique_ptr<ParameterStore>& parts = declared_[tensor];
    if (!parts)
      parts = declared_parameters(config_.model, vocab_size_, tensor, trained_parameters(config_));
    return *parts;
  }

  void add_times(const Config& config, LayoutPlan& plan) {
    const ParallelConfig& parallel = plan.parallel;
    const auto parameters =
        static_cast<double>(sizes_of(declared(parallel.tensor)).numel_on_rank());
    const double tokens = static_cast<double>(config.train.global_batch_size) *
                          static_cast<double>(config.data.sequence_length) /
                          static_cast<double>(plan.data);
    const double micro_batches = static_cast<double>(config.train.global_batch_size / plan.data) /
                                 static_cast<double>(config.train.micro_batch_size);
    plan.compute_seconds =
        tokens * flops_per_token(config) / static_cast<double>(parallel.tensor) / machine_.flops;
    plan.data_bytes = data_bytes(config, plan, parameters, micro_batches);
    plan.tensor_bytes = tensor_bytes(config, plan, tokens);
    plan.optimizer_seconds = optimizer_seconds(config, plan, parameters);

    // Nothing hides the communication of the tensor axis. Sums over the data axis run beside the
    // backward passes that make them, and gathers of weights run beside all passes.
    const double tensor_time = plan.tensor_bytes / bandwidth(parallel.tensor);
    const double data_time = plan.data_bytes / bandwidth(num_ranks_);
    const double passes = parallel.zero >= 2 ? micro_batches : 1.0;
    const double part = parallel.zero >= 3 ? 1.0 : 2.0 / 3.0;
    const double hidden = plan.compute_seconds * part * passes / micro_batches;
    plan.exposed_seconds =
        tensor_time + std::max(0.0, data_time - hidden) +
        std::min(data_time, hidden) * (machine_.on_cpu ? kCostOfHiddenOnCpu : kCostOfHiddenOnGpu);
  }

  // Elements are updated as fast as memory moves. Tensors of whole matrices travel to their owners
  // and back, which nothing hides, and the owners multiply.
  double optimizer_seconds(const Config& config, const LayoutPlan& plan, double parameters) {
    const auto data = static_cast<double>(plan.data);
    const bool is_sharded = plan.parallel.zero > 0;
    const StateSize state =
        state_size(config.optimizer, declared(plan.parallel.tensor), num_ranks_);
    const double whole = static_cast<double>(state.all_groups) *
                         static_cast<double>(master_element_bytes(config.train.precision));
    const double sent =
        is_sharded ? 2.0 * one_way(whole / data, num_ranks_)
                   : one_way(whole, plan.data) + 2.0 * one_way(whole / data, plan.parallel.tensor);
    return parameters / (is_sharded ? data : 1.0) * kUpdateBytes / machine_.memory_bandwidth +
           sent / bandwidth(num_ranks_) + state.owner_flops / machine_.flops;
  }

  double bandwidth(int64_t ranks_of_group) const {
    return kShareOfLink * (ranks_of_group <= machine_.ranks_per_node ? machine_.node_bandwidth
                                                                     : machine_.network_bandwidth);
  }

  double flops_per_token(const Config& config) const {
    const double target_share =
        config.model.traits().predicts_next_token() ? 1.0 : config.data.masking.fraction;
    const int64_t length = config.data.sequence_length;
    const double forward =
        forward_flops_per_token(config.model, products_.forward, length, target_share);
    const double head = target_share * 2.0 * static_cast<double>(products_.forward.per_target);
    double again = 0;
    if (config.parallel.recompute == Recompute::kFull) again = forward - head;
    if (config.parallel.recompute == Recompute::kSelective) {
      const auto queries = static_cast<double>(config.model.num_heads * config.model.head_width());
      again = static_cast<double>(config.model.num_layers) * 2.0 * queries *
              static_cast<double>(length);
    }
    return training_flops_per_token(config.model, products_, length, target_share) + again;
  }

  double data_bytes(const Config& config, const LayoutPlan& plan, double parameters,
                    double micro_batches) const {
    const double gradients = one_way(parameters * reduced_element(config), plan.data);
    const double weights = one_way(parameters * compute_element(config), plan.data);
    switch (plan.parallel.zero) {
      case 0:
        return 2.0 * gradients;
      case 1:
        return gradients + weights;
      case 2:
        return micro_batches * gradients + weights;
      default:
        return micro_batches * (gradients + 2.0 * weights);
    }
  }

  // Each block sums its rows twice forward and twice backward, and so do embedding and head.
  static double tensor_bytes(const Config& config, const LayoutPlan& plan, double tokens) {
    if (plan.parallel.tensor == 1) return 0;
    const double rows =
        tokens * static_cast<double>(config.model.hidden_size) * compute_element(config);
    const double sum = 2.0 * one_way(rows, plan.parallel.tensor);
    // Scattered rows are gathered in front of each column layer, once more in backward.
    const double gathers = plan.parallel.sequence ? 2.0 * one_way(rows, plan.parallel.tensor) : 0.0;
    const double again = plan.parallel.recompute == Recompute::kFull ? 2.0 * sum : 0.0;
    return static_cast<double>(config.model.num_layers) * (4.0 * sum + gathers + again) + 2.0 * sum;
  }

  Config config_;
  int64_t vocab_size_;
  ModelProducts products_;
  int64_t num_ranks_;
  const MachineSpec& machine_;
  std::map<int64_t, std::unique_ptr<ParameterStore>> declared_;  // by ranks of the tensor axis
};

std::string divisors_text(int64_t size) {
  constexpr int64_t kMost = 64;
  std::vector<std::string> divisors;
  for (int64_t i = 1; i <= std::min(size, kMost); ++i) {
    if (size % i == 0) divisors.push_back(cat(i));
  }
  return cat("it may be ", join(divisors, ", "));
}

bool divides_batch(const Config& config, int64_t data) {
  return config.train.global_batch_size % (data * config.train.micro_batch_size) == 0;
}

}  // namespace

int64_t planned_vocab_size(const Config& config) {
  const std::string& path = config.tokenizer.path;
  const int64_t entries = !path.empty() && has_tokenizer(path) ? Tokenizer::load(path).vocab_size()
                                                               : config.tokenizer.vocab_size;
  return std::max(config.model.vocab_size, entries);
}

std::string why_not_tensor(const Config& config, int64_t tensor, bool sequence) {
  const ModelConfig& model = config.model;
  const auto check = [&](const std::string& what, int64_t size) -> std::string {
    if (size % tensor == 0) return "";
    return cat("parallel.tensor = ", tensor, " does not divide ", what, " = ", size, "; ",
               divisors_text(size));
  };
  const bool groups = model.kv_heads() != model.num_heads;
  std::string reason = check(groups ? "model.num_kv_heads" : "model.num_heads", model.kv_heads());
  if (reason.empty()) reason = check("the feed-forward width", model.traits().intermediate_size);
  if (reason.empty() && sequence) {
    reason = check("data.sequence_length with parallel.sequence", config.data.sequence_length);
  }
  return reason;
}

std::vector<LayoutPlan> plan_layouts(const Config& config, int64_t vocab_size, int64_t num_ranks,
                                     const MachineSpec& machine) {
  Planner planner(config, vocab_size, num_ranks, machine);
  std::vector<LayoutPlan> plans;
  for (int64_t tensor = 1; tensor <= num_ranks; ++tensor) {
    if (num_ranks % tensor != 0 || !divides_batch(config, num_ranks / tensor)) continue;
    for (const bool sequence : {false, true}) {
      if ((sequence && tensor == 1) || !why_not_tensor(config, tensor, sequence).empty()) continue;
      for (int64_t zero = 0; zero <= (num_ranks > tensor ? 3 : 0); ++zero) {
        for (const Recompute recompute :
             {Recompute::kNone, Recompute::kSelective, Recompute::kFull}) {
          ParallelConfig parallel = config.parallel;
          parallel.layout = LayoutMode::kManual;
          parallel.tensor = tensor;
          parallel.sequence = sequence;
          parallel.zero = zero;
          parallel.recompute = recompute;
          plans.push_back(planner.plan(parallel));
        }
      }
    }
  }
  std::stable_sort(plans.begin(), plans.end(), [](const LayoutPlan& a, const LayoutPlan& b) {
    const auto order = [](const LayoutPlan& p) {
      return std::tuple(!p.fits, p.fits ? p.step_seconds() : 0.0, p.memory.total());
    };
    return order(a) < order(b);
  });
  return plans;
}

std::string layout_text(const ParallelConfig& parallel, int64_t num_ranks) {
  std::string text = cat("data ", num_ranks / parallel.tensor, " x tensor ", parallel.tensor,
                         parallel.sequence ? " with sequence parallelism" : "", ", zero ",
                         parallel.zero, ", recompute ", parallel.recompute);
  if (parallel.reduce_type != ReduceType::kFp32)
    text += cat(", gradients travel as ", parallel.reduce_type);
  return text;
}

std::string layout_table(const std::vector<LayoutPlan>& plans, size_t most) {
  std::string table = cat("  # data tensor sequence zero recompute  GiB a rank    GiB sent a step",
                          "   s a step  of it computing  waiting  updating\n");
  for (size_t i = 0; i < std::min(most, plans.size()); ++i) {
    const LayoutPlan& p = plans[i];
    char line[160];
    std::snprintf(line, sizeof line,
                  "%3zu %4ld %6ld %8s %4ld %-9s %8.2f%s %8.2f + %-7.2f %9.3g %15.3g %8.3g %9.3g\n",
                  i + 1, p.data, p.parallel.tensor, p.parallel.sequence ? "yes" : "-",
                  p.parallel.zero, cat(p.parallel.recompute).c_str(),
                  static_cast<double>(p.memory.total()) / kGiB, p.fits ? "   " : " ! ",
                  p.data_bytes / kGiB, p.tensor_bytes / kGiB, p.step_seconds(), p.compute_seconds,
                  p.exposed_seconds, p.optimizer_seconds);
    table += line;
  }
  return table;
}

}  // namespace lmtrain
