// How much memory a rank needs to train a model, so that a run that cannot fit ends before it
// starts: parameters are counted from what the model declares, activations and scratch by formulas.
#pragma once

#include <cstdint>
#include <string>

#include "models/model_config.h"
#include "parallel/parameter_store.h"
#include "trainer/config/config.h"

namespace lmtrain {

struct MemoryPlan {
  int64_t vocab_size = 0;  // rows of the embedding, padding included
  int64_t micro_batch_size = 1;
  int64_t sequence_length = 2;
  Precision precision = Precision::kBf16;
  OptimizerConfig optimizer;
  SpecChange trained;  // what of the model is trained; empty: all
  double bucket_mib = 0;
  // That share a checkpoint's tensors; fewer than there are is on the safe side.
  int64_t num_ranks = 1;
  bool on_cpu = true;
  int64_t checkpoint_file_bytes = int64_t{128} << 20;  // checkpoint.file_mib
  bool saves_beside_training = true;                   // checkpoint.asynchronous
  // The layout, as in ParallelConfig.
  int64_t data = 1;
  int64_t tensor = 1;
  bool sequence = false;
  int64_t zero = 0;
  Recompute recompute = Recompute::kNone;
  bool reduces_in_bf16 = false;
};

// Bytes of one rank. E is a compute element (bf16 2, fp32 4, fp64 8), M a master element (4; in
// fp64 8), N the tokens of a micro-batch; parameters are those of a rank of the tensor axis.
struct MemoryEstimate {
  int64_t weights = 0;    // master M, and in bf16 the compute copy, per parameter, of frozen ones
                          // the copy alone; master over the data ranks from zero 1 on, the copy
                          // from zero 3 on
  int64_t gradients = 0;  // M per trained parameter, over the data ranks from zero 2 on
  int64_t optimizer_state = 0;  // M per element that the optimizer keeps, in AdamW two for each
                                // parameter; over the data ranks from zero 1 on
  int64_t gathered = 0;  // whole units while they are used: from zero 2 on gradients of three
                         // blocks and a tied table, from zero 3 on weights of embedding and block
  int64_t activations = 0;  // kept for backward: by block and token about 16 H E in gpt2; with
                            // dropout also 3 heads T E
  int64_t workspace = 0;    // backward of one block 8 H N E, logits of <= 1,024 tokens, thrice on
                            // the CPU in bf16 where products pack them, a weight's gradient before
                            // it is added (V H E); at least what the optimizer takes for an
                            // update in place of the activations
  int64_t buckets = 0;      // gradients under way: one bucket received and one to come, and where
                            // they travel as bf16 copies two of those
  int64_t snapshot = 0;     // where saves run beside training: the rank's part of a checkpoint
  int64_t checkpoint = 0;   // a save: its largest file, and beside training the largest unit or
                            // tensor that is gathered
  int64_t threads = 0;      // on the CPU: threads' stacks, small blocks, pages that tensors share
  int64_t process = 0;      // MPI, work areas of the matrix kernels
  bool on_cpu = true;

  // Of a GPU, or of the host where ranks compute on the CPU: saves take memory of the host alone.
  int64_t total() const;
  int64_t saves() const { return snapshot + checkpoint; }
  // What training takes above the state after start: without saves and what the process has.
  int64_t training() const;
  // "0.5 GiB weights, 0.5 GiB gradients, ..."
  std::string summary() const;
};

// What estimate_memory wants to know of a rank of this config.
MemoryPlan memory_plan(const Config& config, int64_t vocab_size, int64_t num_ranks,
                       int64_t ranks_on_node, bool on_cpu);

// `declared`: the model's declared_parameters() for plan.vocab_size and plan.tensor.
MemoryEstimate estimate_memory(const ModelConfig& model, const ParameterStore& declared,
                               const MemoryPlan& plan);
MemoryEstimate estimate_memory(const ModelConfig& model, const MemoryPlan& plan);

// Bytes of a checkpoint: weights and the optimizer's state in the master type.
int64_t checkpoint_bytes(const Config& config, int64_t vocab_size);

}  // namespace lmtrain
