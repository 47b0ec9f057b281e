// The one thread that computes for a server: it writes the texts of all clients side by side, and
// does what else they ask for in between. Energy is shared out by the tokens of each request.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "trainer/inference/call_energy.h"
#include "trainer/inference/generate.h"
#include "trainer/inference/loaded_model.h"

namespace lmtrain {

struct ServiceOptions {
  int64_t num_slots = 8;      // texts that are written at once
  int64_t most_waiting = 64;  // texts that may wait for one of these slots
};

// What one request of a client gets, as it comes. Written by the service's thread, read by that of
// the client.
class ServedRequest {
 public:
  struct Piece {
    size_t text = 0;  // its place among the request's texts
    TextPiece piece;
  };

  // Waits for at most `seconds` for what has come since the last call; nothing comes after the end.
  // Throws Error where the computation failed.
  std::vector<Piece> wait(double seconds);
  bool has_ended() const;
  double joules() const;

 private:
  friend class ModelService;
  void add(Piece piece);
  void end();
  void fail(const std::string& why);

  mutable std::mutex mutex_;
  std::condition_variable has_news_;
  std::vector<Piece> pieces_;
  bool has_ended_ = false;
  std::string failure_;
  double joules_ = 0;
};

struct ServiceCounters {
  int64_t prompt_tokens = 0;
  int64_t written_tokens = 0;
  int64_t running = 0;  // texts
  int64_t waiting = 0;
  double joules = 0;  // of the process
  bool is_measured = false;
};

class ModelService {
 public:
  // `loaded` and `energy` must outlive the service.
  ModelService(const LoadedModel& loaded, CallEnergy& energy, const ServiceOptions& options);
  ~ModelService();
  ModelService(const ModelService&) = delete;
  ModelService& operator=(const ModelService&) = delete;

  // Queues the texts of one request, at least one. Returns null where too many wait. Only for
  // decoders.
  std::shared_ptr<ServedRequest> write(std::vector<TextRequest> texts);
  // Ends a request whose client is gone or has waited too long. May be called at any time.
  void cancel(const std::shared_ptr<ServedRequest>& request);
  // Runs `work`, which reads so many tokens, on the service's thread, and returns what it took in
  // J; nothing where too much waits. Throws what it throws.
  std::optional<double> run(int64_t num_tokens, const std::function<void()>& work);

  ServiceCounters counters() const;

 private:
  // A text under way.
  struct Text {
    std::shared_ptr<ServedRequest> request;
    size_t number = 0;
  };
  struct Submission {
    std::shared_ptr<ServedRequest> request;
    std::vector<TextRequest> texts;
  };

  void loop();
  bool has_work() const;
  void take_in(std::vector<Submission> submissions);
  void drop(const std::vector<std::shared_ptr<ServedRequest>>& cancelled);
  void compute();
  void count_texts();
  void deliver(std::vector<TextPiece> pieces);
  void fail_all(const std::string& why);
  void share_energy();

  const LoadedModel& loaded_;
  CallEnergy& energy_;
  const ServiceOptions options_;
  const Decoder* const decoder_;  // null for an encoder

  mutable std::mutex mutex_;  // guards these
  std::condition_variable wake_;
  bool stopping_ = false;
  std::vector<Submission> submitted_;
  std::vector<std::shared_ptr<ServedRequest>> cancelled_;
  std::deque<std::function<void()>> work_;
  ServiceCounters counters_;

  // Of the service's thread alone.
  std::unique_ptr<TextGenerator> generator_;
  std::map<int64_t, Text> texts_;
  std::map<std::shared_ptr<ServedRequest>, int64_t> texts_left_;
  std::map<std::shared_ptr<ServedRequest>, int64_t> unpaid_tokens_;  // since the last reading
  double shared_joules_ = 0;

  std::thread thread_;
};

}  // namespace lmtrain
