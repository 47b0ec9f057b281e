#include <algorithm>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/text.h"
#include "trainer/planning/feasibility.h"

namespace lmtrain {
namespace {

void check_vocabulary(const LoadedConfig& loaded, int64_t tokenizer_vocab_size) {
  const int64_t rows = loaded.config.model.vocab_size;
  if (rows == 0 || rows >= tokenizer_vocab_size) return;
  throw ConfigError(cat(place_of(loaded, {"model.vocab_size"}), "model.vocab_size = ", rows,
                        " is less than the tokenizer's ", tokenizer_vocab_size,
                        " entries; make it 0 to take those, or a larger number"));
}

void check_amount_of_text(const LoadedConfig& loaded, int64_t num_samples) {
  const Config& c = loaded.config;
  if (num_samples >= c.train.global_batch_size) return;
  throw DataError(cat(place_of(loaded, {"train.global_batch_size", "data.sources"}),
                      "the training text has ", num_samples,
                      " sequences of data.sequence_length = ", c.data.sequence_length,
                      ", fewer than train.global_batch_size = ", c.train.global_batch_size,
                      "; add text or lower one of the two"));
}

void check_disk(const LoadedConfig& loaded, int64_t vocab_size, int64_t free_bytes) {
  const Config& c = loaded.config;
  const int64_t need = 2 * checkpoint_bytes(c, vocab_size);
  if (free_bytes >= need) return;
  throw ConfigError(cat(place_of(loaded, {"run.dir", "run.name"}),
                        "two checkpoints of this model take ", human_bytes(need),
                        ", but run.dir = ", c.run.dir, " has ", human_bytes(free_bytes),
                        " free; free some or choose another run.dir"));
}

void check_memory(const LoadedConfig& loaded, int64_t vocab_size, const MachineFacts& facts) {
  const Config& c = loaded.config;
  const MemoryEstimate need =
      estimate_memory(c.model, memory_plan(c, vocab_size, facts.num_ranks, facts.ranks_on_node,
                                           /*on_cpu=*/!facts.device_memory_bytes.has_value()));
  const std::string advice =
      "lower train.micro_batch_size, data.sequence_length or the model's size, or shard it "
      "(parallel.zero, parallel.tensor, parallel.recompute; lmtrain layouts lists what fits)";
  const std::string place = place_of(loaded, {"train.micro_batch_size", "model.hidden_size"});
  // Saves beside training need room for a copy of their own.
  const auto saves_are_all_that_is_too_much = [&](int64_t node_need) {
    return c.checkpoint.asynchronous &&
           node_need - need.snapshot * facts.ranks_on_node <= facts.memory.bytes;
  };
  const std::string advice_on_saves =
      "set checkpoint.asynchronous=false, which needs no copy for saves beside training";
  if (facts.device_memory_bytes) {
    if (need.total() > *facts.device_memory_bytes) {
      throw ConfigError(cat(place, "each rank needs about ", human_bytes(need.total()), " (",
                            need.summary(), "), but its GPU has ",
                            human_bytes(*facts.device_memory_bytes), " free; ", advice));
    }
    const int64_t of_host = (need.saves() + need.process) * facts.ranks_on_node;
    if (of_host <= facts.memory.bytes) return;
    throw ConfigError(cat(
        place_of(loaded, {"checkpoint.asynchronous"}), "saves need about ", human_bytes(of_host),
        " of this node's memory, but there are ", human_bytes(facts.memory.bytes), " (",
        facts.memory.limited_by, "); ",
        saves_are_all_that_is_too_much(of_host) ? advice_on_saves : "lower checkpoint.file_mib"));
  }
  const int64_t node_need = need.total() * facts.ranks_on_node;
  if (node_need <= facts.memory.bytes) return;
  throw ConfigError(cat(place, facts.ranks_on_node, " ranks on this node need about ",
                        human_bytes(node_need), ", ", human_bytes(need.total()), " each (",
                        need.summary(), "), but there are ", human_bytes(facts.memory.bytes), " (",
                        facts.memory.limited_by, "); ",
                        saves_are_all_that_is_too_much(node_need) ? advice_on_saves + ", or " : "",
                        advice, ", or put fewer ranks on a node"));
}

}  // namespace

void check_facts(const LoadedConfig& loaded, const MachineFacts& facts) {
  check_vocabulary(loaded, facts.tokenizer_vocab_size);
  check_amount_of_text(loaded, facts.num_training_samples);
  const int64_t vocab_size = std::max(loaded.config.model.vocab_size, facts.tokenizer_vocab_size);
  check_disk(loaded, vocab_size, facts.free_disk_bytes);
  check_memory(loaded, vocab_size, facts);
}

void check_before_training(const LoadedConfig& loaded, const Config& resolved,
                           int64_t tokenizer_vocab_size, int64_t num_training_samples,
                           int num_ranks, int ranks_on_node,
                           std::optional<int64_t> device_memory_bytes) {
  LoadedConfig now = loaded;
  now.config = resolved;
  check_facts(now, {.tokenizer_vocab_size = tokenizer_vocab_size,
                    .num_training_samples = num_training_samples,
                    .num_ranks = num_ranks,
                    .ranks_on_node = ranks_on_node,
                    .free_disk_bytes = free_disk_bytes(resolved.run.dir),
                    .memory = available_memory(),
                    .device_memory_bytes = device_memory_bytes});
}

}  // namespace lmtrain
