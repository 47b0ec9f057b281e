// Compares layouts with one rank, many in one job: layout_matrix [--all [FIRST]], where FIRST
// continues a run that was stopped after so many cells. Each cell trains a tiny model for 50 steps,
// and every loss, gradient and weight is compared. Then bugs are planted that the comparison must
// see. Rank 0 prints a table; the exit code is 1 when a cell differs or a bug is missed.
#include <algorithm>
#include <cstdio>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include "base/text.h"
#include "parallel/launch.h"
#include "parallel/staged_communicator.h"
#include "tests/layouts/cells.h"
#include "tests/layouts/planted_bugs.h"
#include "tests/layouts/synthetic_loader.h"
#include "tests/test_device.h"
#include "trainer/verify/layout_run.h"
#include "trainer/verify/verify.h"

namespace lmtrain {
namespace {

LayoutRunInput input_of(const Config& config, const Loader& loader) {
  LayoutRunInput input;
  input.train = &loader;
  input.validation = &loader;
  input.num_validation_samples = 7;  // the last batch is not full
  input.num_tokens = config.model.vocab_size;
  input.device = kTestDevice;
  input.num_steps = config.train.steps;
  input.num_gradient_steps = 10;
  return input;
}

class Matrix {
 public:
  explicit Matrix(Launch& launch) : launch_(launch) {}

  // Runs a cell and returns whether it is as it should be: equal to one rank, or different from it
  // where a `bug` other than kNone is planted.
  bool run_cell(const Cell& cell, std::optional<Bug> bug = {}) {
    Config config = cell.config();
    if (bug) config.parallel.bucket_mib = 1.0;
    const SyntheticLoader loader(config.model, kPositions);
    const Reference& reference = reference_of(cell, loader);
    const bool computes = launch_.rank() < cell.ranks;
    const std::unique_ptr<Communicator> ranks = launch_.world().split(computes ? 0 : 1, "cell");
    bool is_equal = true;
    if (computes) {
      const LayoutRun found = run_on(*ranks, config, loader, bug);
      if (launch_.rank() == 0) is_equal = report(cell, found, reference, bug);
    }
    return !launch_.any(!is_equal);
  }

  // Runs two cells and returns whether they are the same to the bit.
  bool run_bitwise(const Cell& a, const Cell& b) {
    const std::unique_ptr<Communicator> ranks =
        launch_.world().split(launch_.rank() < a.ranks ? 0 : 1, "cell");
    bool is_equal = true;
    if (launch_.rank() < a.ranks) {
      const SyntheticLoader loader(a.config().model, kPositions);
      const LayoutRun first = run_on(*ranks, a.config(), loader, {});
      const LayoutRun second = run_on(*ranks, b.config(), loader, {});
      if (launch_.rank() == 0) {
        const LayoutDifference d = difference(first, second);
        is_equal = d.is_zero() && d.is_same_data;
        std::printf("%-46s %-22s %s, as %s\n", a.subject().c_str(), a.layout().c_str(),
                    is_equal ? "equal to the bit" : "DIFFERENT BITS", b.layout().c_str());
        std::fflush(stdout);
      }
    }
    return !launch_.any(!is_equal);
  }

 private:
  const Reference& reference_of(const Cell& cell, const Loader& loader) {
    const auto found = references_.find(cell.subject());
    if (found != references_.end()) return found->second;
    Config config = on_one_rank(cell.config());
    config.train.micro_batch_size = cell.global_batch() / 4 / cell.accumulation;
    return references_
        .emplace(cell.subject(), make_reference(config, input_of(config, loader), launch_.world()))
        .first->second;
  }

  LayoutRun run_on(Communicator& ranks, const Config& config, const Loader& loader,
                   std::optional<Bug> bug) {
    const std::unique_ptr<Communicator> staged =
        kTestDevice.is_cpu() ? nullptr : make_staged_communicator(ranks);
    const auto tensor = static_cast<int>(config.parallel.tensor);
    Communicator& device = staged ? *staged : ranks;
    if (!bug) {
      Mesh mesh(ranks, device, tensor);
      return run_layout(config, input_of(config, loader), mesh);
    }
    const int64_t table = config.model.vocab_size * config.model.hidden_size;
    BuggyWorld host(ranks, *bug, table);
    BuggyWorld buggy_device(device, *bug, table);
    Mesh mesh(host, buggy_device, tensor);
    if (bug != Bug::kLabelShift) return run_layout(config, input_of(config, loader), mesh);
    const ShiftedLabels shifted(loader, ranks.rank());
    return run_layout(config, input_of(config, shifted), mesh);
  }

  // Prints a line of the table and returns whether all is as it should be: equal to one rank, or,
  // with a bug other than kNone, gradients that differ.
  static bool report(const Cell& cell, const LayoutRun& found, const Reference& reference,
                     std::optional<Bug> bug) {
    const LayoutDifference d = difference(found, reference.run);
    const LayoutVerdict verdict =
        judge(d, reference.spread_of(cell.config().parallel), cell.precision);
    const bool clipped = std::ranges::any_of(found.steps, [&](const StepResult& step) {
      return cell.precision != Precision::kFp64 ||
             step.gradient_norm > cell.config().train.clip_grad_norm;
    });
    bool good = verdict.is_equal && clipped;
    std::string said = good ? "equal" : clipped ? verdict.reason : "NO STEP WAS CLIPPED";
    if (bug && *bug != Bug::kNone) {
      good = d.gradient > 1e-6;
      said = good ? "caught" : "MISSED";
    }
    if (bug) said += cat(": ", name_of(*bug));
    std::printf("%-46s %-22s %9.1e %9.1e %9.1e  %s\n", cell.subject().c_str(),
                cell.layout().c_str(), d.loss, d.gradient, d.weight, said.c_str());
    std::fflush(stdout);
    return good;
  }

  Launch& launch_;
  std::map<std::string, Reference> references_;  // by subject; rank 0
};

bool run_cells(Matrix& matrix, const std::vector<Cell>& cells) {
  bool all_equal = true;
  for (const Cell& cell : cells) all_equal = matrix.run_cell(cell) && all_equal;
  return all_equal;
}

// Settings that change the order of no sum must not change a bit.
bool run_bitwise_pairs(Matrix& matrix) {
  bool all_equal = true;
  for (const char* model : {"gpt2", "llama", "bert"}) {
    Cell plain;
    plain.model = model;
    plain.precision = Precision::kBf16;
    plain.drops = true;
    plain.ranks = 2;
    const auto check = [&](auto change) {
      Cell other = plain;
      change(other);
      all_equal = matrix.run_bitwise(other, plain) && all_equal;
    };
    check([](Cell&) {});  // run again
    for (const int64_t zero : {1, 2, 3}) check([&](Cell& c) { c.zero = zero; });
    for (const Recompute recompute : {Recompute::kSelective, Recompute::kFull})
      check([&](Cell& c) { c.recompute = recompute; });
    plain.optimizer = OptimizerKind::kMuon;
    for (const int64_t zero : {1, 2, 3}) check([&](Cell& c) { c.zero = zero; });
  }
  return all_equal;
}

bool find_planted_bugs(Matrix& matrix) {
  Cell cell;
  cell.drops = true;
  cell.ranks = 2;
  bool all_good = true;
  Cell muon = cell;
  muon.optimizer = OptimizerKind::kMuon;
  for (const Bug bug : {Bug::kNone, Bug::kLostMessage}) {
    for (const int64_t zero : {0, 2}) {
      muon.zero = zero;
      all_good = matrix.run_cell(muon, bug) && all_good;
    }
  }
  for (const auto& [bug, tensor] :
       {std::pair{Bug::kNone, 1}, std::pair{Bug::kNone, 2}, std::pair{Bug::kMissingAllReduce, 1},
        std::pair{Bug::kMeanOfMeans, 1}, std::pair{Bug::kLabelShift, 1},
        std::pair{Bug::kTiedWeightTwice, 1}, std::pair{Bug::kSharedDropoutOnTensor, 2}}) {
    cell.tensor = tensor;
    all_good = matrix.run_cell(cell, bug) && all_good;
  }
  return all_good;
}

}  // namespace
}  // namespace lmtrain

int main(int argc, char** argv) {
  using namespace lmtrain;
  Launch launch(&argc, &argv);
  at::set_num_threads(1);
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
  at::globalContext().setDeterministicFillUninitializedMemory(false);
  if (!kTestDevice.is_cpu() && !at::hasCUDA()) return 77;  // skipped: no GPU is visible
  const bool all = argc > 1 && std::string_view(argv[1]) == "--all";
  std::vector<Cell> cells = all ? all_cells(launch.size()) : pairwise_cells(launch.size());
  const auto first = static_cast<std::ptrdiff_t>(argc > 2 ? std::stoul(argv[2]) : 0);
  cells.erase(cells.begin(), cells.begin() + std::min(first, std::ssize(cells)));
  if (launch.rank() == 0) {
    std::printf(
        "%zu cells on up to %d ranks; layouts are data x tensor, s: sequence parallel\n"
        "%-46s %-22s %9s %9s %9s\n",
        cells.size(), launch.size(), "model", "layout", "loss", "gradient", "weight");
  }
  Matrix matrix(launch);
  bool good = run_cells(matrix, cells);
  if (launch.size() > 1) {
    good = run_bitwise_pairs(matrix) && good;
    good = find_planted_bugs(matrix) && good;
  }
  if (launch.rank() == 0) std::printf("%s\n", good ? "all as they should be" : "FAILED");
  return good ? 0 : 1;
}
