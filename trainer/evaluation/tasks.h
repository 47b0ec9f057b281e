// Evaluation of a trained model on a file of tasks: how well it predicts a text, which of several
// answers it finds likeliest, which of two sentences, and whether it writes the right answer.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "data/tokenizer/tokenizer.h"
#include "models/model.h"
#include "parallel/communicator.h"
#include "trainer/config/task_config.h"

namespace lmtrain {

// What is evaluated.
struct TaskModel {
  const Model& model;
  const Tokenizer& tokenizer;
  int32_t start_token = -1;  // that a text begins with; -1: none
  std::vector<int32_t> end_tokens;
  at::Device device = at::kCPU;
  Communicator* ranks = nullptr;  // those that compute the model together
};

// How one item of a task went, for a file of them.
using ItemListener =
    std::function<void(size_t done, size_t all, const nlohmann::ordered_json& item)>;

struct TaskResult {
  nlohmann::ordered_json numbers;  // all of them by name
  std::string measure;             // the name of the one that stands for the task
  double value = 0;
  bool lower_is_better = false;
};

// Reads the file and evaluates it. Throws DataError naming file and line, ConfigError where the
// model cannot do this task, and IoError.
TaskResult evaluate_task(const TaskModel& model, const TaskConfig& options,
                         const ItemListener& listener = {});

// The four kinds.
TaskResult evaluate_perplexity(const TaskModel& model, const TaskConfig& options,
                               const ItemListener& listener);
TaskResult evaluate_choice(const TaskModel& model, const TaskConfig& options,
                           const ItemListener& listener);
TaskResult evaluate_pairs(const TaskModel& model, const TaskConfig& options,
                          const ItemListener& listener);
TaskResult evaluate_generation(const TaskModel& model, const TaskConfig& options,
                               const ItemListener& listener);

}  // namespace lmtrain
