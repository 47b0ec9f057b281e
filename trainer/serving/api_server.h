// A model behind OpenAI's HTTP API: /v1/completions, /v1/chat/completions, /v1/embeddings,
// /v1/models, /health, /metrics in Prometheus' text format, and a page at /.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "data/chat/chat.h"
#include "models/huggingface/sentence_pooling.h"
#include "trainer/inference/loaded_model.h"
#include "trainer/serving/api_request.h"
#include "trainer/serving/http_server.h"
#include "trainer/serving/model_service.h"

namespace lmtrain {

struct ServerOptions {
  std::string host = "127.0.0.1";
  int64_t port = 8000;
  std::string key;         // clients must name it; "": none
  std::string model_name;  // by which clients ask for it
  ServiceOptions service;
  ApiLimits limits;
  int64_t most_body_bytes = int64_t{1} << 20;
  double most_seconds = 300;  // that a request may take
};

// Whether a host is this machine alone: localhost, or an address that is written as one, but no
// name that begins like one.
bool is_loopback(const std::string& host);

class ApiServer {
 public:
  // `loaded` and `energy` must outlive the server.
  ApiServer(const LoadedModel& loaded, CallEnergy& energy, ServerOptions options);
  ~ApiServer();

  // Listens from now on and returns the address, "http://127.0.0.1:8000". Throws IoError.
  std::string bind();
  // Answers until drain() has been called on another thread and the requests under way have ended.
  void serve();
  // Refuses new requests, waits for those under way for at most so many seconds, cuts off what is
  // left, and ends serve().
  void drain(double most_seconds);
  int64_t num_written_tokens() const { return service_.counters().written_tokens; }

 private:
  HttpResponse answer(const HttpRequest& request);
  HttpResponse route(const HttpRequest& request);
  void require_access(const HttpRequest& request) const;
  HttpResponse completions(const HttpRequest& request, bool is_chat);
  HttpResponse embeddings(const HttpRequest& request);
  nlohmann::ordered_json model_json() const;
  HttpResponse health() const;
  HttpResponse metrics() const;

  // What one request for texts needs until it is answered.
  struct Completion;
  HttpResponse whole_answer(Completion& completion, const HttpRequest& request);
  void write_stream(Completion& completion, const HttpRequest& request, HttpSink& sink);
  // Gives each piece to `take` as it comes, which returns whether it could be used. Returns the
  // status of the answer: 499 where the client is gone, 504 where time is up.
  int follow(const Completion& completion, const HttpRequest& request,
             const std::function<bool(const ServedRequest::Piece&)>& take);
  void score_prompts(Completion& completion, const HttpRequest& request);
  // 200 while a request that began then may go on; else the status with which it ends.
  int status_so_far(double begin, const HttpRequest& request) const;
  // Throws ApiError for any other status than 200.
  void require_going_on(double begin, const HttpRequest& request) const;
  // ModelService::run. Throws ApiError where too much waits.
  double run(int64_t num_tokens, const std::function<void()>& work);
  nlohmann::ordered_json energy_of(double joules) const;
  void count(const std::string& path, int status);

  const LoadedModel& loaded_;
  CallEnergy& energy_;
  const ServerOptions options_;
  std::string why_no_chat_;  // before chat_, whose making may say so
  const std::optional<Chat> chat_;
  ModelService service_;
  HttpServer http_;
  std::atomic<bool> draining_{false};
  std::atomic<bool> is_cut_off_{false};  // requests under way end now
  std::atomic<int64_t> under_way_{0};
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, int64_t> requests_;  // by path and status
};

}  // namespace lmtrain
