#include "energy/report/run_facts.h"

#include <algorithm>

#include "base/durable_file.h"
#include "base/log.h"
#include "base/text.h"
#include "energy/json_fields.h"

namespace lmtrain {
namespace {

using nlohmann::json;

// A value that records of earlier versions lack.
template <class Value>
struct Newer {
  Value& value;
};
template <class Value>
Newer<Value> newer(Value& value) {
  return {value};
}

// Visits every field, for writing as well as for reading.
template <class Facts, class Visitor>
void visit_fields(Facts& facts, const Visitor& visit) {
  visit("name", facts.name);
  visit("started", facts.started);
  visit("finished", facts.finished);
  visit("patience", newer(facts.patience));
  visit("seconds", facts.seconds);
  visit("inherited", facts.inherited);
  visit("steps", facts.steps);
  visit("tokens", facts.tokens);
  visit("flops", facts.flops);
  visit("has_lost_energy", newer(facts.has_lost_energy));
  visit("num_parameters", facts.num_parameters);
  visit("model", facts.model);
  visit("precision", facts.precision);
  visit("num_ranks", facts.num_ranks);
  visit("num_nodes", facts.num_nodes);
  visit("first_validation_loss", facts.first_validation_loss);
  visit("last_validation_loss", facts.last_validation_loss);
  visit("bits_per_byte", facts.bits_per_byte);
  visit("bigram_bits_per_byte", facts.bigram_bits_per_byte);
  visit("masked_accuracy", facts.masked_accuracy);
  visit("most_frequent_accuracy", facts.most_frequent_accuracy);
  visit("sentence_accuracy", facts.sentence_accuracy);
  visit("tokens_per_second", facts.tokens_per_second);
  visit("matmul_share", facts.matmul_share);
  visit("mfu", facts.mfu);
  visit("speeds", facts.speeds);
  visit("power_caps", facts.power_caps);
  visit("saves", facts.saves);
  visit("failed_saves", newer(facts.failed_saves));
  visit("spikes", newer(facts.spikes));
  visit("skipped_steps", newer(facts.skipped_steps));
  visit("train_loss", facts.train_loss);
  visit("validation_loss", facts.validation_loss);
  visit("validation_by_source", facts.validation_by_source);
  visit("tasks", facts.tasks);
  visit("confusion", facts.confusion);
  visit("samples", facts.samples);
  visit("notes", facts.notes);
  visit("software", facts.software);
  visit("command_line", facts.command_line);
  visit("config_yaml", facts.config_yaml);
}

class Write {
 public:
  explicit Write(json& object) : object_(object) {}

  template <class Value>
  void operator()(const char* key, const Value& value) const {
    object_[key] = value;
  }
  template <class Value>
  void operator()(const char* key, const Newer<Value>& newer) const {
    object_[key] = newer.value;
  }
  void operator()(const char* key, const std::optional<double>& value) const {
    if (value) object_[key] = *value;
  }
  void operator()(const char* key, const std::optional<Inherited>& from) const {
    if (!from) return;
    object_[key] = {{"checkpoint", from->checkpoint},
                    {"steps", from->steps},
                    {"tokens", from->tokens},
                    {"joules", from->joules}};
  }
  void operator()(const char* key, const std::optional<SaveFacts>& saves) const {
    if (!saves) return;
    object_[key] = {{"count", saves->count},
                    {"bytes", saves->bytes},
                    {"stall_seconds", saves->stall_seconds},
                    {"persist_seconds", saves->persist_seconds},
                    {"bytes_per_second", saves->bytes_per_second}};
  }
  void operator()(const char* key, const std::vector<AttemptSpeed>& speeds) const {
    for (const AttemptSpeed& one : speeds) {
      json speed = {{"attempt", one.attempt}, {"seconds", one.seconds}, {"tokens", one.tokens}};
      const Write write(speed);
      write("matmul_share", one.matmul_share);
      write("mfu", one.mfu);
      object_[key].push_back(std::move(speed));
    }
  }
  void operator()(const char* key, const std::vector<CapFacts>& sweeps) const {
    for (const CapFacts& one : sweeps) object_[key].push_back(to_json(one));
  }
  void operator()(const char* key, const std::vector<CurvePoint>& points) const {
    json& list = object_[key] = json::array();
    for (const CurvePoint& point : points) list.push_back({point.step, point.value});
  }
  void operator()(const char* key, const std::vector<SourceLoss>& losses) const {
    json& list = object_[key] = json::array();
    for (const SourceLoss& one : losses)
      list.push_back({{"source", one.source}, {"loss", one.loss}});
  }
  void operator()(const char* key, const std::vector<TaskCurve>& tasks) const {
    for (const TaskCurve& one : tasks) {
      json task = {
          {"name", one.name}, {"measure", one.measure}, {"lower_is_better", one.lower_is_better}};
      const Write write(task);
      write("points", one.points);
      object_[key].push_back(std::move(task));
    }
  }
  void operator()(const char* key, const std::optional<ConfusionFacts>& confusion) const {
    if (confusion) object_[key] = {{"labels", confusion->labels}, {"counts", confusion->counts}};
  }
  void operator()(const char* key, const std::vector<TextSample>& samples) const {
    json& list = object_[key] = json::array();
    for (const TextSample& one : samples)
      list.push_back({{"prompt", one.prompt}, {"text", one.text}});
  }

 private:
  json& object_;
};

class Read {
 public:
  explicit Read(const json& object) : object_(object) {}

  void operator()(const char* key, std::string& value) const { value = text_field(object_, key); }
  void operator()(const char* key, bool& value) const { value = boolean_field(object_, key); }
  template <class Value>
  void operator()(const char* key, const Newer<Value>& newer) const {
    if (object_.contains(key)) (*this)(key, newer.value);
  }
  void operator()(const char* key, double& value) const { value = number_field(object_, key); }
  void operator()(const char* key, int64_t& value) const { value = integer_field(object_, key); }
  void operator()(const char* key, std::optional<double>& value) const {
    if (object_.contains(key)) value = number_field(object_, key);
  }
  void operator()(const char* key, std::optional<Inherited>& from) const {
    if (!object_.contains(key)) return;
    const json& stored = object_[key];
    from = Inherited{text_field(stored, "checkpoint"), integer_field(stored, "steps"),
                     integer_field(stored, "tokens"), number_field(stored, "joules")};
  }
  void operator()(const char* key, std::optional<SaveFacts>& saves) const {
    if (!object_.contains(key)) return;
    const json& stored = object_[key];
    saves =
        SaveFacts{integer_field(stored, "count"), integer_field(stored, "bytes"),
                  number_field(stored, "stall_seconds"), number_field(stored, "persist_seconds"),
                  number_field(stored, "bytes_per_second")};
  }
  void operator()(const char* key, std::vector<AttemptSpeed>& speeds) const {
    if (!object_.contains(key)) return;
    for (const json& one : array_field(object_, key)) {
      AttemptSpeed speed{integer_field(one, "attempt"), number_field(one, "seconds"),
                         integer_field(one, "tokens"), std::nullopt, std::nullopt};
      const Read read(one);
      read("matmul_share", speed.matmul_share);
      read("mfu", speed.mfu);
      speeds.push_back(speed);
    }
  }
  void operator()(const char* key, std::vector<CapFacts>& sweeps) const {
    if (!object_.contains(key)) return;  // there were none
    for (const json& one : array_field(object_, key)) sweeps.push_back(parse_cap_facts(one));
  }
  void operator()(const char* key, std::vector<CurvePoint>& points) const {
    for (const json& row : array_field(object_, key)) {
      if (!row.is_array() || row.size() != 2 || !row[0].is_number_integer()) {
        throw DataError(cat("a point of \"", key, "\" is not a step and a number"));
      }
      points.push_back({row[0].get<int64_t>(), json_number(row[1], key)});
    }
  }
  void operator()(const char* key, std::vector<std::string>& texts) const {
    if (!object_.contains(key)) return;  // written by an earlier version
    for (const json& one : array_field(object_, key)) {
      if (!one.is_string()) throw DataError(cat("\"", key, "\" holds something else than texts"));
      texts.push_back(one.get<std::string>());
    }
  }
  void operator()(const char* key, std::vector<SourceLoss>& losses) const {
    if (!object_.contains(key)) return;  // written by an earlier version
    for (const json& one : array_field(object_, key))
      losses.push_back({text_field(one, "source"), number_field(one, "loss")});
  }
  void operator()(const char* key, std::vector<TaskCurve>& tasks) const {
    if (!object_.contains(key)) return;  // there were none
    for (const json& one : array_field(object_, key)) {
      TaskCurve task{text_field(one, "name"),
                     text_field(one, "measure"),
                     boolean_field(one, "lower_is_better"),
                     {}};
      const Read read(one);
      read("points", task.points);
      if (task.points.empty()) throw DataError("a task without points");
      tasks.push_back(std::move(task));
    }
  }
  void operator()(const char* key, std::optional<ConfusionFacts>& confusion) const {
    if (!object_.contains(key)) return;
    ConfusionFacts found;
    const Read read(object_[key]);
    read("labels", found.labels);
    for (const json& row : array_field(object_[key], "counts")) {
      std::vector<int64_t>& counts = found.counts.emplace_back();
      for (const json& count : row)
        counts.push_back(count.is_number_integer() ? count.get<int64_t>() : -1);
      if (counts.size() != found.labels.size() || std::ranges::min(counts) < 0)
        throw DataError("a row of \"confusion\" is no count for each label");
    }
    if (found.labels.empty() || found.counts.size() != found.labels.size())
      throw DataError("\"confusion\" has not a row for each label");
    confusion = std::move(found);
  }
  void operator()(const char* key, std::vector<TextSample>& samples) const {
    for (const json& one : array_field(object_, key)) {
      samples.push_back({text_field(one, "prompt"), text_field(one, "text")});
    }
  }

 private:
  const json& object_;
};

}  // namespace

json to_json(const CapFacts& caps) {
  json object = {{"attempt", caps.attempt},
                 {"max_slowdown", caps.max_slowdown},
                 {"chosen_share", caps.chosen_share},
                 {"trials", json::array()}};
  for (const CapTrialFacts& one : caps.trials) {
    object["trials"].push_back({{"setting", one.setting},
                                {"share", one.share},
                                {"step_seconds", one.step_seconds},
                                {"step_joules", one.step_joules}});
  }
  return object;
}

CapFacts parse_cap_facts(const json& object) {
  CapFacts caps{integer_field(object, "attempt"),
                number_field(object, "max_slowdown"),
                number_field(object, "chosen_share"),
                {}};
  for (const json& one : array_field(object, "trials")) {
    caps.trials.push_back({text_field(one, "setting"), number_field(one, "share"),
                           number_field(one, "step_seconds"), number_field(one, "step_joules")});
  }
  if (caps.trials.empty()) throw DataError("power caps without a trial");
  return caps;
}

const CurvePoint& TaskCurve::best() const {
  const auto less = [](const CurvePoint& a, const CurvePoint& b) { return a.value < b.value; };
  return lower_is_better ? *std::ranges::min_element(points, less)
                         : *std::ranges::max_element(points, less);
}

std::string to_json(const RunFacts& facts) {
  json object = json::object();
  visit_fields(facts, Write(object));
  // Generated text may end within a character. Bytes that are not UTF-8 become U+FFFD.
  return object.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

RunFacts parse_run_facts(std::string_view text) {
  const json object = parse_json(text);
  RunFacts facts;
  visit_fields(facts, Read(object));
  return facts;
}

std::optional<RunFacts> load_run_facts(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  try {
    return parse_run_facts(read_file(path));
  } catch (const DataError& error) {
    const std::filesystem::path aside = set_aside(path);
    log_warn(cat(path.string(), " is damaged (", error.what(), "); it is now ", aside.string(),
                 ", and when the run began, and from where, is not known any more"));
    RunFacts facts;
    facts.notes.push_back(cat("A damaged record of the run's beginning was set aside as ",
                              aside.filename().string(), "."));
    return facts;
  }
}

}  // namespace lmtrain
