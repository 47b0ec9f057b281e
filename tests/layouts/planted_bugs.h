// Bugs that distributed training is known for. They are planted from outside the code under test: a
// group of ranks, or a loader, does something else than it says. The comparison with one rank must
// see each of them.
#pragma once

#include <memory>
#include <string>

#include "data/loader.h"
#include "parallel/communicator.h"

namespace lmtrain {

enum class Bug {
  kNone,                   // no bug: the comparison must see no difference
  kMissingAllReduce,       // gradients are not summed
  kMeanOfMeans,            // each rank divides by its own number of targets
  kLabelShift,             // labels of one rank's samples are shifted
  kTiedWeightTwice,        // the tied weight is reduced twice
  kSharedDropoutOnTensor,  // every rank of the tensor axis drops as if it had the first heads
  kLostMessage,            // what owners of whole tensors send and are sent arrives as zeros
};

inline const char* name_of(Bug bug) {
  switch (bug) {
    case Bug::kNone:
      return "no bug";
    case Bug::kMissingAllReduce:
      return "a missing all-reduce";
    case Bug::kMeanOfMeans:
      return "a mean of means";
    case Bug::kLabelShift:
      return "labels shifted by one";
    case Bug::kTiedWeightTwice:
      return "a tied weight reduced twice";
    case Bug::kSharedDropoutOnTensor:
      return "dropout shared on the tensor axis";
    case Bug::kLostMessage:
      return "messages of whole tensors lost";
  }
  return "";
}

// The units of the models that are trained with bugs: head, two blocks, embedding, in the order of
// backward. Each must be one bucket.
inline constexpr int kUnits = 4;

// Wraps `inner`, which must outlive it, and puts a bug on the axes that are split off. `table` is
// the number of elements of the token table, with which the unit of the embedding begins.
class BuggyWorld : public Communicator {
 public:
  BuggyWorld(Communicator& inner, Bug bug, int64_t table, std::string axis = "world")
      : inner_(inner), bug_(bug), table_(table), axis_(std::move(axis)) {}

  int rank() const override {
    return bug_ == Bug::kSharedDropoutOnTensor && axis_ == "tensor" && has_begun_ ? 0
                                                                                  : inner_.rank();
  }
  int size() const override { return inner_.size(); }
  std::string name() const override { return inner_.name(); }

  WorkPtr all_reduce(at::Tensor tensor, ReduceOp op) override {
    has_begun_ = true;
    if (bug_ == Bug::kMissingAllReduce && axis_ == "data") return done();
    constexpr int64_t kCounts = 4;  // of what a batch trains on (Trainer::sum_over_data)
    if (bug_ == Bug::kMeanOfMeans && axis_ == "host_data" && tensor.numel() == kCounts) {
      tensor.mul_(size());
      return done();
    }
    if (bug_ == Bug::kTiedWeightTwice && axis_ == "data" && ++num_reduced_ % kUnits == 0)
      inner_.all_reduce(tensor.narrow(0, 0, table_), op)->wait();
    return inner_.all_reduce(tensor, op);
  }
  WorkPtr reduce_scatter(at::Tensor output, at::Tensor input) override {
    return inner_.reduce_scatter(output, input);
  }
  WorkPtr all_gather(at::Tensor output, at::Tensor input) override {
    return inner_.all_gather(output, input);
  }
  WorkPtr broadcast(at::Tensor tensor, int root) override { return inner_.broadcast(tensor, root); }
  WorkPtr send(at::Tensor tensor, int to) override { return inner_.send(tensor, to); }
  WorkPtr recv(at::Tensor tensor, int from) override {
    WorkPtr work = inner_.recv(tensor, from);
    if (bug_ != Bug::kLostMessage || axis_ != "data") return work;
    work->wait();
    tensor.zero_();
    return work;
  }
  void barrier() override { inner_.barrier(); }

  std::unique_ptr<Communicator> split(int color, const std::string& axis) override {
    std::unique_ptr<Communicator> part = inner_.split(color, axis);
    auto buggy = std::make_unique<BuggyWorld>(*part, bug_, table_, axis);
    buggy->owned_ = std::move(part);
    return buggy;
  }

 private:
  WorkPtr done() {
    const at::Tensor nothing = at::zeros({1});
    return inner_.all_reduce(nothing, ReduceOp::kSum);
  }

  std::unique_ptr<Communicator> owned_;
  Communicator& inner_;
  Bug bug_;
  int64_t table_;
  std::string axis_;
  bool has_begun_ = false;
  int64_t num_reduced_ = 0;
};

// The samples of `inner`, whose labels are one place late on ranks above 0.
class ShiftedLabels : public Loader {
 public:
  ShiftedLabels(const Loader& inner, int rank)
      : Loader(inner.sequence_length(), SampleOrder::kAsInFile, 0), inner_(inner), rank_(rank) {
    set_num_samples(inner.num_samples());
  }
  Batch empty_batch(std::span<const int64_t> indices) const override {
    return inner_.empty_batch(indices);
  }
  void fill_row(Batch& batch, size_t row, int64_t index) const override {
    inner_.fill_row(batch, row, index);
    if (rank_ == 0) return;
    const auto begin = batch.labels.begin() + static_cast<std::ptrdiff_t>(row) *
                                                  static_cast<std::ptrdiff_t>(sequence_length());
    std::rotate(begin, begin + 1, begin + static_cast<std::ptrdiff_t>(sequence_length()));
  }

 private:
  const Loader& inner_;
  int rank_;
};

}  // namespace lmtrain
