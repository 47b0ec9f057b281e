#include <ATen/ATen.h>

#include "base/error.h"
#include "parallel/communicator.h"

namespace lmtrain {
namespace {

struct FinishedWork : Work {
  void wait() override {}
};

class SingleCommunicator : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  std::string name() const override { return "single"; }

  WorkPtr all_reduce(at::Tensor, ReduceOp) override { return finished(); }
  WorkPtr reduce_scatter(at::Tensor output, at::Tensor input) override {
    return copy(output, input);
  }
  WorkPtr all_gather(at::Tensor output, at::Tensor input) override { return copy(output, input); }
  WorkPtr broadcast(at::Tensor, int) override { return finished(); }
  WorkPtr send(at::Tensor, int) override { return no_peer(); }
  WorkPtr recv(at::Tensor, int) override { return no_peer(); }
  void barrier() override {}
  std::unique_ptr<Communicator> split(int, const std::string&) override {
    return make_single_communicator();
  }

 private:
  static WorkPtr finished() { return std::make_shared<FinishedWork>(); }
  static WorkPtr no_peer() { throw std::logic_error("a group of one rank has no peer to talk to"); }
  static WorkPtr copy(at::Tensor& output, const at::Tensor& input) {
    if (!output.is_alias_of(input)) output.copy_(input.view_as(output));
    return finished();
  }
};

}  // namespace

std::unique_ptr<Communicator> make_single_communicator() {
  return std::make_unique<SingleCommunicator>();
}

std::vector<at::Tensor> gather_parts(Communicator& group, const at::Tensor& mine) {
  if (group.size() == 1) return {mine};
  std::vector<int64_t> shape = mine.sizes().vec();
  shape.insert(shape.begin(), group.size());
  const at::Tensor all = at::empty(shape, mine.options());
  group.all_gather(all, mine.contiguous())->wait();
  return all.unbind(0);
}

std::vector<std::string> gather_texts(Communicator& group, const std::string& mine) {
  const auto length_of = [](const std::string& text) { return static_cast<int64_t>(text.size()); };
  const at::Tensor lengths = at::empty({group.size()}, at::kLong);
  group.all_gather(lengths, at::tensor({length_of(mine)}, at::kLong))->wait();
  const int64_t longest = std::max<int64_t>(1, lengths.max().item<int64_t>());
  const int64_t words = (longest + 7) / 8;  // int64 is what every back end carries
  const at::Tensor input = at::zeros({words}, at::kLong);
  std::copy(mine.begin(), mine.end(), static_cast<char*>(input.data_ptr()));
  const at::Tensor output = at::empty({group.size(), words}, at::kLong);
  group.all_gather(output, input)->wait();
  std::vector<std::string> texts;
  for (int rank = 0; rank < group.size(); ++rank) {
    const auto length = static_cast<size_t>(lengths[rank].item<int64_t>());
    texts.emplace_back(static_cast<const char*>(output[rank].data_ptr()), length);
  }
  return texts;
}

std::string broadcast_text(Communicator& group, const std::string& mine) {
  const at::Tensor length = at::tensor({static_cast<int64_t>(mine.size())}, at::kLong);
  group.broadcast(length, 0)->wait();
  const auto size = length.item<int64_t>();
  if (size == 0) return "";
  const at::Tensor words = at::zeros({(size + 7) / 8}, at::kLong);
  if (group.rank() == 0) std::copy(mine.begin(), mine.end(), static_cast<char*>(words.data_ptr()));
  group.broadcast(words, 0)->wait();
  return {static_cast<const char*>(words.const_data_ptr()), static_cast<size_t>(size)};
}

}  // namespace lmtrain
