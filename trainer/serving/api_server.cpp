#include "trainer/serving/api_server.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <thread>

#include <ATen/ATen.h>
#include <arpa/inet.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/log.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "parallel/as_error.h"
#include "trainer/inference/chat.h"
#include "trainer/inference/embed.h"
#include "trainer/serving/api_response.h"
#include "trainer/serving/page.h"

namespace lmtrain {
namespace {

using json = nlohmann::ordered_json;

constexpr int kClientIsGone = 499;  // nginx's number; nobody reads the answer
constexpr int kTimeIsUp = 504;
constexpr double kLookSeconds = 0.25;  // how often a waiting request looks for its client
constexpr const char* kInvalid = "invalid_request_error";
constexpr const char* kTooMuchWaits = "as much waits already as may; try later";

std::string text_of(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

HttpResponse json_response(const json& value, int status = 200) {
  return {.status = status, .body = text_of(value) + "\n"};
}

HttpResponse error_response(int status, const std::string& type, const std::string& message) {
  HttpResponse response = json_response(error_json(message, type, status), status);
  if (status == 503) response.headers["Retry-After"] = "1";
  if (status == 401) response.headers["WWW-Authenticate"] = "Bearer";
  if (status == 405) response.headers["Allow"] = "POST";
  return response;
}

// Takes the same time wherever the two differ.
bool are_equal(std::string_view a, std::string_view b) {
  unsigned char difference = a.size() == b.size() ? 0 : 1;
  for (size_t i = 0; i < a.size(); ++i)
    difference |= static_cast<unsigned char>(a[i] ^ (b.empty() ? 0 : b[i % b.size()]));
  return difference == 0;
}

std::string without_port(const std::string& host) {
  const size_t colon = host.rfind(':');
  const bool has_port = colon != std::string::npos && host.find(']', colon) == std::string::npos;
  return has_port ? host.substr(0, colon) : host;
}

std::optional<Chat> chat_of_model(const LoadedModel& loaded, std::string& why_not) {
  try {
    Chat chat = chat_of(loaded.manifest.state.companions, loaded.tokenizer);
    if (chat.has_template()) return chat;
    why_not = "the model came with no chat template; ask /v1/completions";
    return std::nullopt;
  } catch (const Error& error) {
    why_not = error.what();
    return std::nullopt;
  }
}

nlohmann::json parse_body(const HttpRequest& request) {
  constexpr int kMaxDepth = 32;
  if (!in_lower_case(request.header("content-type")).starts_with("application/json"))
    throw ApiError(415, kInvalid, "the Content-Type of a request is application/json");
  return parse_strict_json(request.read_body(), "the request", kMaxDepth);
}

// Counts a request for as long as it is under way.
class UnderWay {
 public:
  explicit UnderWay(std::atomic<int64_t>& count) : count_(count) { ++count_; }
  ~UnderWay() { --count_; }
  UnderWay(const UnderWay&) = delete;
  UnderWay& operator=(const UnderWay&) = delete;

 private:
  std::atomic<int64_t>& count_;
};

}  // namespace

bool is_loopback(const std::string& host) {
  const std::string name = in_lower_case(host);
  in_addr address = {};
  if (inet_pton(AF_INET, name.c_str(), &address) == 1) return (ntohl(address.s_addr) >> 24U) == 127;
  return name == "localhost" || name == "::1" || name == "[::1]";
}

struct ApiServer::Completion {
  CompletionRequest request;
  CompletionResponse response;
  std::shared_ptr<ServedRequest> served;  // null where no token is written
  double scoring_joules = 0;
  double begin = monotonic_seconds();
  std::shared_ptr<UnderWay> under_way;

  Completion(CompletionRequest parsed, const Tokenizer& tokenizer)
      : request(std::move(parsed)), response(request, tokenizer) {}
  double joules() const { return scoring_joules + (served ? served->joules() : 0.0); }
};

ApiServer::ApiServer(const LoadedModel& loaded, CallEnergy& energy, ServerOptions options)
    : loaded_(loaded),
      energy_(energy),
      options_(std::move(options)),
      chat_(chat_of_model(loaded, why_no_chat_)),
      service_(loaded, energy, options_.service),
      http_(
          {.most_body_bytes = options_.most_body_bytes,
           // Texts, those that wait for them, and a few that only look.
           .most_clients = options_.service.num_slots + options_.service.most_waiting + 8},
          [this](const HttpRequest& request) { return answer(request); },
          [](int status) {
            return text_of(
                       error_json("this is no request that can be answered", kInvalid, status)) +
                   "\n";
          }) {}

ApiServer::~ApiServer() = default;

std::string ApiServer::bind() {
  const int port = http_.bind(options_.host, static_cast<int>(options_.port));
  const bool is_v6 = options_.host.find(':') != std::string::npos;
  return cat("http://", is_v6 ? "[" : "", options_.host, is_v6 ? "]" : "", ":", port);
}

void ApiServer::serve() { http_.serve(); }

void ApiServer::drain(double most_seconds) {
  draining_ = true;
  const double end = monotonic_seconds() + most_seconds;
  while (under_way_ > 0 && monotonic_seconds() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  if (under_way_ > 0)
    log_warn(cat(counted(under_way_, "request"), " had not ended and were cut off"));
  http_.stop();
}

HttpResponse ApiServer::answer(const HttpRequest& request) {
  HttpResponse response;
  try {
    response = route(request);
  } catch (const ApiError& error) {
    response = error_response(error.status, error.type, error.what());
  } catch (const HttpRefusal& refusal) {
    response = error_response(refusal.status, kInvalid, refusal.what());
  } catch (const Error& error) {
    const bool is_clients = error.code() == ExitCode::kData || error.code() == ExitCode::kConfig;
    response = error_response(is_clients ? 400 : 500, is_clients ? kInvalid : "server_error",
                              error.what());
  } catch (const std::exception& error) {
    response = error_response(500, "server_error", as_error(error).what());
  }
  count(request.path, response.status);
  return response;
}

HttpResponse ApiServer::route(const HttpRequest& request) {
  require_access(request);
  const std::string& path = request.path;
  const bool is_post = request.method == "POST";
  if (!is_post) {
    if (path == "/")
      return {.content_type = "text/html; charset=utf-8", .body = std::string(server_page())};
    if (path == "/health") return health();
    if (path == "/metrics") return metrics();
    if (path == "/v1/models")
      return json_response({{"object", "list"}, {"data", json::array({model_json()})}});
    if (path == "/v1/models/" + options_.model_name) return json_response(model_json());
  }
  const bool is_of_post =
      path == "/v1/completions" || path == "/v1/chat/completions" || path == "/v1/embeddings";
  if (is_of_post && !is_post) throw ApiError(405, kInvalid, cat(path, " takes POST alone"));
  if (!is_of_post) {
    throw ApiError(404, kInvalid,
                   cat("there is nothing at ", request.method, " ", show_text(path)));
  }
  if (draining_) throw ApiError(503, "server_error", "the server is about to end; ask another one");
  if (path == "/v1/embeddings") return embeddings(request);
  return completions(request, path == "/v1/chat/completions");
}

void ApiServer::require_access(const HttpRequest& request) const {
  if (options_.key.empty()) {
    // A page of another site that made its name point here could ask otherwise.
    const std::string host = request.header("host");
    if (is_loopback(options_.host) && !host.empty() && !is_loopback(without_port(host)))
      throw ApiError(403, kInvalid,
                     cat("this server answers to localhost, not to ", show_text(host)));
    return;
  }
  if (request.path == "/" || request.path == "/health") return;
  const std::string given = request.header("authorization");
  constexpr size_t kScheme = 7;
  const bool is_bearer = in_lower_case(given.substr(0, kScheme)) == "bearer ";
  if (!is_bearer || !are_equal(options_.key, given.substr(kScheme)))
    throw ApiError(401, "authentication_error",
                   "the key is wrong or missing: Authorization: Bearer KEY");
}

HttpResponse ApiServer::completions(const HttpRequest& request, bool is_chat) {
  if (dynamic_cast<const Decoder*>(loaded_.model.get()) == nullptr ||
      !loaded_.config.model.has_language_head())
    throw ApiError(400, kInvalid,
                   cat("the model is a ", loaded_.config.model.kind,
                       " that writes no texts; ask /v1/embeddings"));
  if (is_chat && !chat_) throw ApiError(400, kInvalid, why_no_chat_);
  const nlohmann::json body = parse_body(request);
  auto completion = std::make_shared<Completion>(
      is_chat ? parse_chat(body, loaded_, *chat_, options_.model_name, options_.limits)
              : parse_completion(body, loaded_, options_.model_name, options_.limits),
      loaded_.tokenizer);
  completion->under_way = std::make_shared<UnderWay>(under_way_);
  score_prompts(*completion, request);
  if (completion->request.decoding.max_new_tokens > 0) {
    completion->served = service_.write(texts_of(completion->request));
    if (!completion->served) {
      throw ApiError(503, "server_error", kTooMuchWaits);
    }
  }
  if (!completion->request.streams) return whole_answer(*completion, request);
  return {.content_type = "text/event-stream",
          .stream = [this, completion, request](HttpSink& sink) {
            write_stream(*completion, request, sink);
          }};
}

int ApiServer::status_so_far(double begin, const HttpRequest& request) const {
  if (is_cut_off_) return 503;
  if (!request.client_is_there()) return kClientIsGone;
  return monotonic_seconds() - begin > options_.most_seconds ? kTimeIsUp : 200;
}

void ApiServer::require_going_on(double begin, const HttpRequest& request) const {
  switch (const int status = status_so_far(begin, request)) {
    case 200:
      return;
    case 503:
      throw ApiError(503, "server_error", "the server ends and has cut the request off");
    case kTimeIsUp:
      throw ApiError(kTimeIsUp, "server_error",
                     cat("the answer took more than the ", shortest(options_.most_seconds),
                         " seconds that this server allows; ask for less"));
    default:
      throw ApiError(status, kInvalid, "the client is gone");
  }
}

double ApiServer::run(int64_t num_tokens, const std::function<void()>& work) {
  if (const auto joules = service_.run(num_tokens, work)) return *joules;
  throw ApiError(503, "server_error", kTooMuchWaits);
}

// An echo with log-probabilities gives the prompt's own, too. Prompts are scored one by one, so
// that texts of others go on in between.
void ApiServer::score_prompts(Completion& completion, const HttpRequest& http) {
  const CompletionRequest& request = completion.request;
  if (!request.echo || !request.with_log_probabilities) return;
  const auto& decoder = dynamic_cast<const Decoder&>(*loaded_.model);
  std::vector<std::vector<ScoredToken>> scores;
  for (const std::vector<int32_t>& prompt : request.prompts) {
    require_going_on(completion.begin, http);
    completion.scoring_joules += run(static_cast<int64_t>(prompt.size()), [&] {
      const std::vector<TextToScore> text = {{prompt, 1}};
      scores.push_back(score_texts(decoder, text,
                                   {loaded_.tokenizer.vocab_size(), request.decoding.num_top})[0]);
    });
  }
  completion.response.set_prompt_scores(std::move(scores));
}

int ApiServer::follow(const Completion& completion, const HttpRequest& request,
                      const std::function<bool(const ServedRequest::Piece&)>& take) {
  const std::shared_ptr<ServedRequest>& served = completion.served;
  if (!served) return 200;
  while (!served->has_ended()) {
    int status = 200;
    for (const ServedRequest::Piece& piece : served->wait(kLookSeconds)) {
      if (!take(piece)) status = kClientIsGone;
    }
    if (status == 200) status = status_so_far(completion.begin, request);
    if (status == 200 || served->has_ended()) continue;
    service_.cancel(served);
    while (!served->has_ended()) served->wait(kLookSeconds);
    return status;
  }
  return 200;
}

HttpResponse ApiServer::whole_answer(Completion& completion, const HttpRequest& request) {
  const int status = follow(completion, request, [&](const ServedRequest::Piece& piece) {
    completion.response.add(piece);
    return true;
  });
  if (status != 200) require_going_on(completion.begin, request);
  return json_response(completion.response.whole(energy_of(completion.joules())));
}

void ApiServer::write_stream(Completion& completion, const HttpRequest& request, HttpSink& sink) {
  const auto send = [&](const json& event) {
    return sink.write(cat("data: ", text_of(event), "\n\n"));
  };
  try {
    for (const json& chunk : completion.response.first_chunks()) send(chunk);
    const int status = follow(completion, request, [&](const ServedRequest::Piece& piece) {
      return send(completion.response.chunk(piece));
    });
    if (status == kTimeIsUp || status == 503) {
      send(error_json(status == 503 ? "the server ends" : "the time that this server allows is up",
                      "server_error", status));
    }
    if (completion.request.streams_usage)
      send(completion.response.usage_chunk(energy_of(completion.joules())));
  } catch (const std::exception& error) {
    send(error_json(as_error(error).what(), "server_error", 500));
  }
  sink.write("data: [DONE]\n\n");
}

HttpResponse ApiServer::embeddings(const HttpRequest& request) {
  const nlohmann::json body = parse_body(request);
  const EmbeddingRequest parsed = parse_embedding(body, options_.model_name, options_.limits);
  const UnderWay under_way(under_way_);
  const SentencePooling pooling = pooling_of(loaded_);
  const int64_t positions = loaded_.config.model.max_positions;
  std::vector<EncodedText> inputs;
  int64_t num_tokens = 0;
  for (const std::string& text : parsed.texts) {
    inputs.push_back(
        encode_text(loaded_.tokenizer, {pooling.prompt + text, ""},
                    {.truncation = Truncation::kLongestFirst,
                     .max_tokens = std::min(positions, pooling.max_tokens.value_or(positions))}));
    num_tokens += static_cast<int64_t>(inputs.back().ids.size());
  }
  constexpr int64_t kBatchSize = 16;
  const double begin = monotonic_seconds();
  double joules = 0;
  std::vector<at::Tensor> vectors(inputs.size());
  in_batches(lengths_of(inputs), kBatchSize, [&](std::span<const size_t> places) {
    require_going_on(begin, request);
    joules += run(0, [&] {
      const at::Tensor found = embed_texts(loaded_, inputs, places, pooling);
      for (size_t i = 0; i < places.size(); ++i)
        vectors[places[i]] = found[static_cast<int64_t>(i)];
    });
  });
  return json_response(embedding_response(at::stack(vectors), parsed.in_base64, options_.model_name,
                                          num_tokens, energy_of(joules)));
}

json ApiServer::model_json() const {
  const ModelConfig& model = loaded_.config.model;
  return {{"id", options_.model_name},
          {"object", "model"},
          {"created", 0},
          {"owned_by", "lmtrain"},
          {"kind", model.kind},
          {"writes", model.has_language_head() && model.traits().predicts_next_token()},
          {"chat", chat_.has_value()},
          {"max_positions", model.max_positions},
          {"max_tokens", options_.limits.most_tokens}};
}

HttpResponse ApiServer::health() const {
  const bool is_draining = draining_;
  return json_response({{"status", is_draining ? "draining" : "ok"}}, is_draining ? 503 : 200);
}

HttpResponse ApiServer::metrics() const {
  const ServiceCounters counters = service_.counters();
  std::string text;
  const auto head = [&](const char* name, const char* type, const char* help) {
    text += cat("# HELP lmtrain_", name, " ", help, "\n# TYPE lmtrain_", name, " ", type, "\n");
  };
  const auto one = [&](const char* name, const char* type, const char* help, double value) {
    head(name, type, help);
    text += cat("lmtrain_", name, " ", shortest(value), "\n");
  };
  head("requests_total", "counter", "Requests answered, by path and HTTP status.");
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, number] : requests_)
      text += cat("lmtrain_requests_total{path=\"", key.first, "\",status=\"", key.second, "\"} ",
                  number, "\n");
  }
  one("prompt_tokens_total", "counter", "Tokens read of prompts and texts.",
      static_cast<double>(counters.prompt_tokens));
  one("generated_tokens_total", "counter", "Tokens written.",
      static_cast<double>(counters.written_tokens));
  one("texts_running", "gauge", "Texts being written now.", static_cast<double>(counters.running));
  one("texts_waiting", "gauge", "Texts that wait for a place.",
      static_cast<double>(counters.waiting));
  one("requests_under_way", "gauge", "Requests that are being answered.",
      static_cast<double>(under_way_.load()));
  head("joules_total", "counter", "Energy of the server since it began, in joules.");
  text += cat("lmtrain_joules_total{quality=\"", counters.is_measured ? "measured" : "modelled",
              "\"} ", shortest(counters.joules), "\n");
  one("grams_co2e_total", "counter", "Emissions of that energy, in grams of CO2e.",
      counters.joules * energy_.price().grams_per_joule());
  return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = text};
}

json ApiServer::energy_of(double joules) const {
  return energy_json(joules, energy_.price(), service_.counters().is_measured);
}

void ApiServer::count(const std::string& path, int status) {
  // Other paths are one, since anybody can think of any number of them.
  static const std::vector<std::string> kPaths = {"/",
                                                  "/health",
                                                  "/metrics",
                                                  "/v1/models",
                                                  "/v1/completions",
                                                  "/v1/chat/completions",
                                                  "/v1/embeddings"};
  const bool is_known = std::ranges::find(kPaths, path) != kPaths.end();
  const std::lock_guard lock(mutex_);
  ++requests_[{is_known ? path : "other", status}];
}

}  // namespace lmtrain
