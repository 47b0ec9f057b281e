#include "trainer/serving/model_service.h"

#include <chrono>
#include <exception>
#include <future>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "parallel/as_error.h"

namespace lmtrain {
namespace {

constexpr const char* kStopped = "the server has been stopped";

}  // namespace

std::vector<ServedRequest::Piece> ServedRequest::wait(double seconds) {
  std::unique_lock lock(mutex_);
  has_news_.wait_for(lock, std::chrono::duration<double>(seconds),
                     [&] { return !pieces_.empty() || has_ended_; });
  if (!failure_.empty()) throw Error(ExitCode::kFailure, failure_);
  return std::exchange(pieces_, {});
}

bool ServedRequest::has_ended() const {
  const std::lock_guard lock(mutex_);
  return has_ended_ && pieces_.empty();
}

double ServedRequest::joules() const {
  const std::lock_guard lock(mutex_);
  return joules_;
}

void ServedRequest::add(Piece piece) {
  const std::lock_guard lock(mutex_);
  pieces_.push_back(std::move(piece));
  has_news_.notify_all();
}

void ServedRequest::end() {
  const std::lock_guard lock(mutex_);
  has_ended_ = true;
  has_news_.notify_all();
}

void ServedRequest::fail(const std::string& why) {
  const std::lock_guard lock(mutex_);
  failure_ = why;
  has_ended_ = true;
  has_news_.notify_all();
}

ModelService::ModelService(const LoadedModel& loaded, CallEnergy& energy,
                           const ServiceOptions& options)
    : loaded_(loaded),
      energy_(energy),
      options_(options),
      decoder_(dynamic_cast<const Decoder*>(loaded.model.get())) {
  counters_.is_measured = energy.is_measured();
  thread_ = std::thread([this] { loop(); });
}

ModelService::~ModelService() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

std::shared_ptr<ServedRequest> ModelService::write(std::vector<TextRequest> texts) {
  const std::lock_guard lock(mutex_);
  const auto count = static_cast<int64_t>(texts.size());
  const int64_t under_way = counters_.running + counters_.waiting;
  if (under_way > 0 && under_way + count > options_.num_slots + options_.most_waiting)
    return nullptr;
  auto request = std::make_shared<ServedRequest>();
  submitted_.push_back({request, std::move(texts)});
  counters_.waiting += count;
  wake_.notify_all();
  return request;
}

void ModelService::cancel(const std::shared_ptr<ServedRequest>& request) {
  const std::lock_guard lock(mutex_);
  cancelled_.push_back(request);
  wake_.notify_all();
}

std::optional<double> ModelService::run(int64_t num_tokens, const std::function<void()>& work) {
  std::promise<double> promise;
  {
    const std::lock_guard lock(mutex_);
    if (static_cast<int64_t>(work_.size()) > options_.most_waiting) return std::nullopt;
    work_.emplace_back([&] {
      try {
        share_energy();
        const double before = energy_.joules();
        work();
        energy_.read_meters();
        shared_joules_ = energy_.joules();  // all of it is this work's
        promise.set_value(shared_joules_ - before);
      } catch (...) {
        promise.set_exception(std::current_exception());
      }
    });
    counters_.prompt_tokens += num_tokens;
  }
  wake_.notify_all();
  return promise.get_future().get();
}

ServiceCounters ModelService::counters() const {
  const std::lock_guard lock(mutex_);
  ServiceCounters counters = counters_;
  counters.joules = energy_.joules();
  return counters;
}

bool ModelService::has_work() const {
  return stopping_ || !submitted_.empty() || !cancelled_.empty() || !work_.empty();
}

void ModelService::loop() {
  for (;;) {
    std::vector<Submission> submissions;
    std::vector<std::shared_ptr<ServedRequest>> cancelled;
    std::deque<std::function<void()>> work;
    {
      std::unique_lock lock(mutex_);
      if (texts_.empty()) {
        wake_.wait(lock, [this] { return has_work(); });
        // What was spent while nobody asked for anything is nobody's.
        energy_.read_meters();
        shared_joules_ = energy_.joules();
      }
      if (stopping_) break;
      submissions = std::exchange(submitted_, {});
      cancelled = std::exchange(cancelled_, {});
      work = std::exchange(work_, {});
    }
    take_in(std::move(submissions));
    drop(cancelled);
    for (const auto& one : work) one();
    if (!texts_.empty()) compute();
    count_texts();
  }
  for (const Submission& one : submitted_) one.request->fail(kStopped);
  fail_all(kStopped);
}

void ModelService::take_in(std::vector<Submission> submissions) {
  if (submissions.empty()) return;
  if (!generator_)
    generator_ = std::make_unique<TextGenerator>(loaded_, *decoder_, options_.num_slots);
  for (Submission& submission : submissions) {
    texts_left_[submission.request] = static_cast<int64_t>(submission.texts.size());
    for (size_t i = 0; i < submission.texts.size(); ++i) {
      const auto num_prompt_tokens = static_cast<int64_t>(submission.texts[i].prompt.size());
      texts_[generator_->add(std::move(submission.texts[i]))] = {submission.request, i};
      unpaid_tokens_[submission.request] += num_prompt_tokens;
      const std::lock_guard lock(mutex_);
      counters_.prompt_tokens += num_prompt_tokens;
    }
  }
}

void ModelService::drop(const std::vector<std::shared_ptr<ServedRequest>>& cancelled) {
  for (const auto& request : cancelled) {
    if (texts_left_.erase(request) == 0) continue;  // it has ended meanwhile
    std::erase_if(texts_, [&](const auto& entry) {
      if (entry.second.request != request) return false;
      generator_->cancel(entry.first);
      return true;
    });
    unpaid_tokens_.erase(request);
    count_texts();  // its places are free before its client hears of the end
    request->end();
  }
}

void ModelService::compute() {
  try {
    deliver(generator_->step());
  } catch (const std::exception& error) {
    const std::string why = as_error(error).what();
    log_error(cat("a pass over the model failed: ", why));
    fail_all(why);
  }
}

void ModelService::count_texts() {
  const std::lock_guard lock(mutex_);
  const auto under_way = static_cast<int64_t>(texts_.size());
  int64_t submitted = 0;
  for (const Submission& one : submitted_) submitted += static_cast<int64_t>(one.texts.size());
  counters_.running = std::min(under_way, options_.num_slots);
  counters_.waiting = under_way - counters_.running + submitted;
}

void ModelService::deliver(std::vector<TextPiece> pieces) {
  const auto num_pieces = static_cast<int64_t>(pieces.size());
  for (TextPiece& piece : pieces) {
    const Text text = texts_.at(piece.text);
    ++unpaid_tokens_[text.request];
    const bool has_ended = !piece.finish_reason.empty();
    if (has_ended) texts_.erase(piece.text);
    text.request->add({text.number, std::move(piece)});
    if (!has_ended || --texts_left_.at(text.request) > 0) continue;
    energy_.read_meters();
    share_energy();
    texts_left_.erase(text.request);
    unpaid_tokens_.erase(text.request);
    count_texts();
    text.request->end();
  }
  share_energy();
  const std::lock_guard lock(mutex_);
  counters_.written_tokens += num_pieces;
}

// What was spent since the last reading, by the tokens that each request has had since.
void ModelService::share_energy() {
  const double joules = energy_.joules();
  if (joules == shared_joules_) return;
  int64_t total = 0;
  for (const auto& [request, tokens] : unpaid_tokens_) total += tokens;
  for (auto& [request, tokens] : unpaid_tokens_) {
    if (tokens == 0) continue;
    const double share = static_cast<double>(tokens) / static_cast<double>(total);
    const std::lock_guard lock(request->mutex_);
    request->joules_ += (joules - shared_joules_) * share;
    tokens = 0;
  }
  shared_joules_ = joules;
}

void ModelService::fail_all(const std::string& why) {
  for (const auto& [request, left] : texts_left_) request->fail(why);
  texts_left_.clear();
  unpaid_tokens_.clear();
  texts_.clear();
  generator_.reset();
}

}  // namespace lmtrain
